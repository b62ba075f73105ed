"""Properties: broadcasting, slicing, reductions and reshaping of random shapes agree with numpy, dimensions known or not."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ort_core.testing.conformance.contracts.both_forms import BothForms
from ort_core.testing.conformance.target import Target

pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, mutually_broadcastable_shapes

pytestmark = pytest.mark.ort_contract("properties")

SETTINGS = settings(
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
BINARY: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Max": np.maximum,
    "Min": np.minimum,
    "Less": np.less,
    "Greater": np.greater,
    "Equal": np.equal,
}
REDUCTIONS: dict[str, Callable[..., Any]] = {
    "ReduceSum": np.sum,
    "ReduceMean": np.mean,
    "ReduceMax": np.max,
    "ReduceMin": np.min,
    "ReduceProd": np.prod,
}
SHAPES = array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=5)
PERHAPS_EMPTY = array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)


def _marked(names: Any) -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.ort_operator(f"ai.onnx::{name}")) for name in names]


def _array(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Small whole numbers, so that sums and products are exact."""
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(np.float32)


def _holds(target: Target, strategy: Any, check: Callable[[BothForms, Any], None]) -> None:
    """Checks what the strategy draws, the same each time, until the provider declines it all."""
    forms = BothForms(target)

    @SETTINGS
    @given(strategy)
    def run(drawn: Any) -> None:
        check(forms, drawn)

    run()
    forms.finish()


@pytest.mark.parametrize("operator", _marked(BINARY))
def test_broadcasting(target: Target, operator: str) -> None:
    """Two shapes broadcast as numpy's do."""

    def check(forms: BothForms, drawn: Any) -> None:
        a, b = (_array(shape, seed) for seed, shape in enumerate(drawn.input_shapes))
        forms.check(f"y = {operator} (a, b)", {"a": a, "b": b}, [np.asarray(BINARY[operator](a, b))])

    _holds(target, mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_dims=4, max_side=4), check)


@pytest.mark.ort_operator("ai.onnx::Where")
def test_broadcasting_of_three(target: Target) -> None:
    """Three shapes broadcast as numpy's do."""

    def check(forms: BothForms, drawn: Any) -> None:
        c, a, b = (_array(shape, seed) for seed, shape in enumerate(drawn.input_shapes))
        forms.check("y = Where (c, a, b)", {"c": c > 0, "a": a, "b": b}, [np.where(c > 0, a, b)])

    _holds(target, mutually_broadcastable_shapes(num_shapes=3, min_side=0, max_dims=3, max_side=3), check)


@pytest.mark.ort_operator("ai.onnx::MatMul")
def test_broadcasting_of_products(target: Target) -> None:
    """Stacks of matrices broadcast as numpy's do."""

    def check(forms: BothForms, drawn: Any) -> None:
        batches, (n, k, m) = drawn
        left, right = batches.input_shapes
        a, b = _array((*left, n, k)), _array((*right, k, m), 1)
        forms.check("y = MatMul (a, b)", {"a": a, "b": b}, [np.matmul(a, b)])

    batches = mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=3)
    _holds(target, st.tuples(batches, st.tuples(*[st.integers(0, 5)] * 3)), check)


def _picked(start: int, end: int, step: int, size: int) -> list[int]:
    """The places that ONNX's Slice takes; unlike Python's it begins at 0 where a backward one begins before it."""
    start, end = (place + size if place < 0 else place for place in (start, end))
    if step > 0:
        return list(range(min(max(start, 0), size), min(max(end, 0), size), step))
    return list(range(min(max(start, 0), size - 1), min(max(end, -1), size - 1), step)) if size else []


@pytest.mark.ort_operator("ai.onnx::Slice")
def test_slices(target: Target) -> None:
    """Any starts, ends and steps, also beyond the ends and backwards, are taken as ONNX says."""
    bound = st.one_of(st.integers(-6, 6), st.sampled_from([-(1 << 62), 1 << 62]))
    one = st.tuples(bound, bound, st.integers(-3, 3).filter(bool))

    def check(forms: BothForms, drawn: Any) -> None:
        shape, bounds, order = drawn
        axes = [axis - len(shape) if axis % 2 else axis for axis in order if axis < len(shape)]
        used = list(zip(axes, bounds, strict=False))
        x = _array(shape)
        expected = x
        for axis, (start, end, step) in used:
            expected = np.take(expected, _picked(start, end, step, shape[axis]), axis)
        starts, ends, steps = ([entry[i] for _, entry in used] for i in range(3))
        integers = {"starts": starts, "ends": ends, "axes": [axis for axis, _ in used], "steps": steps}
        forms.check("y = Slice (x, starts, ends, axes, steps)", {"x": x}, [expected], integers)

    _holds(target, st.tuples(PERHAPS_EMPTY, st.lists(one, min_size=1, max_size=4), st.permutations(range(4))), check)


@pytest.mark.parametrize("operator", _marked(REDUCTIONS))
def test_reductions(target: Target, operator: str) -> None:
    """Any axes, kept or not, reduce as numpy does."""

    def check(forms: BothForms, drawn: Any) -> None:
        shape, axes, keep = drawn
        axes = sorted(axis for axis in axes if axis < len(shape))
        x = _array(shape)
        gone = tuple(axes) or None
        expected = np.asarray(REDUCTIONS[operator](x, axis=gone, keepdims=keep), np.float32)
        node = f"y = {operator} <keepdims = {int(keep)}> (x{', axes' if axes else ''})"
        integers = {"axes": [axis - len(shape) if axis % 2 else axis for axis in axes]} if axes else None
        forms.check(node, {"x": x}, [expected], integers, exact=operator not in ("ReduceMean", "ReduceProd"))

    _holds(target, st.tuples(SHAPES, st.sets(st.integers(0, 3)), st.booleans()), check)


