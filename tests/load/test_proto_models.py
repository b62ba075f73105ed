from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnx.backend.test
import pytest
from onnx import TensorProto, helper, numpy_helper, parser
from proto_compare import canonical

from ort_core.errors import InvalidGraph
from ort_core.ir.attributes import AttributeKind, SparseWeight
from ort_core.ir.graph import Model, Node, Origin, Value
from ort_core.ir.proto import attribute_from_proto, from_proto, node_to_proto, to_proto
from ort_core.ir.proto_tensors import WEIGHT_KEY
from ort_core.ir.proto_types import type_from_proto, type_to_proto
from ort_core.ir.rewrite import add_constant, check_invariants, replace_uses
from ort_core.ir.tensors import ArrayWeight, WeightRef
from ort_core.ir.types import ElementType, MapType, OptionalType, SequenceType, SparseTensorType, TensorType

X = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
Y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])


def vector(name: str, *values: float) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, np.float32), name)


def model(*nodes: onnx.NodeProto, **parts: object) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "main",
        parts.pop("inputs", [X]),
        parts.pop("outputs", [Y]),
        parts.pop("initializers", []),
        value_info=parts.pop("value_info", []),
        sparse_initializer=parts.pop("sparse", []),
    )
    parts.setdefault("opset_imports", [helper.make_opsetid("", 21)])
    return helper.make_model(graph, ir_version=10, **parts)


def round_trip(proto: onnx.ModelProto) -> Model:
    before = proto.SerializeToString(deterministic=True)
    converted = from_proto(proto)
    check_invariants(converted)
    assert canonical(to_proto(converted)) == canonical(proto)
    assert proto.SerializeToString(deterministic=True) == before
    return converted


def branch(*nodes: onnx.NodeProto, output: str, initializers: tuple[onnx.TensorProto, ...] = ()) -> onnx.GraphProto:
    info = helper.make_tensor_value_info(output, TensorProto.FLOAT, [2])
    return helper.make_graph(list(nodes), "branch", [], [info], list(initializers))


def conditional(then: onnx.GraphProto, otherwise: onnx.GraphProto, output: str = "y") -> onnx.NodeProto:
    return helper.make_node("If", ["c"], [output], then_branch=then, else_branch=otherwise)


CONDITION = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
ELSE = branch(helper.make_node("Neg", ["x"], ["e"]), output="e")


def test_all_backend_test_models_survive_the_round_trip() -> None:
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = {t.name: t.model for t in load_model_tests(kind="node")}
    root = Path(onnx.backend.test.__file__).parent / "data"
    for kind in ("simple", "pytorch-converted", "pytorch-operator"):
        cases |= {p.parent.name: onnx.load(p) for p in sorted((root / kind).glob("*/model.onnx"))}
    assert len(cases) > 1900
    different = []
    for name, proto in cases.items():
        converted = from_proto(proto)
        check_invariants(converted)
        if canonical(to_proto(converted)) != canonical(proto):
            different.append(name)
    assert different == []


def test_every_attribute_kind_survives() -> None:
    sparse = helper.make_sparse_tensor(vector("", 1, 2), numpy_helper.from_array(np.array([0, 3])), [5])
    node = helper.make_node("Custom", ["x"], ["y"], domain="my.domain", name="custom")
    node.attribute.extend(
        [
            helper.make_attribute("float", 0.1),
            helper.make_attribute("int", -(1 << 63)),
            helper.make_attribute("string", b"\xff\x00raw"),
            helper.make_attribute("tensor", vector("t", 1, 2)),
            helper.make_attribute("floats", [0.1, float("inf")]),
            helper.make_attribute("ints", [1, -2]),
            helper.make_attribute("strings", ["a", "ü"]),
            helper.make_attribute("tensors", [vector("t", 1), vector("u", 2)]),
            helper.make_attribute("graph", branch(helper.make_node("Neg", ["x"], ["g"]), output="g")),
            helper.make_attribute("graphs", [branch(helper.make_node("Abs", ["x"], ["h"]), output="h")]),
            helper.make_attribute("sparse", sparse),
            helper.make_attribute("type", helper.make_tensor_type_proto(TensorProto.FLOAT, ["n", 3])),
            onnx.AttributeProto(
                name="sparses", type=onnx.AttributeProto.SPARSE_TENSORS, sparse_tensors=[sparse, sparse]
            ),
            onnx.AttributeProto(
                name="types",
                type=onnx.AttributeProto.TYPE_PROTOS,
                type_protos=[helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.INT8, None))],
            ),
            onnx.AttributeProto(name="empty", type=onnx.AttributeProto.INTS),
        ]
    )
    proto = model(node, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("my.domain", 3)])
    (converted,) = round_trip(proto).graph.nodes
    assert {a.kind for a in converted.attributes.values()} == set(AttributeKind)
    assert converted.origin == Origin("Custom", "my.domain", 3)
    assert converted.attr("strings") == ("a", "ü")
    assert converted.attr("empty") == ()
    assert converted.attr("type") == TensorType(ElementType.FLOAT, ("n", 3))
    assert isinstance(converted.attr("sparse"), SparseWeight)


