"""Operators whose element types come from attributes, or from bodies, for every type that they allow."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.numpy_helper import from_array
from reference_helpers import ML, f32, i64, noise
from type_sweep import E, elements_allowed, recast, run_model, schemas

import ort_core
from ort_core.ir.types import OptionalType, SequenceType, TensorType


def node(op_type: str, inputs: str, domain: str = "", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op_type, inputs.split(), ["y"], domain=domain, **attributes)


def outputs_allowed(op_type: str, container: str = "", domain: str = "") -> list[E]:
    schema = schemas()[domain, op_type]
    return elements_allowed(schema, schema.outputs[0].type_str, container)


@pytest.mark.parametrize(
    ("op_type", "attribute", "feeds"),
    [
        ("BlackmanWindow", "output_datatype", {"n": np.array(4)}),
        ("HammingWindow", "output_datatype", {"n": np.array(4)}),
        ("HannWindow", "output_datatype", {"n": np.array(4)}),
        ("EyeLike", "dtype", {"x": noise(2, 3)}),
        ("Bernoulli", "dtype", {"x": f32(0, 1)}),
        ("Multinomial", "dtype", {"x": f32([0.5, 0.5])}),
        ("RandomNormalLike", "dtype", {"x": noise(2)}),
        ("RandomUniformLike", "dtype", {"x": noise(2)}),
    ],
)
def test_the_attribute_gives_the_type(op_type: str, attribute: str, feeds: dict[str, np.ndarray]) -> None:
    for element in outputs_allowed(op_type):
        if element is E.STRING:
            continue
        made = node(op_type, " ".join(feeds), **{attribute: int(element)})
        (result,) = run_model(made, feeds)
        assert result.dtype == element.dtype


def test_mel_weights_are_of_every_allowed_type() -> None:
    feeds = {"a": np.array(8), "b": np.array(16), "c": np.array(8192), "d": np.float32(0), "e": np.float32(4096)}
    arrays = {k: np.asarray(v) for k, v in feeds.items()}
    (exact,) = run_model(node("MelWeightMatrix", "a b c d e", output_datatype=int(E.DOUBLE)), arrays)
    for element in outputs_allowed("MelWeightMatrix"):
        (result,) = run_model(node("MelWeightMatrix", "a b c d e", output_datatype=int(element)), arrays)
        np.testing.assert_array_equal(result, exact.astype(element.dtype))


@pytest.mark.parametrize("op_type", ["RandomNormal", "RandomUniform"])
def test_random_tensors_are_of_every_allowed_type(op_type: str) -> None:
    for element in outputs_allowed(op_type):
        (result,) = run_model(node(op_type, "", shape=[3], dtype=int(element)), {})
        assert (result.dtype, result.shape) == (element.dtype, (3,))


def test_constants_are_of_every_type() -> None:
    for element in outputs_allowed("Constant"):
        value = recast(f32([-1, 0], [1, 2]), element)
        (result,) = run_model(node("Constant", "", value=from_array(value)), {})
        assert result.dtype == element.dtype
        assert result.tolist() == value.tolist()


def test_filled_tensors_are_of_every_type() -> None:
    for element in outputs_allowed("ConstantOfShape"):
        value = recast(f32(1), element)
        (result,) = run_model(node("ConstantOfShape", "s", value=from_array(value)), {"s": i64(2, 0, 3)})
        assert (result.dtype, result.shape) == (element.dtype, (2, 0, 3))


def test_empty_sequences_are_of_every_type() -> None:
    for element in outputs_allowed("SequenceEmpty", "seq"):
        assert run_model(node("SequenceEmpty", "", dtype=int(element)), {}) == [[]]


def test_bits_are_reinterpreted_between_all_types_of_a_width() -> None:
    allowed = outputs_allowed("BitCast")
    for source in allowed:
        data = np.arange(2**source.bits if source.bits < 8 else 8)
        x = (
            data.astype(np.uint8).view(source.dtype)
            if source.bits <= 8 and source is not E.BOOL
            else recast(data, source)
        )
        for target in allowed:
            if target.bits != source.bits or E.BOOL in (source, target):
                continue
            (result,) = run_model(node("BitCast", "x", to=int(target)), {"x": x})
            assert result.dtype == target.dtype
            (back,) = run_model(node("BitCast", "x", to=int(source)), {"x": result})
            assert back.tobytes() == x.tobytes()


def test_labels_are_encoded_from_and_to_every_type() -> None:
    for source in elements_allowed(schemas()[ML, "LabelEncoder"], "T1"):
        for target in elements_allowed(schemas()[ML, "LabelEncoder"], "T2"):
            keys, values, default = recast(i64(3, 5), source), recast(i64(7, 9), target), recast(i64(1), target)
            made = node(
                "LabelEncoder", "x", ML, keys_tensor=from_array(keys), values_tensor=from_array(values),
                default_tensor=from_array(default),
            )  # fmt: skip
            (result,) = run_model(made, {"x": recast(i64([5, 4], [3, 3]), source)})
            assert result.dtype == target.dtype
            assert result.tolist() == [[values[1], default[0]], [values[0], values[0]]]


def test_trees_are_of_every_type() -> None:
    for element in outputs_allowed("TreeEnsemble", domain=ML):
        made = node(
            "TreeEnsemble", "x", ML, n_targets=1, aggregate_function=1, post_transform=0, tree_roots=[0],
            nodes_modes=from_array(np.uint8([0])), nodes_featureids=[1], nodes_splits=from_array(recast(f32(0.5), element)),
            nodes_truenodeids=[0], nodes_trueleafs=[1], nodes_falsenodeids=[1], nodes_falseleafs=[1],
            leaf_targetids=[0, 0], leaf_weights=from_array(recast(f32(2, -3), element)),
        )  # fmt: skip
        (result,) = run_model(made, {"x": recast(f32([9, 0.5], [9, 0.75]), element)})
        assert (result.dtype, result.tolist()) == (element.dtype, [[2], [-3]])


def body(
    name: str, element: E, inputs: list[str], outputs: list[str], *, with_condition: bool = False
) -> onnx.GraphProto:
    shown = [helper.make_tensor_value_info(i, int(element), None) for i in inputs]
    made = [helper.make_tensor_value_info(o, int(element), None) for o in outputs]
    nodes = [helper.make_node("Identity", ["x" if not inputs else inputs[0]], [o]) for o in outputs]
    if with_condition:
        shown = [
            helper.make_tensor_value_info("i", int(E.INT64), []),
            helper.make_tensor_value_info("go", int(E.BOOL), []),
            *shown,
        ]
        made = [helper.make_tensor_value_info("go_on", int(E.BOOL), []), *made]
        nodes.append(helper.make_node("Identity", ["go"], ["go_on"]))
    return helper.make_graph(nodes, name, shown, made)


def run_graph(nodes: list[onnx.NodeProto], element: E, x: np.ndarray) -> list[Any]:
    inputs = [
        helper.make_tensor_value_info("x", int(element), x.shape),
        helper.make_tensor_value_info("c", int(E.BOOL), []),
        helper.make_tensor_value_info("n", int(E.INT64), []),
    ]
    outputs = [helper.make_empty_tensor_value_info(o) for n in nodes[-1:] for o in n.output]
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 28)], ir_version=13)
    session = ort_core.InferenceSession(model.SerializeToString(), providers=["ReferenceExecutionProvider"])
    return session.run(None, {"x": x, "c": np.array(True), "n": np.array(2)})


def test_control_flow_carries_every_type() -> None:
    schema = schemas()["", "Loop"]
    for element in elements_allowed(schema, "V"):
        x = recast(f32([-1, 0], [1, 2]), element)
        choice = helper.make_node(
            "If", ["c"], ["y"], then_branch=body("t", element, [], ["a"]), else_branch=body("e", element, [], ["b"])
        )
        loop = helper.make_node(
            "Loop", ["n", "c", "x"], ["y", "all"], body=body("l", element, ["v"], ["w", "out"], with_condition=True)
        )
        assert run_graph([choice], element, x)[0].tolist() == x.tolist()
        final, stacked = run_graph([loop], element, x)
        assert (final.dtype, stacked.dtype) == (element.dtype, element.dtype)
        assert stacked.tolist() == [x.tolist()] * 2
        if element in elements_allowed(schemas()["", "Scan"], "V"):
            scan = helper.make_node("Scan", ["x"], ["y"], num_scan_inputs=1, body=body("s", element, ["r"], ["o"]))
            assert run_graph([scan], element, x)[0].tolist() == x.tolist()


def test_sequences_are_mapped_for_every_type() -> None:
    for element in elements_allowed(schemas()["", "SequenceMap"], "S", "seq"):
        x = recast(f32([-1, 0], [1, 2]), element)
        made = [
            helper.make_node("SequenceConstruct", ["x", "x"], ["s"]),
            helper.make_node("SequenceMap", ["s"], ["y"], body=body("m", element, ["v"], ["w"])),
        ]
        (result,) = run_graph(made, element, x)
        assert [r.tolist() for r in result] == [x.tolist()] * 2


@pytest.mark.parametrize("op_type", ["Identity", "OptionalGetElement", "OptionalHasElement"])
def test_optionals_hold_every_type(op_type: str) -> None:
    schema = schemas()["", op_type]
    constraint = schema.inputs[0].type_str
    for element in elements_allowed(schema, constraint, "optional"):
        x = recast(f32(1, 2), element)
        declared = {"x": OptionalType(TensorType(element, (2,)))}
        check_optional(op_type, run_model(node(op_type, "x"), {"x": x}, declared)[0], x)
    (allowed,) = (c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == constraint)
    for element in E:
        if f"optional(seq(tensor({element.onnx_name})))" in allowed:
            items = [recast(f32(1, 2), element)]
            declared = {"x": OptionalType(SequenceType(TensorType(element)))}
            check_optional(op_type, run_model(node(op_type, "x"), {"x": items}, declared)[0], items)


def check_optional(op_type: str, result: Any, given: Any) -> None:
    if op_type == "OptionalHasElement":
        assert result.tolist() is True
    elif isinstance(given, list):
        assert [r.tolist() for r in result] == [g.tolist() for g in given]
    else:
        assert (result.dtype, result.tolist()) == (given.dtype, given.tolist())
