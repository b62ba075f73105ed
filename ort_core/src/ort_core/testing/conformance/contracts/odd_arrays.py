"""Arrays that hold the same numbers in unusual ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

Form = Callable[[np.ndarray], np.ndarray]


def spaced(array: np.ndarray) -> np.ndarray:
    """Every second element of a larger array."""
    wide = np.zeros((*array.shape[:-1], array.shape[-1] * 2), array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def backward(array: np.ndarray) -> np.ndarray:
    """A view with negative strides."""
    return np.flip(np.ascontiguousarray(np.flip(array)))


def by_columns(array: np.ndarray) -> np.ndarray:
    """Column-major."""
    return np.asfortranarray(array)


def unaligned(array: np.ndarray) -> np.ndarray:
    """At an odd address."""
    if array.dtype.kind == "O":
        return array
    memory = np.zeros(array.nbytes + 1, np.uint8)[1:]
    view = memory.view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def inside(array: np.ndarray) -> np.ndarray:
    """The middle of a larger array."""
    larger = np.zeros([d + 4 for d in array.shape], array.dtype)
    middle = larger[tuple(slice(2, d + 2) for d in array.shape)]
    middle[...] = array
    return middle


def swapped(array: np.ndarray) -> np.ndarray:
    """In the other byte order, where the type has one."""
    if array.dtype.kind not in "iufc" or array.dtype.isbuiltin != 1:
        return array
    return array.astype(array.dtype.newbyteorder())


FORMS: Mapping[str, Form] = {form.__name__: form for form in (spaced, backward, by_columns, unaligned, inside, swapped)}
