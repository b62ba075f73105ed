"""What the sweep over element types leaves out, with the reason."""

from __future__ import annotations

_BODIES = "its bodies have types of their own"
_STRINGS = "the schema allows strings, which cannot be added up"
_LABELS = "the types are those of the keys and values, which are attributes"

EXCEPTIONS: dict[str, str] = {
    "ai.onnx::If": _BODIES,
    "ai.onnx::Loop": _BODIES,
    "ai.onnx::Scan": _BODIES,
    "ai.onnx::SequenceMap": _BODIES,
    "ai.onnx::Col2Im T tensor(string)": _STRINGS,
    "ai.onnx::GridSample T1 tensor(string)": _STRINGS,
    **dict.fromkeys(
        (f"ai.onnx::MeanVarianceNormalization T tensor({name})" for name in ("bfloat16", "double", "float16")),
        "ONNX's body of the operator has constants of type float",
    ),
    "ai.onnx.ml::LabelEncoder": _LABELS,
    "ai.onnx.preview.training::Gradient": "it is a derivative of other nodes",
}
"""Operator, `operator variable` or `operator variable type` to reason."""

_MAPS = "maps are keyed by what the operator's attributes list"


def exception(domain: str, op_type: str, variable: str, type_: str) -> str | None:
    """Why a variant is left out, or None."""
    operator = f"{domain or 'ai.onnx'}::{op_type}"
    if "map(" in type_:
        return _MAPS
    for key in (operator, f"{operator} {variable}", f"{operator} {variable} {type_}"):
        if key in EXCEPTIONS:
            return EXCEPTIONS[key]
    return None
