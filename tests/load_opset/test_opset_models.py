"""Whole models: subgraphs, functions, inference on request, what is kept, and what is refused."""

import contextlib

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, parser
from onnx.reference import ReferenceEvaluator

from ort_core import errors
from ort_core.ir.proto import from_proto, to_proto, type_from_proto
from ort_core.ir.rewrite import check_invariants
from ort_core.load.opset import CANONICAL_OPSETS, normalize_opset

X = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)


def load(text):
    return from_proto(parser.parse_model(text))


def ops(graph):
    return [node.op_type for node in graph.nodes]


def run(model, **feeds):
    check_invariants(model)
    return ReferenceEvaluator(to_proto(model)).run(None, feeds)


def node_model(op, opset, *, domain="", **attributes):
    node = helper.make_node(op, ["x"], ["y"], name="the_node", domain=domain, **attributes)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 4])
    graph = helper.make_graph([node], "g", [x], [onnx.ValueInfoProto(name="y")])
    imports = [helper.make_opsetid("", opset if not domain else 17)]
    if domain:
        imports.append(helper.make_opsetid(domain, opset))
    return from_proto(helper.make_model(graph, opset_imports=imports, ir_version=8))


BRANCHES = """<ir_version: 8, opset_import: ["" : 12]>
agraph (bool c, float[2, 3, 4] x) => (float[2, 4] y) {
    y = If (c) <
        then_branch = yes () => (float[2, 4] a) { a = ReduceSum <axes = [1], keepdims = 0> (x) },
        else_branch = no () => (float[2, 4] b) { s = ReduceMax <axes = [1]> (x) b = Squeeze <axes = [1]> (s) }
    >
}"""


def test_nodes_of_subgraphs_are_upgraded():
    model = normalize_opset(load(BRANCHES))
    for condition, expected in ((True, X.sum(1)), (False, X.max(1))):
        np.testing.assert_allclose(run(model, c=np.array(condition), x=X)[0], expected, rtol=1e-5)


def test_rules_that_need_more_nodes_put_them_into_the_subgraph():
    text = BRANCHES.replace("ReduceSum <axes = [1], keepdims = 0> (x)", "Softmax <axis = 0> (x)")
    text = text.replace("[2, 4] a", "[2, 3, 4] a")
    model = normalize_opset(load(text))
    (node,) = model.graph.nodes
    assert sorted(ops(node.attr("then_branch"))) == ["Flatten", "Reshape", "Shape", "Softmax"]
    check_invariants(model)


FUNCTIONS = """<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
agraph (float[2, 3, 4] x) => (float[2, 4] y) { y = local.total (x) }
<domain: "local", opset_import: ["" : 12]>
total (t) => (u) { u = ReduceSum <axes = [1], keepdims = 0> (t) }"""


def test_functions_are_upgraded_from_their_own_opset():
    model = normalize_opset(load(FUNCTIONS))
    (function,) = model.functions.values()
    assert function.opset_imports[""] == CANONICAL_OPSETS[""]
    assert len(function.graph.nodes[0].inputs) == 2
    np.testing.assert_allclose(run(model, x=X)[0], X.sum(1), rtol=1e-5)


BOUND = """<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
agraph (float[2, 3, 4] x) => (float[2, 4] y, float[2, 3] z) {
    y = local.outer <middle = [1]> (x)
    z = local.total <over = [2]> (x)
}
<domain: "local", opset_import: ["" : 17, "local" : 1]>
outer <middle> (t) => (u) { u = local.total <over: ints = @middle> (t) }
<domain: "local", opset_import: ["" : 11]>
total <over> (t) => (u) { s = Identity (t) u = ReduceSum <axes: ints = @over, keepdims: int = 0> (s) }"""


def test_a_function_whose_attributes_a_rule_needs_is_expanded_at_its_calls():
    model = normalize_opset(load(BOUND))
    assert model.functions == {}
    assert sorted(ops(model.graph)) == ["Identity", "Identity", "ReduceSum", "ReduceSum"]
    y, z = run(model, x=X)
    np.testing.assert_allclose(y, X.sum(1), rtol=1e-5)
    np.testing.assert_allclose(z, X.sum(2), rtol=1e-5)


