"""Free-dimension overrides: fixes symbolic dimensions of graph inputs before inference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ort_core.errors import InvalidArgument
from ort_core.ir.graph import Model, Value
from ort_core.ir.proto_reader import KEPT
from ort_core.ir.shapes import Dim
from ort_core.ir.types import TensorType
from ort_core.log import logger_of

logger = logger_of("ort_core.infer")


def override_dimensions(
    model: Model, by_name: Mapping[str, int] | None = None, by_denotation: Mapping[str, int] | None = None
) -> None:
    """Gives the symbolic dimensions of the main graph's inputs fixed sizes; call it before `infer_types`.

    Args:
        by_name: sizes by the name of the dimension (`dim_param`).
        by_denotation: sizes by the dimension's denotation, such as `DATA_BATCH`.

    Raises:
        InvalidArgument: a size is negative, or contradicts the one that the model has.
    """
    names, denotations = dict(by_name or {}), dict(by_denotation or {})
    for what, given in (*names.items(), *denotations.items()):
        if given < 0:
            raise InvalidArgument(f"free dimension override '{what}': got {given}, expected a size of 0 or more.")
    if not names and not denotations:
        return
    used: set[str] = set()
    for value in model.graph.inputs:
        if not isinstance(value.type, TensorType) or value.type.shape is None:
            continue
        marks = _denotations(value) if denotations else {}
        shape: list[Dim] = []
        for axis, dim in enumerate(value.type.shape):
            name = dim if isinstance(dim, str) and dim in names else None
            size = names[name] if name is not None else denotations.get(marks.get(axis, ""))
            if size is not None:
                key = name if name is not None else marks[axis]
                used.add(key)
                if isinstance(dim, int) and dim != size:
                    raise InvalidArgument(
                        f"free dimension override '{key}'={size}: dimension {axis} of input '{value.name}' has "
                        f"the fixed size {dim} in the model. Remove the override or feed that size."
                    )
            shape.append(dim if size is None else size)
        value.type = replace(value.type, shape=tuple(shape))
    for name in sorted((names.keys() | denotations.keys()) - used):
        logger.info("free dimension override '%s' fits no dimension of the model's inputs", name)


def _denotations(value: Value) -> dict[int, str]:
    """The denotations of an input's dimensions by axis; they are kept in the input's original type message."""
    import onnx

    kept = value.metadata.get(KEPT + "type")
    if kept is None:
        return {}
    proto: onnx.TypeProto = onnx.TypeProto.FromString(bytes.fromhex(kept))
    return {axis: dim.denotation for axis, dim in enumerate(proto.tensor_type.shape.dim) if dim.denotation}
