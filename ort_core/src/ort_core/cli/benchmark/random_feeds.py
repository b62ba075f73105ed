"""Feeds for a model that nobody gave inputs for: sizes for its free dimensions, and seeded random values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ort_core.cli.usage import UsageError, unknown_name
from ort_core.ir.graph import Graph, Model, Node, Value
from ort_core.ir.shapes import Dim, format_shape
from ort_core.ir.types import ElementType, OptionalType, TensorType

_MAX_BYTES = 8 << 30
_SIZES_BY_NAME = (
    (("batch",), 1),
    (("past",), 0),
    (("channel",), 3),
    (("height", "width"), 224),
    (("seq", "len", "time", "token"), 128),
)
_OTHER_SIZE = 32
_SAME_ELEMENTS = frozenset(
    {"Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Expand", "Transpose"}
)
_MAX_STEPS = 64


@dataclass(frozen=True, slots=True)
class RandomInput:
    """An input whose values are made up, and what they are: `normal`, `0 to 30521`, ..."""

    array: np.ndarray
    values: str


@dataclass(slots=True)
class Sizes:
    """The sizes of named dimensions: what the user said, what given feeds show, and what was chosen.

    Attributes:
        chosen: those that nobody said, in the order of choice; unnamed ones as `input[axis]`.
    """

    known: dict[str, int]
    chosen: dict[str, int]


def check_names(model: Model, shapes: Mapping[str, object], dims: Mapping[str, int]) -> None:
    """Refuses shapes of inputs and sizes of dimensions that the model does not have.

    Raises:
        UsageError: a name is unknown.
    """
    inputs = [value.name for value in model.graph.inputs]
    for name in shapes:
        if name not in inputs:
            raise unknown_name("input", name, inputs)
    named = [d for value in model.graph.inputs for d in _declared(value) or () if isinstance(d, str)]
    for name in dims:
        if name not in named:
            raise unknown_name("named dimension", name, list(dict.fromkeys(named)))


def bind_dimensions(value: Value, shape: tuple[int, ...], sizes: Sizes, source: str) -> None:
    """Takes the sizes of named dimensions from the shape that an input gets.

    Raises:
        UsageError: the shape does not fit the declared one, or contradicts a size that is known.
    """
    declared = _declared(value)
    if declared is None:
        return
    fits = len(declared) == len(shape)
    for dim, size in zip(declared, shape, strict=False):
        if isinstance(dim, str):
            fits = fits and sizes.known.setdefault(dim, size) == size
        elif isinstance(dim, int):
            fits = fits and dim == size
    if not fits:
        known = ", ".join(f"{d} = {sizes.known[d]}" for d in declared if isinstance(d, str) and d in sizes.known)
        raise UsageError(
            f"{source} {value.name} has shape {format_shape(shape)}, the model declares {format_shape(declared)}"
            f"{f' with {known}' if known else ''}."
        )


def random_input(value: Value, shape: tuple[int, ...] | None, sizes: Sizes, seed: int) -> RandomInput:
    """Values for an input, of the given shape or of one that is chosen.

    Raises:
        UsageError: the input is no tensor, or its rank is unknown, or the tensor would be huge.
    """
    tensor = value.type.element if isinstance(value.type, OptionalType) else value.type
    if not isinstance(tensor, TensorType):
        raise UsageError(f"input {value.name} is a {value.type}, which bench cannot make up.")
    if shape is None:
        shape = _choose_shape(value.name, tensor.shape, sizes)
    if math.prod(shape) * max(tensor.element.bits, 8) > 8 * _MAX_BYTES:
        raise UsageError(f"input {value.name} of shape {format_shape(shape)} is too large. Give other sizes.")
    return _values(value, tensor.element, shape, np.random.default_rng([seed, *value.name.encode()]))


def _declared(value: Value) -> tuple[Dim, ...] | None:
    tensor = value.type.element if isinstance(value.type, OptionalType) else value.type
    return tensor.shape if isinstance(tensor, TensorType) else None


def _choose_shape(name: str, declared: tuple[Dim, ...] | None, sizes: Sizes) -> tuple[int, ...]:
    if declared is None:
        raise UsageError(f"input {name} has no declared rank. Give --shape {name}=1,2,3.")
    shape = []
    for axis, dim in enumerate(declared):
        if isinstance(dim, int):
            shape.append(dim)
        elif dim is not None and dim in sizes.known:
            shape.append(sizes.known[dim])
        else:
            size = _default_size(dim or "", axis, len(declared), sizes)
            sizes.chosen[dim or f"{name}[{axis}]"] = size
            if dim:
                sizes.known[dim] = size
            shape.append(size)
    return tuple(shape)


def _default_size(name: str, axis: int, rank: int, sizes: Sizes) -> int:
    if "+" in name:
        parts = [part.strip() for part in name.split("+")]
        return sum(int(p) if p.isdecimal() else sizes.known.get(p, _default_size(p, 1, rank, sizes)) for p in parts)
    lower = name.lower()
    for words, size in _SIZES_BY_NAME:
        if any(word in lower for word in words):
            return size
    if axis == 0:
        return 1
    if rank == 4 and not name:
        return 3 if axis == 1 else 224
    return _OTHER_SIZE


def _values(value: Value, element: ElementType, shape: tuple[int, ...], rng: np.random.Generator) -> RandomInput:
    kind = element.onnx_name
    if element is ElementType.STRING:
        texts = np.empty(shape, object)
        texts.reshape(-1)[:] = [f"text {number}" for number in rng.integers(0, 10, math.prod(shape))]
        return RandomInput(texts, "text 0 to text 9")
    if "mask" in value.name.lower():
        return RandomInput(np.ones(shape, np.float32).astype(element.dtype), "all 1")
    if kind == "bool":
        return RandomInput(rng.integers(0, 2, shape).astype(bool), "true or false")
    if kind.startswith(("int", "uint")):
        low, high = _integer_range(value, element)
        return RandomInput(rng.integers(low, high, shape).astype(element.dtype), f"{low} to {high - 1}")
    if kind.startswith("complex"):
        array = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
        return RandomInput(array.astype(element.dtype), "normal")
    if element is ElementType.DOUBLE:
        return RandomInput(rng.standard_normal(shape), "normal")
    normal: Any = rng.standard_normal(shape, np.float32)
    if element is ElementType.FLOAT8E8M0:
        return RandomInput(np.abs(normal).astype(element.dtype), "positive")
    return RandomInput(normal.astype(element.dtype), "normal")


def _integer_range(value: Value, element: ElementType) -> tuple[int, int]:
    """Small types are data and get their whole range; others are often indices, and stay below what they index."""
    if element.bits <= 8:
        signed = element.onnx_name.startswith("int")
        return (-(1 << element.bits - 1), 1 << element.bits - 1) if signed else (0, 1 << element.bits)
    return 0, max(_index_bound(value), 1)


def _index_bound(value: Value) -> int:
    """The size of the smallest axis that the elements of `value` index in a Gather; 2 if nothing tells."""
    bounds = []
    seen, queue = {value}, [value]
    while queue and len(seen) < _MAX_STEPS:
        for use in queue.pop().uses:
            node = use.user
            if isinstance(node, Graph):
                continue
            if node.op_type in ("Gather", "GatherElements") and use.slot == 1:
                bounds += _axis_size(node)
            elif node.op_type in _SAME_ELEMENTS and use.slot == 0:
                for output in node.outputs:
                    if output is not None and output not in seen:
                        seen.add(output)
                        queue.append(output)
    return min(bounds, default=2)


def _axis_size(node: Node) -> list[int]:
    data = node.inputs[0]
    shape = None if data is None else data.const.shape if data.const is not None else data.shape
    axis = node.attr("axis", 0)
    size = shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None
    return [size] if isinstance(size, int) else []