def test_expanded_nodes_keep_the_opset_of_their_function_in_subgraphs_too():
    text = """<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
    agraph (bool c, float[2, 3, 4] x) => (float[2, 3, 4] y) { y = local.choose <k = 1> (c, x) }
    <domain: "local", opset_import: ["" : 11]>
    choose <k> (c, t) => (u) {
        w = Softmax <axis: int = @k> (t)
        u = If (c) <then_branch = yes () => (a) { a = Softmax (t) }, else_branch = no () => (b) { b = Neg (w) }>
    }"""
    model = normalize_opset(load(text))
    flat = np.exp(X.reshape(2, -1))
    expected = (flat / flat.sum(1, keepdims=True)).reshape(X.shape)
    np.testing.assert_allclose(run(model, c=np.array(True), x=X)[0], expected, rtol=1e-5)
    np.testing.assert_allclose(run(model, c=np.array(False), x=X)[0], -expected, rtol=1e-5)


def test_an_uncalled_function_takes_its_attribute_through_a_constant():
    text = BOUND.replace("y = local.outer <middle = [1]> (x)", "y = Neg (x)").replace(
        "z = local.total <over = [2]> (x)", "z = Abs (x)"
    )
    model = load(text.replace("u = local.total <over: ints = @middle> (t)", "u = Neg (t)"))
    normalize_opset(model)
    function = model.functions["local", "total", ""]
    assert ops(function.graph) == ["Identity", "Constant", "ReduceSum"]
    assert function.graph.nodes[1].attributes["value_ints"].ref == "over"


def test_an_uncalled_function_whose_attribute_a_rule_has_to_read_is_refused():
    text = """<ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2] x) => (y) { y = Neg (x) }
    <domain: "local", opset_import: ["" : 11]>
    rows <k> (t) => (u) { u = Softmax <axis: int = @k> (t) }"""
    with pytest.raises(errors.NotImplemented, match=r"Softmax, opset 11.*'axis'.*function"):
        normalize_opset(load(text))


def test_a_recursive_function_is_refused():
    text = BOUND.replace("s = Identity (t)", "s = local.total (t)").replace(": 11]", ': 11, "local" : 1]')
    with pytest.raises(errors.InvalidGraph, match=r"local::total.*calls itself"):
        normalize_opset(load(text))


def test_functions_that_multiply_are_stopped(monkeypatch):
    monkeypatch.setattr("ort_core.load.opset_functions._MAX_NODES", 3)
    with pytest.raises(errors.InvalidGraph, match="more than 3 nodes"):
        normalize_opset(load(BOUND))


def test_a_local_function_under_the_name_of_a_standard_operator_is_left_alone():
    text = """<ir_version: 8, opset_import: ["" : 12]>
    agraph (float[2, 3, 4] x) => (float[2, 3, 4] y) { y = Softmax (x) }
    <domain: "", opset_import: ["" : 12]>
    Softmax (t) => (u) { u = Neg (t) }"""
    model = normalize_opset(load(text))
    assert ops(model.graph) == ["Softmax"]


def test_opsets_and_origins_are_recorded():
    model = normalize_opset(node_model("Softmax", 11))
    assert model.opset_imports == {"": CANONICAL_OPSETS[""]}
    assert model.original_opsets == {"": 11}
    assert {node.origin for node in model.graph.nodes} == {("Softmax", "", 11)}
    assert model.graph.output_names == ["y"]
    assert model.graph.outputs[0].name == "y"


def test_inserted_nodes_have_names_of_their_own():
    model = normalize_opset(node_model("Softmax", 11))
    names = [node.name for node in model.graph.nodes]
    assert "the_node" in names
    assert all(name.startswith("the_node") for name in names)
    assert len(set(names)) == len(names)


