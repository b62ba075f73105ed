"""Gradient nodes against finite differences."""

import numpy as np
import pytest
from onnx import TensorProto, helper

import ort_core as ort
from ort_core.errors import InvalidGraph
from ort_core.errors import NotImplemented as NotDifferentiable
from ort_core.load.derivatives import RULES

TRAINING = "ai.onnx.preview.training"
WITHOUT_DERIVATIVE = {
    "And", "ArgMax", "ArgMin", "Ceil", "ConstantOfShape", "Equal", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual",
    "NonZero", "Not", "Or", "Round", "Size", "Xor",
}  # fmt: skip


def node(output, operator, *inputs, **attributes):
    return helper.make_node(operator, list(inputs), [output], **attributes)


def ints(output, *values):
    return helper.make_node("Constant", [], [output], value_ints=values)


def gradient(outputs, at, *, y="y", xs=("a", "b", "c"), zs=()):
    settings = {"zs": zs} if zs else {}
    return helper.make_node(
        "Gradient", list(at), list(outputs), domain=TRAINING, xs=xs[: len(outputs)], y=y, **settings
    )


def session_of(nodes, inputs, outputs, *, opset=21):
    infos = [helper.make_tensor_value_info(n, TensorProto.DOUBLE, s) for n, s in inputs.items()]
    results = [helper.make_tensor_value_info(n, TensorProto.DOUBLE, None) for n in outputs]
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(TRAINING, 1)]
    model = helper.make_model(helper.make_graph(nodes, "g", infos, results), opset_imports=imports, ir_version=7)
    return ort.InferenceSession(model.SerializeToString(), providers=["ReferenceExecutionProvider"])


def feed_of(*shapes):
    generator = np.random.default_rng(len(shapes))
    return {name: generator.uniform(0.5, 2, shape) for name, shape in zip("abc", shapes, strict=False)}


def numeric_gradients(session, feed):
    """Central differences of the sum of the only output."""
    step = 1e-6
    gradients = []
    for name, value in feed.items():
        result = np.zeros_like(value)
        for index in np.ndindex(value.shape):
            sums = []
            for moved_by in (step, -step):
                moved = value.copy()
                moved[index] += moved_by
                sums.append(session.run(None, {**feed, name: moved})[0].sum())
            result[index] = (sums[0] - sums[1]) / (2 * step)
        gradients.append(result)
    return gradients


def check(nodes, *shapes):
    """The gradients of `y` with respect to `a`, `b`, ... of these shapes."""
    feed = feed_of(*shapes)
    inputs = {name: value.shape for name, value in feed.items()}
    outputs = [f"d{name}" for name in feed]
    expected = numeric_gradients(session_of(nodes, inputs, ["y"]), feed)
    results = session_of([*nodes, gradient(outputs, feed)], inputs, outputs).run(None, feed)
    for want, got in zip(expected, results, strict=True):
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


UNARY = [
    "Abs",
    "Cos",
    "Erf",
    "Exp",
    "Identity",
    "Log",
    "Neg",
    "Reciprocal",
    "Relu",
    "Sigmoid",
    "Sin",
    "Softplus",
    "Sqrt",
    "Tanh",
]
BINARY = ["Add", "Sub", "Mul", "Div", "Pow", "Sum"]
REDUCTIONS = ["ReduceSum", "ReduceMean"]
SOFTMAX = ["Softmax", "LogSoftmax"]
OTHER = {
    "Reshape": ([ints("k", 3, 2), node("r", "Reshape", "a", "k"), node("y", "Mul", "r", "r")], [(2, 3)]),
    "Flatten": ([node("r", "Flatten", "a"), node("y", "Mul", "r", "r")], [(2, 3, 2)]),
    "Squeeze": ([ints("k", 1), node("r", "Squeeze", "a", "k"), node("y", "Mul", "r", "b")], [(2, 1, 3), (2, 3)]),
    "Unsqueeze": ([ints("k", 1), node("r", "Unsqueeze", "a", "k"), node("y", "Mul", "r", "b")], [(2, 3), (2, 4, 3)]),
    "Transpose": ([node("t", "Transpose", "a", perm=[2, 0, 1]), node("y", "Mul", "t", "b")], [(2, 3, 4), (4, 2, 3)]),
    "Transpose without perm": ([node("t", "Transpose", "a"), node("y", "Mul", "t", "b")], [(2, 3), (3, 2)]),
    "Expand": ([ints("k", 4, 2, 3), node("t", "Expand", "a", "k"), node("y", "Mul", "t", "b")], [(3,), (4, 2, 3)]),
    "Cast": ([node("t", "Cast", "a", to=TensorProto.DOUBLE), node("y", "Mul", "t", "b")], [(), (2, 3)]),
    "CastLike": ([node("t", "CastLike", "a", "b"), node("y", "Mul", "t", "b")], [(), (2, 3)]),
    "Shape": ([node("s", "Shape", "a"), node("f", "CastLike", "s", "a"), node("y", "Mul", "a", "f")], [(2, 2)]),
    "Where, Greater": ([node("g", "Greater", "a", "b"), node("y", "Where", "g", "a", "b")], [(2, 3), (3,)]),
    "Sign, Floor": ([node("m", "Sign", "a"), node("f", "Floor", "m"), node("y", "Mul", "f", "a")], [(2, 3)]),
    "nothing": ([node("y", "Identity", "b")], [(2, 3), (3,)]),
    "itself twice": ([node("m", "Mul", "a", "a"), node("y", "Mul", "m", "a")], [(2, 3)]),
}


