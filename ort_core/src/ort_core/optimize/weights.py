"""Constants that the optimiser makes: computed ones, and others in a different layout, read when somebody asks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ort_core.ir.tensors import ArrayWeight, WeightRef, pack


class FoldedWeight(ArrayWeight):
    """The result of a node on constants; what these take together is limited."""

    __slots__ = ()


class ReshapedWeight(WeightRef):
    """A constant under another shape with as many elements."""

    __slots__ = ("element", "nbytes", "shape", "source")

    def __init__(self, source: WeightRef, shape: Sequence[int]) -> None:
        self.source: WeightRef = source.source if isinstance(source, ReshapedWeight) else source
        self.element = source.element
        self.nbytes = source.nbytes
        self.shape = tuple(shape)
        if math.prod(self.shape) != math.prod(source.shape):
            raise ValueError(f"cannot reshape {source.shape} to {self.shape}")

    @property
    def is_seekable(self) -> bool:  # type: ignore[override]
        """As the source."""
        return self.source.is_seekable

    def view(self) -> memoryview:
        """The stored bytes of the source."""
        return self.source.view()

    def read_into(self, dst: memoryview, offset: int = 0) -> None:
        """Fills `dst` with the stored bytes from `offset` on."""
        self.source.read_into(dst, offset)

    def array(self) -> np.ndarray:
        """The source's array under the new shape."""
        return self.source.array().reshape(self.shape)


class TransposedWeight(WeightRef):
    """A constant with its axes permuted; every access permutes anew."""

    __slots__ = ("element", "nbytes", "permutation", "shape", "source")

    def __init__(self, source: WeightRef, permutation: Sequence[int]) -> None:
        self.source = source
        self.permutation = tuple(permutation)
        self.element = source.element
        self.nbytes = source.nbytes
        self.shape = tuple(source.shape[axis] for axis in permutation)

    def view(self) -> memoryview:
        """The stored bytes of the permuted tensor."""
        return memoryview(pack(self.array(), self.element).data)

    def read_into(self, dst: memoryview, offset: int = 0) -> None:
        """Fills `dst` with the stored bytes from `offset` on."""
        dst[:] = self.view()[offset : offset + len(dst)]

    def array(self) -> np.ndarray:
        """The permuted tensor."""
        array = np.ascontiguousarray(self.source.array().transpose(self.permutation))
        array.flags.writeable = False
        return array
