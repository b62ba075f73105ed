"""Values in another type: numbers made representable, so that the operator still makes sense of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from ort_core.ir.types import ElementType

if TYPE_CHECKING:
    import onnx

_WRAPPER = re.compile(r"(optional|seq)\((.*)\)")
_TENSOR = re.compile(r"tensor\((\w+)\)")


def parse_type(text: str) -> tuple[tuple[str, ...], ElementType]:
    """The containers and the element type of a schema's type: `seq(tensor(float))` is `("seq",)` and FLOAT."""
    containers = []
    while match := _WRAPPER.fullmatch(text):
        containers.append(match[1])
        text = match[2]
    match = _TENSOR.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no type of a tensor")
    return tuple(containers), ElementType[match[1].upper()]


def with_element(text: str, element: ElementType) -> str:
    """A schema's type with another element type in the same containers."""
    return _TENSOR.sub(f"tensor({element.onnx_name})", text)


def type_text(proto: onnx.TypeProto) -> str:
    """The type of a value as schemas write it."""
    kind = proto.WhichOneof("value")
    if kind == "sequence_type":
        return f"seq({type_text(proto.sequence_type.elem_type)})"
    if kind == "optional_type":
        return f"optional({type_text(proto.optional_type.elem_type)})"
    if kind == "tensor_type":
        return f"tensor({ElementType(proto.tensor_type.elem_type).onnx_name})"
    return str(kind)


def type_proto(text: str, value: Any) -> onnx.TypeProto:
    """The declared type of a value: its shape, but for tensors in containers."""
    from onnx import helper

    containers, element = parse_type(text)
    proto = helper.make_tensor_type_proto(element, None if containers else value.shape)
    for container in reversed(containers):
        make = helper.make_sequence_type_proto if container == "seq" else helper.make_optional_type_proto
        proto = make(proto)
    return proto


def recast(value: Any, text: str) -> Any:
    """A value of the type `text` made from one of another type; tensors go into sequences, and come out of them."""
    containers, element = parse_type(text)
    items = [cast(item, element) for item in (value if isinstance(value, list) else [value, value])]
    return items if "seq" in containers else items[0]


def cast(array: np.ndarray, element: ElementType) -> np.ndarray:
    """An array of another element type, with values that it has: near ones, or for whole numbers ones within its range."""
    if array.dtype == element.dtype:
        return array
    if array.dtype.kind == "O":
        array = _numbers(array)
    if array.dtype.kind == "c":
        array = array.real
    if element is ElementType.STRING:
        return np.array([f"{v:g}" for v in array.ravel().tolist()], object).reshape(array.shape)
    if element is ElementType.BOOL:
        return np.asarray(array.astype(np.float64) > 0)
    if element.dtype.kind == "c":
        return np.asarray(array.astype(np.float64) * (1 + 0.5j)).astype(element.dtype)
    if element.name.startswith(("INT", "UINT")):
        return _whole(array, element)
    return _real(array, element)


def _numbers(array: np.ndarray) -> np.ndarray:
    """Strings as numbers: those that they spell, or their lengths."""

    def number(text: Any) -> float:
        try:
            return float(text)
        except ValueError:
            return float(len(str(text)))

    return np.array([number(v) for v in array.ravel()], np.float64).reshape(array.shape)


def _whole(array: np.ndarray, element: ElementType) -> np.ndarray:
    """Fractions become multiples of a third, without 0; what is out of range is reduced to it."""
    values = 1 << element.bits
    low = -values // 2 if element.name.startswith("INT") else 0
    whole = array
    if array.dtype.kind not in "iub":
        numbers = np.nan_to_num(array.astype(np.float64), posinf=100, neginf=-100)
        if (numbers != np.rint(numbers)).any():
            thirds = np.rint(numbers * 3)
            numbers = np.where(thirds == 0, 1, thirds)
        whole = np.asarray(np.clip(numbers, -(2.0**53), 2.0**53))
    if whole.dtype != np.uint64:
        whole = np.asarray(whole.astype(np.int64))
    if low == 0 and whole.dtype.kind == "i":
        whole = np.asarray(np.abs(whole))
    if whole.size and not low <= int(whole.min()) <= int(whole.max()) < low + values:
        whole = np.asarray((whole - low) % values + low)
    return whole.astype(element.dtype)


def _real(array: np.ndarray, element: ElementType) -> np.ndarray:
    """The nearest finite values, and powers of two for float8e8m0; NaN and infinity stay where the type is wide enough."""
    import ml_dtypes

    wide = array.astype(np.float64)
    if element is ElementType.FLOAT8E8M0:
        return np.asarray(np.exp2(np.rint(np.log2(np.clip(np.abs(wide), 2.0**-6, 2.0**6))))).astype(element.dtype)
    limits: Any = ml_dtypes.finfo(element.dtype)  # type: ignore[no-untyped-call]
    finite = np.isfinite(wide)
    near = np.where(finite, np.clip(wide, float(limits.min), float(limits.max)), wide)
    if element.bits <= 8:
        near = np.nan_to_num(near, nan=0.0, posinf=1.0, neginf=-1.0)
    return np.asarray(near).astype(element.dtype)