@pytest.mark.parametrize("operator", UNARY)
def test_unary(operator):
    check([node("y", operator, "a")], (2, 3))


@pytest.mark.parametrize("operator", BINARY)
@pytest.mark.parametrize("shapes", [((2, 3), (2, 3)), ((3,), (2, 1)), ((), (2, 3)), ((4, 1, 3), (2, 1))])
def test_broadcasting(operator, shapes):
    check([node("y", operator, "a", "b")], *shapes)


@pytest.mark.parametrize("name", OTHER)
def test_shapes_and_types(name):
    nodes, shapes = OTHER[name]
    check(nodes, *shapes)


@pytest.mark.parametrize("operator", REDUCTIONS)
@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [None, [0], [-1, 0]])
def test_reductions(operator, keepdims, axes):
    given = [] if axes is None else ["k"]
    nodes = [node("r", operator, "a", *given, keepdims=keepdims), node("y", "Exp", "r")]
    check([ints("k", *axes), *nodes] if axes else nodes, (2, 3, 2))


@pytest.mark.parametrize("operator", SOFTMAX)
@pytest.mark.parametrize("axis", [0, -1])
def test_softmax(operator, axis):
    check([node("s", operator, "a", axis=axis), node("y", "Mul", "s", "b")], (2, 3), (2, 3))


MATMUL_SHAPES = [
    ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((3,), (3, 4)), ((2, 3), (3,)), ((3,), (3,)), ((3,), (5, 3, 2)),
    ((2, 1, 2, 3), (4, 3, 2)), ((2, 2, 3), (3,)),
]  # fmt: skip


@pytest.mark.parametrize("shapes", MATMUL_SHAPES)
def test_matmul(shapes):
    check([node("m", "MatMul", "a", "b"), node("y", "Mul", "m", "m")], *shapes)


@pytest.mark.parametrize("trans_a", [0, 1])
@pytest.mark.parametrize("trans_b", [0, 1])
@pytest.mark.parametrize("bias", [None, (4,), (2, 1), ()])
def test_gemm(trans_a, trans_b, bias):
    shapes = [(3, 2) if trans_a else (2, 3), (4, 3) if trans_b else (3, 4), *([] if bias is None else [bias])]
    gemm = node("m", "Gemm", *"abc"[: len(shapes)], alpha=0.5, beta=2.0, transA=trans_a, transB=trans_b)
    check([gemm, node("y", "Mul", "m", "m")], *shapes)


def test_every_rule_is_tested():
    others = {n.op_type for nodes, _ in OTHER.values() for n in nodes}
    tested = {*UNARY, *BINARY, *REDUCTIONS, *SOFTMAX, *others, "MatMul", "Gemm"}
    assert set(RULES) - tested == WITHOUT_DERIVATIVE


A, B = np.array([1.0, 2.0]), np.array([3.0, 5.0])
CUBE = [node("h", "Mul", "a", "a"), node("y", "Mul", "h", "a")]
PAIR = {"a": [2], "b": [2]}


def test_the_point_may_be_another_than_the_named_tensor():
    session = session_of([*CUBE, gradient(["da"], ["b"])], PAIR, ["y", "da"])
    y, da = session.run(None, {"a": A, "b": B})
    np.testing.assert_allclose(y, A**3)
    np.testing.assert_allclose(da, 3 * B**2)


def test_points_may_be_equal():
    nodes = [node("y", "Mul", "a", "b"), gradient(["da", "db"], ["c", "c"])]
    da, db = session_of(nodes, {**PAIR, "c": [2]}, ["da", "db"]).run(None, {"a": A, "b": B, "c": A + B})
    np.testing.assert_allclose(da, A + B)
    np.testing.assert_allclose(db, A + B)


def test_an_intermediate_tensor_and_one_that_is_held_fixed():
    nodes = [node("h", "Mul", "a", "a"), node("t", "Mul", "h", "b"), node("y", "Mul", "t", "h")]
    nodes.append(gradient(["dh"], ["h", "b"], xs=("h",), zs=("b",)))
    (dh,) = session_of(nodes, PAIR, ["dh"]).run(None, {"a": A, "b": B})
    np.testing.assert_allclose(dh, 2 * A**2 * B)


