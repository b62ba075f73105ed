import numpy as np
import pytest
from fusion_helpers import assert_same_results, floats, fused, native_session, ops, parse

CONSTANTS = """two = Constant<value = float {2.0}>() row = Constant<value = float[5] {1.0, 2.0, 3.0, 4.0, 5.0}>()
    cube = Constant<value = float[1, 1, 1] {2.0}>() column = Constant<value = float[3, 1] {1.0, 2.0, 3.0}>()"""


def _text(body: str, outputs: str = "") -> str:
    return f"g (float[N, 5] x, float[N, 5] w) => (float[P, Q] y, int64[R] s{outputs}) {{ {CONSTANTS} {body} }}"


def _source(text: str) -> str:
    model = fused(text, "sink_shapes")
    node = next(n for n in model.graph.nodes if n.op_type == "Shape")
    return "" if node.inputs[0] is None or node.inputs[0].producer is None else node.inputs[0].producer.op_type


@pytest.mark.parametrize(
    ("body", "source"),
    [
        ("e = Exp(x) s = Shape(e) y = Neg(e)", "Neg"),
        (
            "e = Exp(x) s = Shape(e) a = Mul(two, e) b = Add(a, row) c = Softmax(b) y = LayerNormalization(c, row)",
            "LayerNormalization",
        ),
        ("e = Exp(x) s = Shape(e) y = Mul(e, e)", "Mul"),
        ("e = Exp(x) s = Shape(e) a = Neg(e) y = Add(a, w)", "Neg"),
        ("e = Exp(x) s = Shape(e) a = Neg(e) b = Mul(a, two) y = Add(a, b)", "Neg"),
        ("e = Exp(x) s = Shape(e) y = Transpose(e)", "Exp"),
        ("e = Exp(x) s = Shape(e) a = Add(e, cube) y = ReduceSum<keepdims = 0>(a)", "Exp"),
        ("e = Exp(x) s = Shape(e) y = Add(e, column)", "Exp"),
    ],
)
def test_shape_is_taken_of_the_last_value_that_has_it(body: str, source: str) -> None:
    text = _text(body)
    assert _source(text) == source
    if "cube" not in body:
        assert_same_results(text, {"x": floats(3, 5), "w": floats(3, 5)})


def test_shape_does_not_hinder_a_fusion() -> None:
    text = _text("m = Add(x, w) e = Exp(m) s = Shape(m) y = Neg(e)")
    assert sorted(ops(fused(text, "sink_shapes", "fuse_chain"))) == ["Chain", "Shape"]
    assert "Add" in ops(fused(text, "fuse_chain"))
    assert_same_results(text, {"x": floats(3, 5), "w": floats(3, 5)})


def test_shape_in_a_branch_stays_with_what_the_branch_can_see() -> None:
    text = f"""g (float[N, 5] x, bool c) => (float[P, Q] y, int64[R] s) {{ {CONSTANTS}
        e = Sin(x) f = Mul(e, e)
        s = If(c) <then_branch = t () => (int64[A] a) {{ a = Shape(e) }}, else_branch = f () => (int64[B] b) {{ b = Shape(x) }}>
        y = Neg(e) }}"""
    assert_same_results(text, {"x": floats(3, 5), "c": np.array(True)})


def test_output_of_the_graph_keeps_its_shape_node() -> None:
    assert _source(_text("e = Exp(x) s = Shape(e) y = Neg(e)", ", float[A, B] e")) == "Exp"


@pytest.mark.parametrize(("index", "wanted"), [(0, 5), (1, 3), (-1, 3)])
def test_dimension_of_a_transposed_tensor_is_taken_from_what_was_transposed(index: int, wanted: int) -> None:
    text = f"""g (float[N, M] x) => (float[P, Q] y, int64 s) {{ i = Constant<value = int64 {{{index}}}>()
        e = Exp(x) y = Transpose<perm = [1, 0]>(e) d = Shape(y) s = Gather<axis = 0>(d, i) }}"""
    assert "Transpose" not in {_source(text)}
    feed = {"x": floats(3, 5)}
    assert_same_results(text, feed)
    assert native_session(parse(text)).run(["s"], feed)[0] == wanted