def test_documentation_metadata_and_annotations_survive() -> None:
    proto = model(
        helper.make_node("Neg", ["x"], ["a"]), helper.make_node("Abs", ["a"], ["y"]), initializers=[vector("w", 1)]
    )
    proto.doc_string = "model"
    proto.producer_name = "test"
    helper.set_model_props(proto, {"author": "me"})
    graph = proto.graph
    graph.doc_string = "graph"
    graph.metadata_props.add(key="g", value="1")
    graph.node[0].doc_string = "node"
    graph.node[0].metadata_props.add(key="n", value="2")
    graph.node[0].device_configurations.add(configuration_id="mesh")
    graph.input[0].doc_string = "input"
    graph.input[0].metadata_props.add(key="i", value="3")
    graph.input[0].type.denotation = "IMAGE"
    graph.input[0].type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
    graph.output[0].doc_string = "output"
    graph.value_info.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, ["n"], "inner"))
    graph.initializer[0].doc_string = "tensor"
    graph.initializer[0].metadata_props.add(key="t", value="4")
    graph.quantization_annotation.add(tensor_name="a").quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="w")
    converted = round_trip(proto)
    assert converted.graph.inputs[0].doc == "input"
    assert converted.header.producer_name == "test"
    assert not converted.header.HasField("graph")


def test_absent_optional_inputs_and_outputs_are_none() -> None:
    proto = model(
        helper.make_node("Clip", ["x", "", "top"], ["y"]),
        helper.make_node("LSTM", ["s", "w", "w"], ["", "h"], hidden_size=1),
        initializers=[numpy_helper.from_array(np.float32(3), "top"), vector("w", 1), vector("s", 2)],
    )
    clip, lstm = round_trip(proto).graph.nodes
    assert [v and v.name for v in clip.inputs] == ["x", None, "top"]
    assert [v and v.name for v in lstm.outputs] == [None, "h"]


def test_subgraphs_refer_to_outer_values_and_are_linked_to_their_node() -> None:
    loop_body = parser.parse_graph(
        """
        body (int64 i, bool keep, float[2] carried) => (bool keep_out, float[2] sum) {
            keep_out = Identity(keep)
            inner = If (keep) <
                then_branch = t () => (float[2] a) { a = Add(carried, x) },
                else_branch = e () => (float[2] b) { b = Identity(scale) }
            >
            sum = Mul(inner, scale)
        }
        """
    )
    proto = model(
        helper.make_node("Loop", ["n", "c", "x"], ["y"], body=loop_body),
        inputs=[X, CONDITION],
        initializers=[vector("scale", 1, 2), numpy_helper.from_array(np.array(3), "n")],
    )
    converted = round_trip(proto)
    (loop,) = converted.graph.nodes
    body = loop.attr("body")
    assert body.parent is loop
    inner = body.nodes[1]
    assert inner.attr("then_branch").nodes[0].inputs[1] is converted.graph.inputs[0]
    assert len(converted.graph.initializers["scale"].uses) == 2


