"""A small model with values for its inputs and what it computes, written in ONNX's text format."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ort_core.ir.types import ElementType

if TYPE_CHECKING:
    import onnx

OPSET = 21
SIZES: Mapping[str, int] = {"N": 4, "M": 6, "K": 5, "C": 3}
"""What the symbolic dimensions of a case stand for, unless a test says otherwise."""

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Case:
    """A model of one or a few nodes.

    Attributes:
        graph: signature and nodes as `onnx.parser` reads them; `T` stands for the element type.
        compute: the outputs from the inputs, in numpy; a tuple if there are several.
        elements: the element types that `T` may be, by their ONNX names, the usual one first.
        low, high: bounds of random inputs.
        fixed: inputs that are no random numbers, made from the sizes.
        exact: whether the result is right only if it is bit by bit.
        chains: whether nodes of this kind make chains in which numbers stay small.
    """

    name: str
    graph: str
    compute: Callable[..., Any]
    elements: tuple[str, ...] = ("float",)
    low: float = -2.0
    high: float = 2.0
    fixed: Mapping[str, Callable[[Mapping[str, int]], np.ndarray]] = field(default_factory=dict)
    exact: bool = False
    chains: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def operator(self) -> str | None:
        """The operator, as the report names it, if the model is one node."""
        nodes = _parse(self.graph, self.elements[0]).graph.node
        return f"{nodes[0].domain or 'ai.onnx'}::{nodes[0].op_type}" if len(nodes) == 1 else None

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs, in order."""
        return [value.name for value in _parse(self.graph, self.elements[0]).graph.input]

    def reshaped(self, dims: str) -> Case:
        """The case with other dimensions in place of `[N, M]`."""
        return replace(self, graph=self.graph.replace("[N, M]", dims))

    def model(self, element: str = "", sizes: Mapping[str, int] | None = None) -> bytes:
        """The bytes of the model.

        Args:
            element: what `T` is; the usual type by default.
            sizes: makes the dimensions known; symbolic by default.
        """
        model = _parse(self.graph, element or self.elements[0])
        if sizes is not None:
            model = _with_static_dims(model, sizes)
        data: bytes = model.SerializeToString()
        return data

    def feeds(self, seed: int = 0, element: str = "", /, **sizes: int) -> Arrays:
        """Random inputs; `sizes` replaces entries of `SIZES`."""
        rng = np.random.default_rng(seed)
        dims = {**SIZES, **sizes}
        graph = _parse(self.graph, element or self.elements[0]).graph
        return {
            value.name: self.fixed[value.name](dims) if value.name in self.fixed else self._random(rng, value, dims)
            for value in graph.input
        }

    def _random(self, rng: np.random.Generator, value: Any, sizes: Mapping[str, int]) -> np.ndarray:
        tensor = value.type.tensor_type
        shape = tuple(sizes[d.dim_param] if d.dim_param else d.dim_value for d in tensor.shape.dim)
        return random_array(rng, ElementType(tensor.elem_type), shape, self.low, self.high)

    def expected(self, feeds: Mapping[str, np.ndarray], element: str = "") -> list[np.ndarray]:
        """The outputs, of the declared types."""
        outputs = _parse(self.graph, element or self.elements[0]).graph.output
        with np.errstate(all="ignore"):
            results = self.compute(*feeds.values())
        if not isinstance(results, tuple):
            results = (results,)
        dtypes = [ElementType(o.type.tensor_type.elem_type).dtype for o in outputs]
        return [np.asarray(r).astype(d, order="C") for r, d in zip(results, dtypes, strict=True)]


def random_array(
    rng: np.random.Generator, element: ElementType, shape: tuple[int, ...], low: float = -2.0, high: float = 2.0
) -> np.ndarray:
    """Random elements of a type; integers span a wider range than floats, so that they differ."""
    if element is ElementType.BOOL:
        return rng.integers(0, 2, shape).astype(bool)
    if element is ElementType.STRING:
        words = [f"s{i}" for i in rng.integers(0, 100, math.prod(shape))]
        return np.array(words, dtype=object).reshape(shape)
    if element.dtype.kind in "iu":
        unsigned = element.dtype.kind == "u"
        return rng.integers(max(int(low * 10), 0) if unsigned else int(low * 10), int(high * 10) + 1, shape).astype(
            element.dtype
        )
    if element.dtype.kind == "c":
        return (rng.uniform(low, high, shape) + 1j * rng.uniform(low, high, shape)).astype(element.dtype)
    return rng.uniform(low, high, shape).astype(element.dtype)


def misfits(case: Case) -> Arrays | None:
    """Inputs of the right types whose sizes do not fit each other; None if the model has none."""
    feeds = case.feeds(1)
    last = list(feeds)[-1]
    if len(feeds) < 2 or not feeds[last].ndim or feeds[last].shape[0] < 2:
        return None
    return {**feeds, last: np.concatenate([feeds[last]] * 3)}


@functools.lru_cache(maxsize=1024)
def _parse(graph: str, element: str) -> onnx.ModelProto:
    import onnx.parser

    text = re.sub(r"\bT\b", element, graph)
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {OPSET}]> case {text}')


def _with_static_dims(model: onnx.ModelProto, sizes: Mapping[str, int]) -> onnx.ModelProto:
    import onnx

    static = onnx.ModelProto()
    static.CopyFrom(model)
    for value in (*static.graph.input, *static.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in sizes:
                dim.dim_value = sizes[dim.dim_param]
    return static
