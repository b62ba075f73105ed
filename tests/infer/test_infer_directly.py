"""Inference by our own rules gives what ONNX's gives, and leaves to it whatever might be wrong."""

from __future__ import annotations

import random

import onnx
import pytest
from infer_helpers import load, value
from onnx import TensorProto, helper
from onnx.backend.test.case.node import collect_testcases

from ort_core.errors import OrtError
from ort_core.infer import shapes
from ort_core.infer.direct import infer_directly
from ort_core.infer.direct_rules import DIRECT_RULES
from ort_core.infer.refine import anonymous
from ort_core.ir.graph import Model
from ort_core.ir.proto import from_proto
from ort_core.ir.schema import TABLE_VERSIONS, operator_signature
from ort_core.load.opset import normalize_opset

DIMS = (1, 2, 3, "n", "m", None)
UNARY = (
    "Relu",
    "Exp",
    "Softmax",
    "Hardmax",
    "Flatten",
    "Transpose",
    "Shape",
    "ArgMax",
    "GlobalAveragePool",
    "IsNaN",
    "Cast",
)
BINARY = ("Add", "Less", "MatMul", "Gemm", "Concat", "Pow", "Max", "Where")
AXES = ("ReduceSum", "ReduceMax", "Unsqueeze", "Squeeze", "Reshape", "Expand")


@pytest.fixture
def by_onnx(monkeypatch: pytest.MonkeyPatch):
    def infer(proto: onnx.ModelProto) -> object:
        with monkeypatch.context() as patch:
            patch.setattr(shapes, "infer_directly", lambda model: None)
            return outcome(proto)

    return infer


def outcome(proto: onnx.ModelProto) -> object:
    """The types of all values without made-up names, or the error."""
    try:
        model = normalize_opset(from_proto(proto))
        shapes.infer_types(model)
    except OrtError as error:
        return f"{type(error).__name__}: {error}"
    return types(model)


def types(model: Model) -> list[tuple[str, object]]:
    return [(v.name, anonymous(v.type)) for n in model.graph.nodes for v in n.outputs if v is not None]


def directly(proto: onnx.ModelProto) -> bool:
    try:
        return infer_directly(normalize_opset(from_proto(proto))) is not None
    except OrtError:
        return False


def random_model(rng: random.Random) -> onnx.ModelProto:
    """Two or three nodes on inputs of random shapes, some of which do not fit."""

    def shape() -> list[int | str | None]:
        return [rng.choice(DIMS) for _ in range(rng.choice((1, 2, 2, 2, 3, 4)))]

    element = rng.choice((TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.INT64))
    inputs = [helper.make_tensor_value_info(name, element, shape()) for name in "ab"]
    inputs.append(helper.make_tensor_value_info("c", TensorProto.BOOL, shape()))
    nodes, known = [], ["a", "b"]
    for index in range(rng.randint(1, 3)):
        op = rng.choice((*UNARY, *BINARY, *AXES))
        output = f"v{index}"
        given = [rng.choice(known)]
        attributes: dict[str, object] = {}
        if op == "Where":
            given = ["c", given[0], rng.choice(known)]
        elif op in BINARY:
            given.append(rng.choice(known))
        elif op in AXES:
            items = [rng.choice((-1, 0, 1, 2, 3)) for _ in range(rng.randint(1, 3))]
            constant = helper.make_tensor("", TensorProto.INT64, [len(items)], items)
            nodes.append(helper.make_node("Constant", [], [f"i{index}"], value=constant))
            given.append(f"i{index}")
        if op in ("Concat", "Softmax", "Hardmax", "Flatten", "ArgMax") and (op == "Concat" or rng.random() < 0.5):
            attributes["axis"] = rng.choice((-2, -1, 0, 1, 2))
        if op == "Cast":
            attributes["to"] = rng.choice((TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL))
        if op == "Gemm":
            attributes = {"transA": rng.randint(0, 1), "transB": rng.randint(0, 1)}
        if op.startswith(("Reduce", "Arg")):
            attributes["keepdims"] = rng.randint(0, 1)
        nodes.append(helper.make_node(op, given, [output], **attributes))
        known.append(output)
    outputs = [helper.make_empty_tensor_value_info(known[-1])]
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", TABLE_VERSIONS[""])], ir_version=10)


@pytest.mark.parametrize("seed", range(12))
def test_random_models_get_the_types_that_onnx_gives_or_its_errors(seed, by_onnx):
    rng = random.Random(seed)
    found = 0
    for _ in range(60):
        proto = random_model(rng)
        found += directly(proto)
        assert outcome(proto) == by_onnx(proto), onnx.printer.to_text(proto)
    assert found > 5


