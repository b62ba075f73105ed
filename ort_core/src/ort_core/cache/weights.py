"""Constants in an entry: references to the model's files and to what the caller gave; only what was computed is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ort_core.ir.tensors import ArrayWeight, WeightRef, packed_size_bytes, unpack
from ort_core.ir.types import ElementType
from ort_core.load.source import ByteSource
from ort_core.load.weights import ALIGNMENT_BYTES, StoredWeight, VarintWeight
from ort_core.optimize.weights import FoldedWeight, ReshapedWeight, TransposedWeight

STORED, VARINT, RESHAPED, TRANSPOSED, GIVEN, ARRAY, FOLDED = range(7)

_IN_MEMORY: dict[type, int] = {ArrayWeight: ARRAY, FoldedWeight: FOLDED}


class NotStorableError(Exception):
    """A model holds something that an entry cannot say."""


class WeightWriter:
    """Numbers constants by identity.

    Args:
        sources: what the model was read from, by location.
        given: constants that the caller gave, by name.

    Attributes:
        documents: what `read_weights` takes.
        blob: the data of constants that are in no file.
    """

    def __init__(self, sources: Mapping[str, ByteSource], given: Mapping[str, ArrayWeight]) -> None:
        self.documents: list[list[Any]] = []
        self.blob: list[memoryview] = []
        self._blob_size = 0
        self._locations = {id(source): location for location, source in sources.items()}
        self._given = {_place(weight): name for name, weight in given.items() if weight.nbytes}
        self._numbers: dict[int, int] = {}
        self._kept: list[WeightRef] = []

    def number(self, weight: WeightRef) -> int:
        """The place of a constant in `documents`.

        Raises:
            NotStorableError: it is of an unknown kind.
        """
        found = self._numbers.get(id(weight))
        if found is None:
            document = self._document(weight)
            found = self._numbers[id(weight)] = len(self.documents)
            self.documents.append(document)
            self._kept.append(weight)
        return found

    def _document(self, weight: WeightRef) -> list[Any]:
        kind = type(weight)
        if isinstance(weight, StoredWeight):
            return [STORED, *self._type(weight), self._location(weight.source), weight.offset]
        if isinstance(weight, VarintWeight):
            before, _, after = weight.where.partition(weight.source.name)
            place = [self._location(weight.source), weight.offset, weight.length, weight.signed]
            return [VARINT, *self._type(weight), *place, before, after]
        if isinstance(weight, ReshapedWeight):
            return [RESHAPED, self.number(weight.source), [*weight.shape]]
        if isinstance(weight, TransposedWeight):
            return [TRANSPOSED, self.number(weight.source), [*weight.permutation]]
        if kind not in _IN_MEMORY or not isinstance(weight, ArrayWeight):
            raise NotStorableError(f"{kind.__name__} has no form in a file")
        name = self._given.get(_place(weight))
        if name is not None:
            return [GIVEN, *self._type(weight), name]
        if weight.element is ElementType.STRING:
            return [_IN_MEMORY[kind], *self._type(weight), weight.array().reshape(-1).tolist()]
        return [_IN_MEMORY[kind], *self._type(weight), self._keep(weight.view())]

    def _type(self, weight: WeightRef) -> list[Any]:
        return [int(weight.element), [*weight.shape]]

    def _location(self, source: ByteSource) -> str:
        location = self._locations.get(id(source))
        if location is None:
            raise NotStorableError(f"a constant is in '{source.name}', which the model was not read from")
        return location

    def _keep(self, data: memoryview) -> int:
        start = self._blob_size
        padding = -len(data) % ALIGNMENT_BYTES
        self.blob += (data, memoryview(bytes(padding)))
        self._blob_size += len(data) + padding
        return start


def read_weights(
    documents: Sequence[Sequence[Any]],
    blob: np.ndarray,
    open_source: Callable[[str], ByteSource],
    given: Mapping[str, ArrayWeight],
) -> list[WeightRef]:
    """The constants that a `WeightWriter` numbered.

    Args:
        open_source: the file or buffer of a location.

    Raises:
        Exception: of any kind, where the documents are none that a `WeightWriter` made for these sources.
    """
    weights: list[WeightRef] = []
    for kind, *rest in documents:
        weight: WeightRef
        if kind == RESHAPED:
            number, shape = rest
            weight = ReshapedWeight(weights[_natural(number)], _sizes(shape))
        elif kind == TRANSPOSED:
            number, permutation = rest
            source = weights[_natural(number)]
            if sorted(permutation) != list(range(len(source.shape))):
                raise ValueError(f"{permutation} is no permutation")
            weight = TransposedWeight(source, permutation)
        else:
            code, dims, *data = rest
            weight = _plain_weight(kind, ElementType(code), _sizes(dims), data, blob, open_source, given)
        weights.append(weight)
    return weights


def _plain_weight(
    kind: int,
    element: ElementType,
    shape: tuple[int, ...],
    data: list[Any],
    blob: np.ndarray,
    open_source: Callable[[str], ByteSource],
    given: Mapping[str, ArrayWeight],
) -> WeightRef:
    if kind == STORED:
        location, offset = data
        source = open_source(location)
        _check_span(_natural(offset), packed_size_bytes(element, shape), source.size)
        return StoredWeight(source, offset, element, shape)
    if kind == VARINT:
        location, offset, length, signed, before, after = data
        source = open_source(location)
        _check_span(_natural(offset), _natural(length), source.size)
        where = f"{before}{source.name}{after}"
        return VarintWeight(source, offset, length, element, shape, signed=bool(signed), where=where)
    if kind == GIVEN:
        weight = given[data[0]]
        if (weight.element, weight.shape) != (element, shape):
            raise ValueError(f"the caller gave '{data[0]}' another type")
        return weight
    make = {ARRAY: ArrayWeight, FOLDED: FoldedWeight}[kind]
    if element is ElementType.STRING:
        if len(data[0]) != math.prod(shape):
            raise ValueError(f"{len(data[0])} strings are no tensor {list(shape)}")
        array = np.empty(len(data[0]), object)
        array[:] = [str(item) for item in data[0]]
        return make(array.reshape(shape), element)
    size = packed_size_bytes(element, shape)
    _check_span(_natural(data[0]), size, len(blob))
    return make(unpack(blob[data[0] : data[0] + size], element, shape), element)


def _place(weight: ArrayWeight) -> tuple[object, ...]:
    """The same for constants that are one and the same memory."""
    return weight.array().__array_interface__["data"][0], weight.element, weight.shape


def _check_span(offset: int, size: int, limit: int) -> None:
    if offset + size > limit:
        raise ValueError(f"{size} bytes at {offset} are wanted of {limit}")


def _sizes(dims: Sequence[Any]) -> tuple[int, ...]:
    return tuple(map(_natural, dims))


def _natural(item: Any) -> int:
    if type(item) is not int or item < 0:
        raise ValueError(f"{item!r} is no size")
    return item
