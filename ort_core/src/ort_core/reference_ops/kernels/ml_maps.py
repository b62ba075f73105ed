"""Maps and categories of ai.onnx.ml: ZipMap, CastMap, DictVectorizer, CategoryMapper, LabelEncoder."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ort_core.ir.graph import Node
from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.ml_common import ML
from ort_core.reference_ops.kernels.numerics import cast


@kernel("ZipMap", domain=ML)
def zip_map(
    x: np.ndarray, *, classlabels_int64s: Sequence[int] = (), classlabels_strings: Sequence[str] = ()
) -> list[dict[Any, float]]:
    """One map from class label to score for each row of X [N, C] or [C]. Source: ONNX ZipMap."""
    labels = tuple(classlabels_strings or classlabels_int64s)
    rows = np.atleast_2d(x)
    if rows.ndim != 2 or rows.shape[1] != len(labels):
        raise ValueError(f"{len(labels)} class labels do not fit scores of shape {x.shape}")
    return [dict(zip(labels, row, strict=True)) for row in rows.tolist()]


_CAST_TYPES: dict[str, type] = {"TO_FLOAT": np.float32, "TO_INT64": np.int64, "TO_STRING": object}


@kernel("CastMap", domain=ML)
def cast_map(
    x: Mapping[int, Any], *, cast_to: str = "TO_FLOAT", map_form: str = "DENSE", max_map: int = 1
) -> np.ndarray:
    """Y [1, C] = the values by ascending key; SPARSE puts each at its key among `max_map`, 0 elsewhere.

    Source: ONNX CastMap.
    """
    if cast_to not in _CAST_TYPES or map_form not in ("DENSE", "SPARSE"):
        raise ValueError(f"cast_to '{cast_to}' and map_form '{map_form}' are unknown")
    keys = sorted(x)
    if keys and keys[0] < 0:
        raise ValueError(f"key {keys[0]} is negative")
    convert = _converter(cast_to)
    if map_form == "DENSE":
        values = [convert(x[k]) for k in keys]
    else:
        values = [convert(x[k]) if k in x else ("0" if cast_to == "TO_STRING" else 0) for k in range(max_map)]
    return np.array(values, _CAST_TYPES[cast_to]).reshape(1, -1)


def _converter(cast_to: str) -> Callable[[Any], Any]:
    if cast_to == "TO_STRING":
        return lambda v: v if isinstance(v, str) else f"{v:.6f}"
    return float if cast_to == "TO_FLOAT" else lambda v: int(float(v))


@kernel("DictVectorizer", domain=ML)
class DictVectorizer:
    """Y [1, C] = the map's value for each key of the vocabulary, 0 or "" where it has none. Source: ONNX DictVectorizer."""

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        int64_vocabulary: Sequence[int] = (),
        string_vocabulary: Sequence[str] = (),
    ) -> None:
        """Keeps the vocabulary."""
        output = node.outputs[0]
        self._dtype = output.element.dtype if output is not None and output.element is not None else None
        self._keys = tuple(string_vocabulary or int64_vocabulary)

    def run(self, x: Mapping[Any, Any]) -> np.ndarray:
        """Looks the keys up."""
        some = next(iter(x.values()), 0.0)
        dtype = self._dtype or (np.dtype(object) if isinstance(some, str) else np.asarray(some).dtype)
        return np.array([x.get(k, "" if dtype.kind == "O" else 0) for k in self._keys], dtype).reshape(1, -1)


@kernel("CategoryMapper", domain=ML)
def category_mapper(
    x: np.ndarray,
    *,
    cats_int64s: Sequence[int] = (),
    cats_strings: Sequence[str] = (),
    default_int64: int = -1,
    default_string: str = "_Unused",
) -> np.ndarray:
    """Y = the integer of each string in X, or the string of each integer. Source: ONNX CategoryMapper."""
    if len(cats_int64s) != len(cats_strings):
        raise ValueError(f"{len(cats_int64s)} integers do not pair with {len(cats_strings)} strings")
    if x.dtype.kind == "O":
        return _look_up(x, dict(zip(cats_strings, cats_int64s, strict=True)), default_int64, np.dtype(np.int64))
    return _look_up(x, dict(zip(cats_int64s, cats_strings, strict=True)), default_string, np.dtype(object))