def test_second_derivatives():
    nodes = [*CUBE, gradient(["da"], ["a"]), gradient(["dda"], ["a"], y="da")]
    (dda,) = session_of(nodes, {"a": [2]}, ["dda"]).run(None, {"a": A})
    np.testing.assert_allclose(dda, 6 * A)


def test_an_operator_of_an_older_opset_and_an_output_that_is_not_wanted():
    nodes = [node("m", "Mul", "a", "b"), node("y", "ReduceSum", "m", axes=[1]), gradient(["", "db"], ["a", "b"])]
    feed = feed_of((2, 3), (2, 3))
    (db,) = session_of(nodes, {"a": [2, 3], "b": [2, 3]}, ["db"], opset=11).run(None, feed)
    np.testing.assert_allclose(db, feed["a"])


def test_sizes_that_are_known_only_when_the_model_runs():
    nodes = [node("y", "Mul", "a", "b"), gradient(["da", "db"], ["a", "b"])]
    session = session_of(nodes, {"a": ["n", "m"], "b": ["m"]}, ["da", "db"])
    a, b = np.ones((4, 3)), np.arange(3.0)
    da, db = session.run(None, {"a": a, "b": b})
    np.testing.assert_allclose(da, np.tile(b, (4, 1)))
    np.testing.assert_allclose(db, [4, 4, 4])


def test_a_gradient_inside_a_function():
    imports = [helper.make_opsetid("", 21), helper.make_opsetid(TRAINING, 1)]
    body = [*CUBE, gradient(["da"], ["a"])]
    function = helper.make_function("local", "Slope", ["a"], ["da"], body, imports)
    info = [helper.make_tensor_value_info(n, TensorProto.DOUBLE, [2]) for n in "xy"]
    graph = helper.make_graph([helper.make_node("Slope", ["x"], ["y"], domain="local")], "g", info[:1], info[1:])
    imports.append(helper.make_opsetid("local", 1))
    model = helper.make_model(graph, opset_imports=imports, functions=[function], ir_version=10)
    session = ort.InferenceSession(model.SerializeToString(), providers=["ReferenceExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": B})[0], 3 * B**2)


REFUSED = [
    ([node("y", "Atan", "a")], ["a"], {}, NotDifferentiable, r"Atan.*no derivative"),
    ([node("y", "Neg", "a")], ["a"], {"xs": ("q",)}, InvalidGraph, "names the tensor 'q'"),
    ([node("y", "Neg", "a")], ["a"], {"y": "q"}, InvalidGraph, "names the tensor 'q'"),
    ([node("y", "Neg", "a")], ["a", "a"], {}, InvalidGraph, "has 2 inputs"),
    ([node("y", "Neg", "a")], ["a", "a"], {"zs": ("a",)}, InvalidGraph, "twice"),
    ([node("y", "Mul", "a", "da")], ["a"], {}, InvalidGraph, "cycle"),
]


@pytest.mark.parametrize(("nodes", "at", "settings", "error", "message"), REFUSED)
def test_what_cannot_be_differentiated_is_refused(nodes, at, settings, error, message):
    with pytest.raises(error, match=message):
        session_of([*nodes, gradient(["da"], at, **settings)], {"a": [2]}, ["da"])


def test_a_tensor_of_an_outer_graph_is_refused():
    then = helper.make_graph(
        [gradient(["da"], ["a"])], "then", [], [helper.make_tensor_value_info("da", TensorProto.DOUBLE, [2])]
    )
    other = helper.make_graph(
        [node("na", "Neg", "a")], "else", [], [helper.make_tensor_value_info("na", TensorProto.DOUBLE, [2])]
    )
    condition = helper.make_node("Constant", [], ["k"], value=helper.make_tensor("", TensorProto.BOOL, [], [True]))
    nodes = [*CUBE, condition, node("r", "If", "k", then_branch=then, else_branch=other)]
    with pytest.raises(NotDifferentiable, match="outer graph"):
        session_of(nodes, {"a": [2]}, ["r"])


def test_control_flow_between_is_refused():
    branches = {
        name: helper.make_graph(
            [node(name, op, "a")], name, [], [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [2])]
        )
        for name, op in (("then_branch", "Neg"), ("else_branch", "Exp"))
    }
    condition = node("k", "Cast", "b", to=TensorProto.BOOL)
    with pytest.raises(NotDifferentiable, match=r"If.*no derivative"):
        session_of([condition, node("y", "If", "k", **branches), gradient(["da"], ["a"])], {"a": [2], "b": []}, ["da"])