def random_windows(rng: random.Random) -> onnx.ModelProto:
    """A Conv or a pooling node on inputs of random shapes, some of which do not fit."""
    rank = rng.choice((1, 2, 2, 3))
    op = rng.choice(("Conv", "Conv", "MaxPool", "AveragePool"))
    data = [
        rng.choice((1, "n", None)),
        rng.choice((2, 4, "c")),
        *(rng.choice((1, 5, 8, "h", None)) for _ in range(rank)),
    ]
    kernel = [rng.choice((1, 2, 3)) for _ in range(rank)]
    attributes: dict[str, object] = {}
    if op != "Conv" or rng.random() < 0.5:
        attributes["kernel_shape"] = kernel if rng.random() < 0.9 else [*kernel, 1]
    if rng.random() < 0.6:
        attributes["strides"] = [rng.choice((1, 2, 3)) for _ in range(rank)]
    if rng.random() < 0.6:
        attributes["pads"] = [rng.choice((0, 1, 2)) for _ in range(2 * rank)]
    if rng.random() < 0.4:
        attributes["dilations"] = [rng.choice((1, 2)) for _ in range(rank)]
    if rng.random() < 0.1:
        attributes["auto_pad"] = "SAME_UPPER"
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, data)]
    if op == "Conv":
        inputs.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, rng.choice((2, 4, 1)), *kernel]))
    node = helper.make_node(op, [i.name for i in inputs], ["y"], **attributes)
    graph = helper.make_graph([node], "g", inputs, [helper.make_empty_tensor_value_info("y")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", TABLE_VERSIONS[""])], ir_version=10)


@pytest.mark.parametrize("seed", range(4))
def test_random_windows_get_the_types_that_onnx_gives_or_its_errors(seed, by_onnx):
    rng = random.Random(seed)
    found = 0
    for _ in range(80):
        proto = random_windows(rng)
        found += directly(proto)
        assert outcome(proto) == by_onnx(proto), onnx.printer.to_text(proto)
    assert found > 20


@pytest.mark.filterwarnings("ignore")
def test_the_models_of_onnx_get_the_types_that_onnx_gives(by_onnx):
    cases = [c.model for c in collect_testcases(None)[::7]]
    decided = [proto for proto in cases if directly(proto)]
    assert len(decided) > len(cases) // 4
    for proto in decided:
        assert outcome(proto) == by_onnx(proto), proto.graph.name


@pytest.mark.parametrize("key", list(DIRECT_RULES), ids=lambda key: key[1])
def test_a_rule_is_for_an_operator_of_the_table(key):
    signature = operator_signature(key[1], key[0], TABLE_VERSIONS[key[0]])
    assert signature is not None
    assert not signature.deprecated
    assert signature.max_outputs == 1 or key[1] in ("BatchNormalization", "MaxPool")


@pytest.mark.parametrize(
    "text",
    [
        "g (float[2,3] x) => (y) { y = Add(x, x, x) }",
        "g (float[2,3] x, int64[2] y) => (z) { z = Add(x, y) }",
        "g (float[2,3] x, float[4] y) => (z) { z = Add(x, y) }",
        "g (float[2,3] x) => (y) { y = Softmax<axis = 2>(x) }",
        "g (float[2,3] x, float[2,3] y) => (z) { z = MatMul(x, y) }",
        "g (float[2,3] x, float[2,3] y) => (z) { z = Gemm(x, y) }",
        "g (string[2] x) => (y) { y = Relu(x) }",
        "g (float[2,3] x) => (y) { y = my.Op(x) }",
        "g (float x) => (y) { y = Flatten<axis = 3>(x) }",
        "g (float[2] x, float[2,1] y) => (z) { z = Concat<axis = 0>(x, y) }",
        "g (float[2,3] x) => (y) { y = Cast<to = 99>(x) }",
    ],
)
def test_what_may_be_wrong_is_left_to_onnx(text):
    assert infer_directly(load(text)) is None


def test_older_opsets_and_subgraphs_are_left_to_onnx():
    assert infer_directly(load("g (float[2] x) => (y) { y = Relu(x) }", opset=18)) is None
    then, other = "t () => (a) { a = Relu(x) }", "e () => (b) { b = Neg(x) }"
    body = f"g (bool c, float[2] x) => (y) {{ y = If(c) <then_branch = {then}, else_branch = {other}> }}"
    assert infer_directly(load(body)) is None


def test_names_of_dimensions_are_kept():
    model = load("g (float[n,16] x, float[16,k] w) => (z) { y = MatMul(x, w)  z = Softmax(y) }")
    shapes.infer_types(model)
    assert value(model, "z").shape == ("n", "k")