def _look_up(x: np.ndarray, table: Mapping[Any, Any], default: Any, dtype: np.dtype) -> np.ndarray:
    found = np.empty(x.size, dtype)
    found[:] = [table.get(_as_key(item), default) for item in x.reshape(-1).tolist()]
    return found.reshape(x.shape)


@kernel("LabelEncoder", domain=ML)
class LabelEncoder:
    """Y = the value of each element's key, or the default; NaN is a key like others. Source: ONNX LabelEncoder."""

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        default_float: float = -0.0,
        default_int64: int = -1,
        default_string: str = "_Unused",
        default_tensor: np.ndarray | None = None,
        keys_floats: Sequence[float] = (),
        keys_int64s: Sequence[int] = (),
        keys_strings: Sequence[str] = (),
        keys_tensor: np.ndarray | None = None,
        values_floats: Sequence[float] = (),
        values_int64s: Sequence[int] = (),
        values_strings: Sequence[str] = (),
        values_tensor: np.ndarray | None = None,
    ) -> None:
        """Makes the table."""
        keys = keys_tensor.tolist() if keys_tensor is not None else keys_floats or keys_int64s or keys_strings
        default: Any
        if values_tensor is not None:
            values, self._dtype = values_tensor.tolist(), values_tensor.dtype
            default = _tensor_default(values_tensor.dtype, default_float, default_int64, default_string)
        elif values_strings:
            values, self._dtype, default = values_strings, np.dtype(object), default_string
        elif values_int64s:
            values, self._dtype, default = values_int64s, np.dtype(np.int64), default_int64
        else:
            values, self._dtype, default = values_floats, np.dtype(np.float32), default_float
        if default_tensor is not None:
            default = default_tensor.reshape(-1).tolist()[0]
        if len(keys) != len(values):
            raise ValueError(f"{len(keys)} keys do not pair with {len(values)} values")
        self._table = {_as_key(k): v for k, v in reversed(list(zip(keys, values, strict=True)))}
        self._default = default

    def run(self, x: np.ndarray) -> np.ndarray:
        """Looks the elements up."""
        return _look_up(x, self._table, self._default, self._dtype)


def _tensor_default(dtype: np.dtype, default_float: float, default_int64: int, default_string: str) -> Any:
    if dtype.kind == "O":
        return default_string
    return default_float if dtype.kind == "f" else default_int64


def _as_key(item: Any) -> Any:
    return "NaN" if isinstance(item, float) and math.isnan(item) else item


@kernel("OneHotEncoder", domain=ML)
class OneHotEncoder:
    """Y [..., C] = 1 at the category of each element of X, else 0; numbers are cut to integers.

    Source: ONNX OneHotEncoder.
    """

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        cats_int64s: Sequence[int] = (),
        cats_strings: Sequence[str] = (),
        zeros: int = 1,
    ) -> None:
        """Makes the table."""
        if bool(cats_int64s) is bool(cats_strings):
            raise ValueError("exactly one of cats_int64s and cats_strings is needed")
        self._table: dict[Any, int] = {c: i for i, c in enumerate(cats_int64s or cats_strings)}
        self._allow_unknown = bool(zeros)

    def run(self, x: np.ndarray) -> np.ndarray:
        """Looks the elements up."""
        items = x if x.dtype.kind == "O" else x.astype(np.int64)
        places = _look_up(items, self._table, -1, np.dtype(np.int64))
        if not self._allow_unknown and (places < 0).any():
            raise ValueError(f"{x[places < 0][0]!r} is no category, and zeros is 0")
        return cast(places[..., None] == np.arange(len(self._table)), np.dtype(np.float32))


@kernel("FeatureVectorizer", domain=ML)
def feature_vectorizer(*inputs: np.ndarray, inputdimensions: Sequence[int]) -> np.ndarray:
    """Y [N, sum(inputdimensions)] = the features of all inputs [N, C] or [C], cut or filled up with 0 to their sizes.

    Source: ONNX FeatureVectorizer.
    """
    if len(inputs) != len(inputdimensions):
        raise ValueError(f"{len(inputs)} inputs do not fit inputdimensions {tuple(inputdimensions)}")
    parts = []
    for x, size in zip(inputs, inputdimensions, strict=True):
        rows = np.atleast_2d(x).astype(np.float32)[:, :size]
        parts.append(np.pad(rows, ((0, 0), (0, size - rows.shape[1]))))
    return np.concatenate(parts, axis=1)