def test_functions_keep_attributes_defaults_opsets_and_overloads() -> None:
    body = [
        onnx.NodeProto(op_type="LeakyRelu", input=["a"], output=["t"]),
        helper.make_node("Add", ["t", "b"], ["r"]),
    ]
    body[0].attribute.add(name="alpha", type=onnx.AttributeProto.FLOAT, ref_attr_name="slope")
    function = helper.make_function(
        "my",
        "Leaky",
        ["a", "b"],
        ["r"],
        body,
        [helper.make_opsetid("", 16)],
        attributes=["required"],
        attribute_protos=[helper.make_attribute("slope", 0.25)],
        doc_string="doc",
        overload="v2",
        value_info=[helper.make_tensor_value_info("t", TensorProto.FLOAT, None)],
    )
    function.metadata_props.add(key="k", value="v")
    call = helper.make_node("Leaky", ["x", "x"], ["y"], domain="my", overload="v2", required=1)
    proto = model(call, functions=[function], opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("my", 1)])
    converted = round_trip(proto).functions["my", "Leaky", "v2"]
    assert converted.attributes["required"] is None
    assert converted.attributes["slope"].value == 0.25
    assert [v.type for v in converted.graph.inputs] == [None, None]
    first = converted.graph.nodes[0]
    assert first.attributes["alpha"].ref == "slope"
    assert first.origin == Origin("LeakyRelu", "", 16)
    assert converted.opset_imports == {"": 16}


def test_domain_ai_onnx_is_the_empty_domain() -> None:
    proto = model(
        helper.make_node("Neg", ["x"], ["y"], domain="ai.onnx"), opset_imports=[helper.make_opsetid("ai.onnx", 13)]
    )
    converted = round_trip(proto)
    assert converted.opset_imports == converted.original_opsets == {"": 13}
    assert converted.graph.nodes[0].domain == ""
    assert to_proto(converted).opset_import[0].domain == "ai.onnx"


@pytest.mark.parametrize("ir_version", [3, 4])
def test_initializers_that_are_inputs_are_overridable_from_ir_version_4(ir_version: int) -> None:
    proto = model(
        helper.make_node("Add", ["x", "w"], ["y"]),
        inputs=[X, helper.make_tensor_value_info("w", TensorProto.FLOAT, ["n"])],
        initializers=[vector("w", 1, 2)],
    )
    proto.ir_version = ir_version
    graph = round_trip(proto).graph
    weight = graph.initializers["w"]
    assert weight.is_constant is (ir_version < 4)
    assert [v.name for v in graph.inputs] == (["x"] if ir_version < 4 else ["x", "w"])
    assert weight.shape == ((2,) if ir_version < 4 else ("n",))
    assert weight.const.array().tolist() == [1, 2]


def test_sparse_initializers_are_constants_of_the_dense_type() -> None:
    sparse = helper.make_sparse_tensor(vector("w", 5), numpy_helper.from_array(np.array([1])), [2])
    graph = round_trip(model(helper.make_node("Add", ["x", "w"], ["y"]), sparse=[sparse])).graph
    value = graph.initializers["w"]
    assert value.is_constant
    assert value.type == TensorType(ElementType.FLOAT, (2,))


def test_nodes_in_any_order_are_sorted() -> None:
    converted = from_proto(
        model(
            helper.make_node("Abs", ["b"], ["y"]),
            conditional(branch(helper.make_node("Neg", ["a"], ["t"]), output="t"), ELSE, "b"),
            helper.make_node("Neg", ["x"], ["a"]),
            inputs=[X, CONDITION],
        )
    )
    check_invariants(converted)
    assert [n.op_type for n in converted.graph.nodes] == ["Neg", "If", "Abs"]


def test_an_output_may_be_an_input_a_constant_or_listed_twice() -> None:
    proto = model(
        helper.make_node("Neg", ["x"], ["y"]),
        outputs=[Y, X, Y, helper.make_tensor_value_info("w", TensorProto.FLOAT, [1])],
        initializers=[vector("w", 1)],
    )
    assert round_trip(proto).graph.output_names == ["y", "x", "y", "w"]


def test_inner_names_that_hide_outer_names_mean_the_inner_value() -> None:
    proto = model(
        helper.make_node("Neg", ["x"], ["w"]),
        conditional(
            branch(helper.make_node("Add", ["x", "w"], ["y"]), output="y", initializers=(vector("w", 3, 4),)), ELSE
        ),
        inputs=[X, CONDITION],
    )
    converted = from_proto(proto)
    check_invariants(converted)
    then = converted.graph.nodes[1].attr("then_branch")
    assert then.nodes[0].inputs[1].const.array().tolist() == [3, 4]
    names = [v.name for g in converted.graphs() for n in g.nodes for v in n.outputs] + list(then.initializers)
    assert len(set(names)) == len(names)
    onnx.checker.check_model(to_proto(converted), full_check=True)


