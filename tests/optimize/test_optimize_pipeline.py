from __future__ import annotations

import numpy as np
import pytest
from optimize_helpers import apply_all, assert_same_results, context, floats, load, ops

from ort_core.errors import Fail, InvalidGraph
from ort_core.infer.shapes import infer_types
from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.types import ElementType, TensorType
from ort_core.optimize.pipeline import ONNXRUNTIME_NAMES, find_passes, optimize, run_passes

TEXT = """g (float[2,3] x) => (float[3,2] z) {
    k = Constant<value_float = 1.0>()
    a = Mul(x, k)
    b = Identity(a)
    c = Transpose(b)
    d = Transpose(c)
    e = Transpose(d)
    dead = Exp(e)
    z = Relu(e)
}"""


def test_every_module_of_the_passes_package_is_a_pass_of_its_name() -> None:
    names = [p.name for p in find_passes()]
    assert len(names) == len(set(names)) >= 12
    assert {"fold_constants", "eliminate_identity", "eliminate_dead"} <= set(names)
    assert all(p.level is Level.BASIC and p.__doc__ for p in find_passes())


def test_level_zero_changes_nothing() -> None:
    assert len(ops(apply_all(TEXT, Level.DISABLE_ALL))) == 8


@pytest.mark.parametrize("level", [Level.BASIC, Level.EXTENDED, Level.ALL])
def test_every_other_level_runs_the_basic_passes(level: Level) -> None:
    model = apply_all(TEXT, level)
    assert ops(model) == ["Transpose", "Relu"]
    assert_same_results(TEXT, model, {"x": floats(2, 3)})


@pytest.mark.parametrize("name", ["eliminate_identity", "EliminateIdentity"])
def test_disabled_pass_does_not_run_under_either_name(name: str) -> None:
    assert "Identity" in ops(apply_all(TEXT, disabled=[name]))


def test_names_of_onnxruntime_stand_for_passes_that_exist() -> None:
    known = {p.name for p in find_passes()}
    assert {inner for names in ONNXRUNTIME_NAMES.values() for inner in names} <= known


def test_unknown_disabled_name_is_ignored() -> None:
    assert ops(apply_all(TEXT, disabled=["NoSuchOptimizer"])) == ["Transpose", "Relu"]


def _renaming(level: Level, order: int, seen: list[str]) -> object:
    @graph_pass(level, order=order)
    def relu_to_abs(graph: Graph, ctx: PassContext) -> bool:
        changed = False
        for node in graph.nodes:
            seen.append(node.op_type)
            if node.op_type == "Relu":
                node.op_type, changed = "Abs", True
        return changed

    return relu_to_abs


def _with_extra(extra: list[object], level: Level = Level.ALL) -> list[str]:
    model = load(TEXT)
    infer_types(model)
    optimize(model, level, context(), extra=extra)
    return ops(model)


def test_extra_pass_runs_among_the_others_by_its_order() -> None:
    early: list[str] = []
    assert _with_extra([_renaming(Level.BASIC, 0, early)]) == ["Transpose", "Abs"]
    assert early[0] == "Constant"
    late: list[str] = []
    _with_extra([_renaming(Level.BASIC, 99, late)])
    assert "Constant" not in late


def test_extra_pass_above_the_level_does_not_run() -> None:
    assert _with_extra([_renaming(Level.EXTENDED, 0, [])], Level.BASIC) == ["Transpose", "Relu"]


def test_extra_pass_that_raises_is_named() -> None:
    @graph_pass(Level.BASIC)
    def break_everything(graph: Graph, ctx: PassContext) -> bool:
        raise KeyError("oops")

    with pytest.raises(Fail, match="graph pass 'break_everything' failed on graph 'g': KeyError: 'oops'"):
        _with_extra([break_everything])


def test_pass_that_breaks_the_graph_is_named_in_debug_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    @graph_pass(Level.BASIC)
    def use_undefined_value(graph: Graph, ctx: PassContext) -> bool:
        last = graph.nodes[-1]
        if last.op_type != "Relu":
            return False
        broken = Value("broken")
        broken.graph = graph
        graph.add(Node("Abs", [broken], [Value("w")]))
        return True

    monkeypatch.setenv("ORT_CORE_DEBUG", "1")
    with pytest.raises(InvalidGraph, match="graph pass 'use_undefined_value' broke the graph"):
        _with_extra([use_undefined_value])


def test_pass_that_always_reports_a_change_does_not_hang() -> None:
    calls: list[int] = []

    @graph_pass(Level.BASIC)
    def always_changed(graph: Graph, ctx: PassContext) -> bool:
        calls.append(1)
        return True

    assert _with_extra([always_changed]) == ["Transpose", "Relu"]
    assert 2 < len(calls) < 50


def test_run_passes_reports_whether_anything_changed() -> None:
    model = load(TEXT)
    infer_types(model)
    chosen = [p for p in find_passes() if p.name == "eliminate_identity"]
    assert run_passes(model, chosen, context())
    assert not run_passes(model, chosen, context())