def test_the_ir_version_fits_the_opset():
    model = normalize_opset(node_model("Softmax", 11))
    required = helper.find_min_ir_version_for(
        [helper.make_opsetid(domain, version) for domain, version in CANONICAL_OPSETS.items()], ignore_unknown=True
    )
    assert model.header.ir_version == required


def test_a_second_normalisation_changes_nothing():
    model = normalize_opset(node_model("Softmax", 11))
    before = model.graph.dump()
    assert normalize_opset(model).graph.dump() == before


def test_other_domains_are_left_alone():
    model = normalize_opset(node_model("Softmax", 3, domain="com.example", axis=7))
    assert model.opset_imports == {"": CANONICAL_OPSETS[""], "com.example": 3}
    assert model.graph.nodes[0].attr("axis") == 7


@pytest.mark.parametrize(("declared", "kept"), [(1, 4), (3, 4), (4, 4), (5, 5)])
def test_tree_operators_stay_declarable_below_version_5(declared, kept):
    model = normalize_opset(node_model("Scaler", declared, domain="ai.onnx.ml", offset=[0.0], scale=[1.0]))
    assert model.opset_imports["ai.onnx.ml"] == kept


def infer(model):
    inferred = onnx.shape_inference.infer_shapes(to_proto(model))
    types = {info.name: type_from_proto(info.type) for info in inferred.graph.value_info}
    for node in model.graph.nodes:
        for value in node.outputs:
            value.type = types.get(value.name, value.type)


def test_types_are_inferred_once_when_a_rule_asks_for_them():
    text = """<ir_version: 8, opset_import: ["" : 10]>
    agraph (float[2, 3, 4] x) => (y) { a = Neg (x) b = Clip <max = 6.0> (a) y = Softmax <axis = 2> (b) }"""
    calls = []
    model = normalize_opset(load(text), infer=lambda m: (calls.append(m), infer(m)))
    assert calls == [model]
    assert ops(model.graph) == ["Neg", "Clip", "Softmax"]
    without = normalize_opset(load(text))
    assert set(ops(without.graph)) == {"Neg", "CastLike", "Clip", "Flatten", "Shape", "Softmax", "Reshape"}
    np.testing.assert_allclose(run(model, x=X)[0], run(without, x=X)[0], rtol=1e-6)


def test_types_are_not_inferred_without_need():
    normalize_opset(node_model("Softmax", 11), infer=lambda _: pytest.fail("inferred"))
    normalize_opset(load(FUNCTIONS), infer=lambda _: pytest.fail("inferred"))


def test_an_input_may_be_a_constant_node():
    text = """<ir_version: 8, opset_import: ["" : 10]>
    agraph (float[1, 2, 4, 4] x) => (y) {
        s = Constant <value = float[4] {1.0, 1.0, 0.5, 0.5}> ()
        y = Resize <mode = "nearest"> (x, s)
    }"""
    model = normalize_opset(load(text))
    assert ops(model.graph) == ["Constant", "Resize"]
    assert model.graph.nodes[1].attr("nearest_mode") == "ceil"


@pytest.mark.parametrize(
    ("op", "opset", "message"),
    [
        ("Sofmax", 17, r"the_node.*no operator 'Sofmax' at version 17\. Did you mean Softmax"),
        ("Frobnicate", 17, r"no operator 'Frobnicate'.*domain of its own"),
        ("Gelu", 13, r"Gelu exists from version 20 on, but the model imports 13.*opset 20"),
        ("Upsample", 13, r"Upsample is deprecated since version 10.*Use Resize"),
        ("Scatter", 18, r"Scatter is deprecated since version 11.*Use ScatterElements"),
        ("Affine", 10, r"no operator 'Affine' at version 10"),
        ("Relu", 0, r"version 0 of ai\.onnx, expected at least 1"),
    ],
)
def test_operators_that_do_not_exist_are_refused(op, opset, message):
    with pytest.raises(errors.InvalidGraph, match=message):
        normalize_opset(node_model(op, opset))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Squeeze <axes = [0.5]> (x)", "'axes' of type FLOATS, expected INTS"),
        ("Squeeze <axis = [0]> (x)", "'axis' of type INTS, expected one of axes"),
        ("Squeeze (x, x)", "got 2 inputs, expected 1\\."),
        ("GroupNormalization <num_groups = 2> (x)", "got 1 inputs, expected 3\\."),
    ],
)
def test_outdated_nodes_that_do_not_fit_their_operator_are_refused(text, message):
    opset = 18 if text.startswith("Group") else 11
    with pytest.raises(errors.InvalidGraph, match=message):
        normalize_opset(
            load(f'<ir_version: 8, opset_import: ["" : {opset}]> agraph (float[2, 3] x) => (y) {{ y = {text} }}')
        )


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "Hardmax"])
def test_an_axis_that_the_data_does_not_have_is_refused(op):
    with pytest.raises(
        errors.InvalidGraph, match=rf"{op}, opset 11\): got axis 1 for an input of rank 1, expected -1 to 0"
    ):
        normalize_opset(load(f'<ir_version: 8, opset_import: ["" : 11]> agraph (float[3] x) => (y) {{ y = {op} (x) }}'))


