"""Inference by our own rules gives what ONNX's gives, and leaves to it whatever might be wrong."""

from __future__ import annotations

import random
import subprocess
import sys

import onnx
import pytest
from direct_compare import assert_same
from infer_helpers import load, parse, value
from onnx import TensorProto, helper

from ort_core.infer import shapes
from ort_core.infer.direct import infer_directly
from ort_core.infer.direct_rules import FAMILIES, direct_rule, family_rules
from ort_core.infer.direct_rules.older import FIRST_VERSIONS
from ort_core.ir.schema import TABLE_VERSIONS, operator_signature

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
def test_random_models_get_the_types_that_onnx_gives_or_its_errors(seed):
    rng = random.Random(seed)
    found = 0
    for _ in range(60):
        proto = random_model(rng)
        found += assert_same(proto)
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
def test_random_windows_get_the_types_that_onnx_gives_or_its_errors(seed):
    rng = random.Random(seed)
    found = 0
    for _ in range(80):
        proto = random_windows(rng)
        found += assert_same(proto)
    assert found > 20


@pytest.mark.parametrize(
    ("domain", "family"), [(domain, family) for domain, families in FAMILIES.items() for family in families]
)
def test_rules_are_for_operators_of_the_table_and_in_one_file_only(domain, family):
    others = {op for f in FAMILIES[domain] if f != family for op in family_rules(f)}
    for op_type, rule in family_rules(family).items():
        assert operator_signature(op_type, domain, TABLE_VERSIONS[domain]) is not None
        assert op_type not in others
        assert direct_rule(domain, op_type) is rule


@pytest.mark.parametrize("key", list(FIRST_VERSIONS), ids=lambda key: key[1])
def test_first_versions_are_versions_of_operators_with_rules(key):
    domain, op_type = key
    assert direct_rule(domain, op_type) is not None
    signature = operator_signature(op_type, domain, FIRST_VERSIONS[key])
    assert signature is not None
    assert signature.since_version == FIRST_VERSIONS[key]


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
        "g (float x) => (y) { y = Flatten<axis = 3>(x) }",
        "g (float[2] x, float[2,1] y) => (z) { z = Concat<axis = 0>(x, y) }",
        "g (float[2,3] x) => (y) { y = Cast<to = 99>(x) }",
    ],
)
def test_what_may_be_wrong_is_left_to_onnx(text):
    assert infer_directly(load(text)) is None


def test_subgraphs_are_left_to_onnx():
    then, other = "t () => (a) { a = Relu(x) }", "e () => (b) { b = Neg(x) }"
    body = f"g (bool c, float[2] x) => (y) {{ y = If(c) <then_branch = {then}, else_branch = {other}> }}"
    assert infer_directly(load(body)) is None


def test_names_of_dimensions_are_kept():
    model = load("g (float[n,16] x, float[16,k] w) => (z) { y = MatMul(x, w)  z = Softmax(y) }")
    shapes.infer_types(model)
    assert value(model, "z").shape == ("n", "k")


OLD = """g (float[n,3,8,8] x, float[4,3,3,3] w) => (y, z) {
    a = Conv(x, w)  b = Clip<min = 0.0, max = 6.0>(a)  c = Slice<axes = [2], starts = [0], ends = [4]>(b)
    d = ReduceMean<axes = [2, 3], keepdims = 0>(c)  e = Unsqueeze<axes = [1]>(d)  f = Squeeze<axes = [1]>(e)
    y = Softmax<axis = 1>(f)  z = Softmax<axis = 1>(c)
}"""
NEW = """g (float[n,3,8,8] x, float[1,16,3] k, float[1,16,4] r) => (y) <float[4] s = {1,1,2,2}, int64[3] flat = {0,0,-1}> {
    a = Resize(x, , s)  b, c = Split<axis = 2, num_outputs = 2>(a)  d = Concat<axis = 1>(b, c)
    e = Reshape(d, flat)  f = Transpose<perm = [2, 0, 1]>(e)  y = LSTM<hidden_size = 4>(f, k, r)
}"""
WITHOUT_ONNX = """
import sys
from ort_core.infer.shapes import infer_types
from ort_core.load.onnx_model import load_model
from ort_core.load.opset import normalize_opset
for path in sys.argv[1:]:
    infer_types(normalize_opset(load_model(path), infer=infer_types))
print([name for name in ("onnx", "ml_dtypes", "google.protobuf") if name in sys.modules])
"""


def test_models_of_old_and_new_opsets_are_typed_without_onnx(tmp_path):
    paths = [tmp_path / "old.onnx", tmp_path / "new.onnx"]
    for path, text, opset in zip(paths, (OLD, NEW), (9, 28), strict=True):
        onnx.save(parse(text, opset), path)
    command = [sys.executable, "-c", WITHOUT_ONNX, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