def test_folding_and_inference_alternate() -> None:
    text = """g (float[N,6] x) => (float[A,B,C] z) <float[3] m = {1, 0, 2}> {
        i = NonZero(m)
        j = Constant<value_ints = [-1]>()
        k = Reshape(i, j)
        s = Constant<value_ints = [1]>()
        t = Gather(k, s)
        one = Constant<value_ints = [0]>()
        three = Constant<value_ints = [3]>()
        target = Concat<axis = 0>(one, t, three)
        z = Reshape(x, target)
    }"""
    model = apply_all(text)
    assert_same_results(text, model, {"x": floats(2, 6)})


def test_types_become_more_precise_when_folding_reveals_shapes() -> None:
    text = """g (float[N,16] x) => (float[A,B] z) {
        s = Shape(x) one = Constant<value_int = 1>() w = Gather(s, one)
        two = Constant<value_int = 2>() half = Div(w, two)
        u = Constant<value_ints = [0]>() h = Unsqueeze(half, u)
        end = Constant<value_ints = [100]>() axis = Constant<value_ints = [1]>()
        z = Slice(x, h, end, axis)
    }"""
    model = apply_all(text)
    assert ops(model) == ["Slice"]
    assert model.graph.outputs[0].type == TensorType(ElementType.FLOAT, ("N", 8))
    assert_same_results(text, model, {"x": floats(2, 16)})


def test_unused_functions_vanish_and_used_bodies_are_optimised() -> None:
    text = """g (float[2] x) => (float[2] z) { z = my.outer(x) }
        <domain: "my", opset_import: ["": 28, "my": 1]> outer (a) => (b) { i = Identity(a) b = my.inner(i) }
        <domain: "my", opset_import: ["": 28, "my": 1]> inner (a) => (b) { k = Neg(a) l = Neg(k) b = Abs(l) }
        <domain: "my", opset_import: ["": 28]> unused (a) => (b) { b = Abs(a) }"""
    model = apply_all(text)
    assert sorted(f.name for f in model.functions.values()) == ["inner", "outer"]
    bodies = {f.name: [n.op_type for n in f.graph.nodes] for f in model.functions.values()}
    assert bodies == {"outer": ["inner"], "inner": ["Abs"]}


def test_attribute_references_in_functions_are_left_alone() -> None:
    text = """g (float[2,3] x) => (float[2,3] z) { z = my.f<axis = 0, perm = [0, 1], to = 1>(x) }
        <domain: "my", opset_import: ["": 28]> f <axis, perm, to> (a) => (b) {
            c = Concat<axis: int = @axis>(a, a)
            t = Transpose<perm: ints = @perm>(a)
            u = Transpose<perm: ints = @perm>(t)
            d = Cast<to: int = @to>(u)
            e = Cast<to: int = @to>(d)
            w = Flatten<axis: int = @axis>(e)
            s = Shape<start: int = @axis>(w)
            b = Identity(e)
        }"""
    model = apply_all(text)
    (function,) = model.functions.values()
    assert [n.op_type for n in function.graph.nodes] == ["Transpose", "Transpose", "Cast", "Cast"]


def test_model_that_redefines_a_standard_operator_is_left_alone() -> None:
    from ort_core.ir.graph import Function

    model = load("g (float[2] x) => (float[2] z) { y = Identity(x) z = Identity(y) }")
    body = load("b (float[2] a) => (float[2] c) { c = Neg(a) }").graph
    model.functions["", "Identity", ""] = Function("", "Identity", "", body)
    optimize(model, Level.ALL, context())
    assert ops(model) == ["Identity", "Identity"]


def test_custom_inference_functions_reach_the_inference_in_between() -> None:
    text = """g (float[N,4] x, int64[1] unused) => (float[A,B] z) {
        s = Shape(x) i = Constant<value_ints = [1]>() four = Gather(s, i)
        shape = Concat<axis = 0>(four, four)
        y = my.Make(shape)
        z = Neg(y)
    }"""

    def make(node: Node, types: object) -> list[TensorType]:
        from ort_core.ir.rewrite import constant_array

        shape = constant_array(node.inputs[0])
        return [TensorType(ElementType.FLOAT, None if shape is None else tuple(shape.tolist()))]

    model = load(text)
    infer_types(model, {("my", "Make"): make})
    assert model.graph.outputs[0].shape is None
    optimize(model, Level.ALL, context(), custom={("my", "Make"): make})
    assert model.graph.outputs[0].type == TensorType(ElementType.FLOAT, (4, 4))


def test_names_of_constants_that_replace_nodes_are_kept() -> None:
    model = apply_all("g () => (float[2] z) <float[2] a = {1, 2}> { y = Neg(a) z = Sqrt(y) }")
    assert list(model.graph.initializers) == ["z"]
    np.testing.assert_array_equal(model.graph.initializers["z"].const.array().shape, (2,))
