"""Compares inference by our own rules with ONNX's."""

from __future__ import annotations

import onnx
import pytest

from ort_core.errors import OrtError
from ort_core.infer import shapes
from ort_core.infer.check import check_nodes
from ort_core.infer.direct import infer_directly
from ort_core.infer.refine import anonymous
from ort_core.ir.graph import Model
from ort_core.ir.proto import from_proto
from ort_core.load.opset import normalize_opset


def outcome(proto: onnx.ModelProto, *, normalize: bool = True) -> object:
    """The types of all values without made-up names, or the error."""
    try:
        model = from_proto(proto)
        shapes.infer_types(normalize_opset(model) if normalize else model)
    except OrtError as error:
        return f"{type(error).__name__}: {error}"
    return _types(model)


def outcome_by_onnx(proto: onnx.ModelProto, *, normalize: bool = True) -> object:
    """As `outcome`, where ONNX infers everything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shapes, "infer_directly", lambda *args: None)
        return outcome(proto, normalize=normalize)


def directly(proto: onnx.ModelProto, *, normalize: bool = True) -> bool:
    """Whether our rules decide the model."""
    try:
        model = from_proto(proto)
        if normalize:
            normalize_opset(model)
        check_nodes(model)
    except OrtError:
        return False
    for node in model.graph.nodes:
        for value in node.outputs:
            if value is not None:
                value.type = None
    return infer_directly(model) is not None


def assert_same(proto: onnx.ModelProto, *, normalize: bool = True) -> bool:
    """Checks that both give the same; returns whether our rules decided."""
    assert outcome(proto, normalize=normalize) == outcome_by_onnx(proto, normalize=normalize), onnx.printer.to_text(
        proto
    )
    return directly(proto, normalize=normalize)


def _types(model: Model) -> list[tuple[str, object]]:
    return [(v.name, anonymous(v.type)) for n in model.graph.nodes for v in n.outputs if v is not None]