ABSENT = [
    ("Affine", 7, 1),
    ("BatchNormalization", 7, 5),
    ("Clip", 10, 1),
    ("GroupNormalization", 18, 3),
    ("Pad", 10, 1),
    ("PRelu", 6, 2),
    ("ReduceLogSum", 12, 1),
    ("Resize", 10, 2),
    ("Scan", 8, 2),
    ("Softmax", 12, 1),
    ("Tile", 1, 3),
    ("Upsample", 9, 2),
]


@pytest.mark.parametrize(("op", "opset", "count"), ABSENT)
def test_absent_inputs_and_attributes_raise_nothing_but_our_errors(op, opset, count):
    node = helper.make_node(op, [""] * count, ["y"])
    graph = helper.make_graph([node], "g", [], [onnx.ValueInfoProto(name="y")])
    model = from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8))
    with contextlib.suppress(errors.OrtError):
        check_invariants(normalize_opset(model))


def test_deprecated_tree_operators_are_refused_where_they_are_deprecated():
    with pytest.raises(
        errors.InvalidGraph, match=r"TreeEnsembleRegressor is deprecated since version 5.*Use TreeEnsemble,"
    ):
        normalize_opset(node_model("TreeEnsembleRegressor", 5, domain="ai.onnx.ml"))


@pytest.mark.parametrize("op", ["SimplifiedLayerNormalization", "LayerNormalization"])
def test_operators_that_onnxruntime_adds_are_accepted(op):
    assert ops(normalize_opset(node_model(op, 13)).graph) == [op]


def test_operators_that_plugins_add_to_standard_domains_are_accepted():
    assert ops(normalize_opset(node_model("MyOp", 13), custom={("", "MyOp")}).graph) == ["MyOp"]


def test_a_model_newer_than_onnx_itself_is_refused():
    with pytest.raises(errors.NotImplemented, match=r"the_node.*imports version 99 of ai\.onnx.*pip install -U"):
        normalize_opset(node_model("Relu", 99))


def test_a_newer_model_is_accepted_unless_its_operators_changed(monkeypatch):
    monkeypatch.setitem(CANONICAL_OPSETS, "", 21)
    assert normalize_opset(node_model("Relu", 28)).opset_imports == {"": 21}
    with pytest.raises(errors.NotImplemented, match=r"the_node.*Round changed in version 22.*at 21.*Upgrade"):
        normalize_opset(node_model("Round", 28))


def test_limits_of_resize_10_and_11_are_named():
    text = """<ir_version: 8, opset_import: ["" : 11]>
    agraph (float[1, 2, 4, 4] x, float[8] r, float[4] s) => (y) {
        y = Resize <coordinate_transformation_mode = "tf_half_pixel_for_nn", nearest_mode = "ceil"> (x, r, s)
    }"""
    with pytest.raises(errors.NotImplemented, match=r"Resize, opset 11.*tf_half_pixel_for_nn.*'ceil'.*Export"):
        normalize_opset(load(text))