def test_renamed_inner_values_do_not_collide_with_names_of_the_file() -> None:
    inner = branch(
        helper.make_node("Neg", ["x"], ["w"]),
        helper.make_node("Add", ["w", "w_1"], ["t"]),
        output="t",
        initializers=(vector("w_1", 1, 2),),
    )
    proto = model(helper.make_node("Abs", ["x"], ["w"]), conditional(inner, ELSE), inputs=[X, CONDITION])
    converted = from_proto(proto)
    then = converted.graph.nodes[1].attr("then_branch")
    neg, add = then.nodes
    assert add.inputs[0] is neg.outputs[0]
    assert add.inputs[1].const is not None
    assert len({v.name for v in add.inputs}) == 2


def test_outputs_keep_their_interface_names_when_values_are_renamed_or_replaced() -> None:
    converted = from_proto(
        model(
            helper.make_node("Neg", ["x"], ["y"]),
            helper.make_node("Identity", ["x"], ["z"]),
            helper.make_node("Abs", ["y"], ["u"]),
            outputs=[
                Y,
                helper.make_tensor_value_info("z", TensorProto.FLOAT, [2]),
                helper.make_tensor_value_info("u", TensorProto.FLOAT, [2]),
            ],
        )
    )
    graph = converted.graph
    neg, identity, absolute = graph.nodes
    replace_uses(identity.outputs[0], graph.inputs[0])
    graph.remove(identity)
    constant = add_constant(graph, np.zeros(2, np.float32), "folded")
    replace_uses(absolute.outputs[0], constant)
    graph.remove(absolute)
    neg.outputs[0].name = "renamed"
    proto = to_proto(converted)
    onnx.checker.check_model(proto, full_check=True)
    assert [o.name for o in proto.graph.output] == ["y", "z", "u"]
    assert [(n.op_type, *n.input, *n.output) for n in proto.graph.node] == [("Neg", "x", "y"), ("Identity", "x", "z")]
    assert [t.name for t in proto.graph.initializer] == ["u"]
    assert graph.output_names == ["y", "z", "u"]


def test_an_inner_value_gives_way_to_the_interface_name_of_an_output() -> None:
    inner = helper.make_tensor_value_info("z", TensorProto.FLOAT, [2])
    nodes = helper.make_node("Neg", ["x"], ["y"]), helper.make_node("Abs", ["y"], ["z"])
    converted = from_proto(model(*nodes, value_info=[inner]))
    graph = converted.graph
    graph.set_output(0, graph.nodes[1].outputs[0])
    proto = to_proto(converted)
    onnx.checker.check_model(proto)
    assert [n.output[0] for n in proto.graph.node] == ["y_1", "y"]


def test_one_value_under_two_output_names_is_copied() -> None:
    converted = from_proto(model(helper.make_node("Neg", ["x"], ["y"])))
    converted.graph.add_output(converted.graph.outputs[0], "again")
    proto = to_proto(converted)
    onnx.checker.check_model(proto, full_check=True)
    assert [(n.op_type, *n.output) for n in proto.graph.node] == [("Neg", "y"), ("Identity", "again")]


def test_a_subgraph_that_returns_an_outer_value_gets_an_identity() -> None:
    proto = model(conditional(branch(output="x"), ELSE), inputs=[X, CONDITION])
    written = to_proto(from_proto(proto))
    onnx.checker.check_model(written, full_check=True)
    then = next(a.g for a in written.graph.node[0].attribute if a.name == "then_branch")
    assert [(n.op_type, *n.input) for n in then.node] == [("Identity", "x")]


def test_two_outputs_of_one_name_and_different_values_are_refused() -> None:
    converted = from_proto(model(helper.make_node("Neg", ["x"], ["y"]), helper.make_node("Abs", ["x"], ["z"])))
    converted.graph.add_output(converted.graph.nodes[1].outputs[0], "y")
    with pytest.raises(InvalidGraph, match="'y'"):
        to_proto(converted)


