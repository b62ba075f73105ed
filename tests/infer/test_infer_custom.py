from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from infer_helpers import inferred, load, value

from ort_core.errors import Fail, InvalidArgument, InvalidGraph
from ort_core.infer.constants import known_array
from ort_core.infer.shapes import infer_types
from ort_core.ir.graph import Node
from ort_core.ir.types import ElementType, SequenceType, TensorType, ValueType

FLOAT = ElementType.FLOAT
Types = Sequence["ValueType | None"]


def _double(node: Node, types: Types) -> Types:
    (given,) = types
    assert isinstance(given, TensorType)
    assert given.shape is not None
    return [TensorType(given.element, (*given.shape[:-1], given.shape[-1] * 2))]


def test_chain_of_custom_and_standard_nodes_is_inferred_in_one_go() -> None:
    calls: list[str] = []

    def spy(node: Node, types: Types) -> Types:
        calls.append(node.outputs[0].name)
        return _double(node, types)

    model = inferred(
        "g (float[N,2] x) => (float[A,B] z) { a = my.Double(x) b = Relu(a) c = my.Double(b) d = Transpose(c) z = Neg(d) }",
        {("my", "Double"): spy},
    )
    assert value(model, "z").type == TensorType(FLOAT, (8, "N"))
    assert calls == ["a", "c"]


def test_function_sees_attributes_constants_and_absent_inputs() -> None:
    def infer(node: Node, types: Types) -> Types:
        assert types[1] is None
        assert node.attr("k") == 3
        sizes = known_array(node.inputs[2])
        assert sizes is not None
        return [TensorType(FLOAT, tuple(sizes.tolist())), None]

    model = inferred(
        """g (float[2] x) => (float[A,B] z, int64[C] i) {
            s = Constant<value_ints = [4, 5]>() z, i = my.Make<k = 3>(x, "", s)
        }""",
        {("my", "Make"): infer},
    )
    assert value(model, "z").type == TensorType(FLOAT, (4, 5))
    assert value(model, "i").type == TensorType(ElementType.INT64, ("C",))


def test_custom_nodes_in_subgraphs_and_functions() -> None:
    model = inferred(
        """g (float[2] x, bool c) => (float[A] z, float[B] w) {
            z = If(c) <then_branch = t () => (float[P] a) { a = my.Double(x) },
                       else_branch = e () => (float[Q] b) { b = Concat<axis = 0>(x, x) }>
            w = my.both(z)
        }
        <domain: "my", opset_import: ["": 28, "my": 1]> both (a) => (b) { c = my.Double(a) b = Neg(c) }""",
        {("my", "Double"): _double},
    )
    assert value(model, "z").type == TensorType(FLOAT, (4,))
    assert value(model, "w").type == TensorType(FLOAT, (8,))


def test_sequences_pass_through() -> None:
    model = inferred(
        """g (float[2] x) => (float[A] z) {
            s = SequenceConstruct(x) t = my.Same(s) i = Constant<value_int = 0>() z = SequenceAt(t, i)
        }""",
        {("my", "Same"): lambda node, types: types},
    )
    assert value(model, "t").type == SequenceType(TensorType(FLOAT, (2,)))
    assert value(model, "z").type == TensorType(FLOAT, (2,))


def test_without_a_function_the_declared_type_is_kept_but_its_sizes_are_not() -> None:
    model = inferred("g (float[N] x) => (float[A,B] z) <float[3,M] y> { y = my.Thing(x) z = Relu(y) }")
    shape = value(model, "y").shape
    assert not isinstance(shape[0], int)
    assert shape[1] == "M"
    assert value(model, "z").shape[1] == "M"


def test_undeclared_output_of_an_unknown_operator_stays_unknown_and_is_no_error() -> None:
    model = inferred(
        "g (float[2] x) => (float[A] z) { y = my.Thing(x) w = Relu(y) v = Concat<axis = 0>(w, x) z = Neg(x) }"
    )
    assert value(model, "y").type is None
    assert value(model, "z").type == TensorType(FLOAT, (2,))


def test_mistakes_beside_unknown_operators_are_still_found() -> None:
    with pytest.raises(Fail, match=r"node 'w' \(ai.onnx::Add, opset 28\)"):
        inferred("g (float[2] x, double[2] d) => (float[A] z) { y = my.Thing(x) w = Add(x, d) z = Add(w, y) }")


def test_error_of_a_function_is_chained_and_names_the_node() -> None:
    def fail(node: Node, types: Types) -> Types:
        raise ZeroDivisionError("boom")

    with pytest.raises(
        Fail, match=r"node 'z' \(my::Thing, opset 1\): its type inference function raised ZeroDivisionError"
    ) as error:
        inferred("g (float[2] x) => (float[2] z) { z = my.Thing(x) }", {("my", "Thing"): fail})
    assert isinstance(error.value.__cause__, ZeroDivisionError)


def test_own_errors_of_a_function_come_through() -> None:
    def refuse(node: Node, types: Types) -> Types:
        raise InvalidArgument("not like this")

    with pytest.raises(InvalidArgument, match="not like this"):
        inferred("g (float[2] x) => (float[2] z) { z = my.Thing(x) }", {("my", "Thing"): refuse})


def test_result_that_contradicts_the_declaration_is_refused() -> None:
    with pytest.raises(InvalidGraph, match="declares tensor"):
        inferred(
            "g (float[2] x) => (double[2] z) { z = my.Thing(x) }",
            {("my", "Thing"): lambda node, types: [TensorType(FLOAT, (2,))]},
        )


def test_too_many_and_too_few_results_are_tolerated() -> None:
    model = inferred(
        "g (float[2] x) => (float[2] z) { z, y = my.Thing(x) }",
        {("my", "Thing"): lambda node, types: [TensorType(FLOAT, (2,))]},
    )
    assert value(model, "y").type is None
    model = inferred(
        "g (float[2] x) => (float[2] z) { z = my.Thing(x) }", {("my", "Thing"): lambda node, types: [*types, *types]}
    )
    assert value(model, "z").type == TensorType(FLOAT, (2,))


def test_threads_infer_at_the_same_time() -> None:
    results: dict[int, object] = {}

    def work(size: int) -> None:
        model = load(f"g (float[{size}] x) => (float[A] z) {{ a = my.Double(x) b = Neg(a) z = my.Double(b) }}")
        infer_types(model, {("my", "Double"): _double})
        results[size] = value(model, "z").shape

    threads = [threading.Thread(target=work, args=(size,)) for size in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {size: (4 * size,) for size in range(1, 9)}
