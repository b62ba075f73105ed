"""Operators that draw random numbers: each node has a generator of its own, from which consecutive runs draw in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from ort_core.ir.graph import Node
from ort_core.ir.types import ElementType
from ort_core.providers.kernel import kernel
from ort_core.random import generator_for
from ort_core.reference_ops.kernels.numerics import cast, widen

_Draw: TypeAlias = Callable[[tuple[int, ...], np.dtype], np.ndarray]
"""Draws numbers of a shape and type."""


def _generator(node: Node, seed: float | None) -> np.random.Generator:
    return generator_for(seed, (node.op_type, node.name, tuple(v.name for v in node.outputs if v is not None)))


def _draw_normal(generator: np.random.Generator, mean: float, scale: float) -> _Draw:
    return lambda shape, dtype: np.asarray(generator.normal(mean, scale, shape)).astype(dtype)


def _draw_uniform(generator: np.random.Generator, low: float, high: float) -> _Draw:
    """Numbers from low to below high, also where the type would round them up to it."""

    def draw(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        y = np.asarray(generator.uniform(low, high, shape)).astype(dtype)
        end = dtype.type(high)
        last = np.nextafter(end, dtype.type(low))
        return np.where(y < end, y, last) if low < high else y

    return draw


class _OfShape:
    """Numbers of the shape and type in the attributes."""

    def configure(self, draw: _Draw, shape: Sequence[int], dtype: int) -> None:
        self._draw, self._shape, self._dtype = draw, tuple(shape), ElementType(dtype).dtype

    def run(self) -> np.ndarray:
        """Draws the numbers."""
        return self._draw(self._shape, self._dtype)


class _LikeInput:
    """Numbers of the input's shape and, unless an attribute gives another, of its type."""

    def configure(self, draw: _Draw, dtype: int | None) -> None:
        self._draw, self._dtype = draw, ElementType(dtype).dtype if dtype else None

    def run(self, x: np.ndarray) -> np.ndarray:
        """Draws the numbers."""
        return self._draw(x.shape, self._dtype or x.dtype)


@kernel("RandomNormal")
class RandomNormal(_OfShape):
    """Y ~ N(mean, scale^2) of the given shape. Source: ONNX RandomNormal."""

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        shape: Sequence[int],
        dtype: int = ElementType.FLOAT,
        mean: float = 0.0,
        scale: float = 1.0,
        seed: float | None = None,
    ) -> None:
        """Makes the generator."""
        self.configure(_draw_normal(_generator(node, seed), mean, scale), shape, dtype)


@kernel("RandomNormalLike")
class RandomNormalLike(_LikeInput):
    """Y ~ N(mean, scale^2) of the shape, and by default the type, of X. Source: ONNX RandomNormalLike."""

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        dtype: int | None = None,
        mean: float = 0.0,
        scale: float = 1.0,
        seed: float | None = None,
    ) -> None:
        """Makes the generator."""
        self.configure(_draw_normal(_generator(node, seed), mean, scale), dtype)


@kernel("RandomUniform")
class RandomUniform(_OfShape):
    """Y ~ U(low, high) of the given shape. Source: ONNX RandomUniform."""

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        shape: Sequence[int],
        dtype: int = ElementType.FLOAT,
        high: float = 1.0,
        low: float = 0.0,
        seed: float | None = None,
    ) -> None:
        """Makes the generator."""
        self.configure(_draw_uniform(_generator(node, seed), low, high), shape, dtype)


@kernel("RandomUniformLike")
class RandomUniformLike(_LikeInput):
    """Y ~ U(low, high) of the shape, and by default the type, of X. Source: ONNX RandomUniformLike."""

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        dtype: int | None = None,
        high: float = 1.0,
        low: float = 0.0,
        seed: float | None = None,
    ) -> None:
        """Makes the generator."""
        self.configure(_draw_uniform(_generator(node, seed), low, high), dtype)


@kernel("Bernoulli")
class Bernoulli:
    """Y = 1 with probability X, else 0. Source: ONNX Bernoulli."""

    def prepare(self, node: Node, ctx: object, *, dtype: int | None = None, seed: float | None = None) -> None:
        """Makes the generator."""
        self._draw = _generator(node, seed).random
        self._dtype = ElementType(dtype).dtype if dtype else None

    def run(self, x: np.ndarray) -> np.ndarray:
        """Draws the numbers."""
        return np.asarray(self._draw(x.shape) < widen(x)).astype(self._dtype or x.dtype)


@kernel("Multinomial")
class Multinomial:
    """Y [B, sample_size] = classes drawn with the log-probabilities X [B, C], which need no normalisation.

    Source: ONNX Multinomial.
    """

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        dtype: int = ElementType.INT32,
        sample_size: int = 1,
        seed: float | None = None,
    ) -> None:
        """Makes the generator."""
        self._draw = _generator(node, seed).random
        self._samples, self._dtype = sample_size, ElementType(dtype).dtype

    def run(self, x: np.ndarray) -> np.ndarray:
        """Draws the classes."""
        if x.ndim != 2 or x.shape[1] < 1:
            raise ValueError(f"log-probabilities [B, C] of at least one class are needed, got shape {x.shape}")
        logits = x.astype(np.float64)
        cumulative = np.exp(logits - logits.max(axis=1, keepdims=True)).cumsum(axis=1)
        points = self._draw((len(x), self._samples)) * cumulative[:, -1:]
        return cast((points[:, :, None] >= cumulative[:, None, :-1]).sum(axis=2), self._dtype)


@kernel("Dropout")
class Dropout:
    """Y = X, or in training mode X / (1 - ratio) where kept and 0 elsewhere; mask = what was kept. Source: ONNX Dropout."""

    def prepare(self, node: Node, ctx: object, *, seed: int | None = None) -> None:
        """Makes the generator."""
        self._draw = _generator(node, seed).random

    def run(
        self, x: np.ndarray, ratio: np.ndarray | None = None, training_mode: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Computes both outputs."""
        probability = 0.5 if ratio is None else float(ratio.item())
        if training_mode is None or not training_mode.item() or probability == 0:
            return x, np.ones(x.shape, bool)
        if not 0 < probability < 1:
            raise ValueError(f"ratio is {probability}, must be at least 0 and below 1")
        kept = np.asarray(self._draw(x.shape) >= probability)
        return (np.where(kept, widen(x), 0) * (1 / (1 - probability))).astype(x.dtype), kept