@pytest.mark.ort_operator("ai.onnx::Reshape")
def test_reshapes(target: Target) -> None:
    """Any split of the elements into dimensions, with 0 and -1 where they may stand, reshapes as numpy does."""

    def check(forms: BothForms, drawn: Any) -> None:
        shape, cuts, wild = drawn
        x = _array(shape)
        dims = [math.prod(group) for group in np.split(np.array(shape), sorted({c for c in cuts if c < len(shape)}))]
        wanted = [int(d) for d in dims]
        written = [0 if i < len(shape) and d == shape[i] and wild % 2 else d for i, d in enumerate(wanted)]
        if wild < len(written):
            written[wild] = -1
        forms.check("y = Reshape (x, s)", {"x": x}, [x.reshape(wanted)], {"s": written})

    _holds(target, st.tuples(SHAPES, st.sets(st.integers(0, 4)), st.integers(0, 5)), check)


@pytest.mark.ort_operator("ai.onnx::Transpose")
def test_transposes(target: Target) -> None:
    """Any order of the axes transposes as numpy does."""

    def check(forms: BothForms, drawn: Any) -> None:
        shape, order = drawn
        perm = [axis for axis in order if axis < len(shape)]
        x = _array(shape)
        forms.check(f"y = Transpose <perm = {perm}> (x)", {"x": x}, [np.transpose(x, perm).copy()])

    _holds(target, st.tuples(PERHAPS_EMPTY, st.permutations(range(4))), check)


@pytest.mark.parametrize("operator", _marked(["Concat", "Split"]))
def test_parts(target: Target, operator: str) -> None:
    """Any number of parts along any axis are joined and split as numpy does."""

    def check(forms: BothForms, drawn: Any) -> None:
        shape, axis, sizes = drawn
        axis %= len(shape)
        parts = [_array((*shape[:axis], size, *shape[axis + 1 :]), seed) for seed, size in enumerate(sizes)]
        written = axis - len(shape) if len(sizes) % 2 else axis
        whole = np.concatenate(parts, axis)
        if operator == "Concat":
            feeds = {f"x{index}": part for index, part in enumerate(parts)}
            forms.check(f"y = Concat <axis = {written}> ({', '.join(feeds)})", feeds, [whole])
        else:
            names = ["y"] if len(parts) == 1 else [f"y{index}" for index in range(len(parts))]
            node = f"{', '.join(names)} = Split <axis = {written}> (x, sizes)"
            forms.check(node, {"x": whole}, parts, {"sizes": sizes})

    sizes = st.lists(st.integers(0, 4), min_size=1, max_size=5)
    _holds(target, st.tuples(PERHAPS_EMPTY, st.integers(0, 3), sizes), check)


@pytest.mark.ort_operator("ai.onnx::Gather")
def test_gathers(target: Target) -> None:
    """Indices of any shape, also from the end, gather as numpy does."""

    def check(forms: BothForms, drawn: Any) -> None:
        shape, axis, index_shape = drawn
        axis %= len(shape)
        x = _array(shape)
        indices = np.random.default_rng(2).integers(-shape[axis], shape[axis], index_shape)
        forms.check(f"y = Gather <axis = {axis}> (x, i)", {"x": x, "i": indices}, [np.take(x, indices, axis)])

    index_shapes = array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=4)
    _holds(target, st.tuples(SHAPES, st.integers(0, 3), index_shapes), check)


@pytest.mark.ort_operator("ai.onnx::Expand")
def test_expansions(target: Target) -> None:
    """A tensor expands to any shape that it broadcasts to."""

    def check(forms: BothForms, drawn: Any) -> None:
        x = _array(drawn.input_shapes[0])
        wanted = drawn.input_shapes[1]
        forms.check("y = Expand (x, s)", {"x": x}, [np.broadcast_to(x, drawn.result_shape).copy()], {"s": wanted})

    _holds(target, mutually_broadcastable_shapes(num_shapes=2, min_dims=1, max_dims=4, max_side=4), check)


@pytest.mark.parametrize("operator", _marked(["Squeeze", "Unsqueeze"]))
def test_dimensions_of_one(target: Target, operator: str) -> None:
    """Dimensions of one come and go at any places."""

    def check(forms: BothForms, drawn: Any) -> None:
        shape, places = drawn
        rank = len(shape) + 1
        axes = sorted(place % rank for place in places)
        axes = [axis for axis, _ in itertools.groupby(axes)]
        flat = _array(shape)
        full = np.expand_dims(flat, tuple(axes))
        small, large = (full, flat) if operator == "Squeeze" else (flat, full)
        written = [axis - full.ndim if axis % 2 else axis for axis in axes]
        forms.check(f"y = {operator} (x, axes)", {"x": small}, [large.copy()], {"axes": written})

    _holds(target, st.tuples(SHAPES, st.lists(st.integers(0, 6), min_size=1, max_size=3)), check)