def test_constants_of_a_function_body_are_written_as_constant_nodes() -> None:
    function = helper.make_function(
        "my", "F", ["a"], ["r"], [helper.make_node("Neg", ["a"], ["r"])], [helper.make_opsetid("", 21)]
    )
    call = helper.make_node("F", ["x"], ["y"], domain="my")
    converted = from_proto(
        model(call, functions=[function], opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("my", 1)])
    )
    body = converted.functions["my", "F", ""].graph
    body.nodes[0].set_input(0, add_constant(body, np.ones(2, np.float32)))
    proto = to_proto(converted)
    onnx.checker.check_model(proto)
    assert [n.op_type for n in proto.functions[0].node] == ["Constant", "Neg"]


def test_stripped_models_keep_small_constants_and_the_types_of_large_ones() -> None:
    large = np.ones((300, 2), np.float32)
    proto = model(
        helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(large)),
        helper.make_node("Reshape", ["w", "shape"], ["r"]),
        helper.make_node("Concat", ["r", "k"], ["y"], axis=0),
        outputs=[helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        initializers=[numpy_helper.from_array(large, "w"), numpy_helper.from_array(np.array([-1, 2]), "shape")],
    )
    stripped = to_proto(from_proto(proto), stripped=True)
    assert stripped.ByteSize() < 1000
    assert list(stripped.graph.initializer[0].dims) == [300, 2]
    inferred = onnx.shape_inference.infer_shapes(stripped, data_prop=True)
    shape = inferred.graph.output[0].type.tensor_type.shape
    assert [d.dim_value for d in shape.dim] == [600, 2]


def test_marked_tensors_take_their_weight_from_the_list() -> None:
    proto = model(helper.make_node("Add", ["x", "w"], ["y"]), initializers=[vector("w", 1, 2)])
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key=WEIGHT_KEY, value="1")
    weights: list[WeightRef] = [ArrayWeight(np.ones(2, np.int64)), ArrayWeight(np.array([5, 6], np.float32))]
    assert from_proto(proto, weights).graph.initializers["w"].const is weights[1]
    tensor.external_data[0].value = "0"
    with pytest.raises(InvalidGraph, match=r"int64 \[2\]"):
        from_proto(proto, weights)
    tensor.external_data[0].value = "2"
    with pytest.raises(InvalidGraph, match="one of the 2 weights"):
        from_proto(proto, weights)


def test_single_nodes_and_attributes_convert() -> None:
    x = Value("x", TensorType(ElementType.FLOAT, (2,)))
    attribute = attribute_from_proto(helper.make_attribute("value", vector("t", 1, 2)))
    node = Node("Custom", [x, None], [Value("y")], {"value": attribute}, domain="d", name="n")
    proto = node_to_proto(node)
    assert (proto.op_type, proto.domain, proto.name, list(proto.input), list(proto.output)) == (
        "Custom",
        "d",
        "n",
        ["x", ""],
        ["y"],
    )
    assert numpy_helper.to_array(proto.attribute[0].t).tolist() == [1, 2]


@pytest.mark.parametrize(
    "type_",
    [
        None,
        TensorType(ElementType.FLOAT),
        TensorType(ElementType.INT4, ()),
        TensorType(ElementType.STRING, ("n", 3, None)),
        SparseTensorType(ElementType.FLOAT, (2, None)),
        SequenceType(TensorType(ElementType.INT64, (None,))),
        OptionalType(SequenceType(TensorType(ElementType.BOOL))),
        MapType(ElementType.STRING, TensorType(ElementType.FLOAT)),
        SequenceType(MapType(ElementType.INT64, TensorType(ElementType.FLOAT))),
    ],
    ids=str,
)
def test_types_survive_the_round_trip(type_: TensorType | None) -> None:
    assert type_from_proto(type_to_proto(type_)) == type_


def test_types_nested_too_deeply_are_refused() -> None:
    proto = inner = onnx.TypeProto()
    for _ in range(60):
        inner = inner.sequence_type.elem_type
    inner.tensor_type.elem_type = 1
    with pytest.raises(InvalidGraph, match="nested"):
        type_from_proto(proto)


def test_negative_dimensions_are_unknown() -> None:
    assert type_from_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [-1, 2])).shape == (None, 2)


def test_conversion_needs_no_file_and_no_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    os.rmdir(folder)
    assert len(round_trip(model(helper.make_node("Neg", ["x"], ["y"]))).graph) == 1
