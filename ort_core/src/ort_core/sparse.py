"""`SparseTensor` under onnxruntime's name, and conversions between sparse and dense tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ort_core.enums import NativeEnum
from ort_core.errors import InvalidArgument, OutOfMemory
from ort_core.ir.types import ElementType
from ort_core.memory.host import check_size
from ort_core.values import SparseValue, type_of

if TYPE_CHECKING:
    from ort_core.ort_device import OrtDevice


class OrtSparseFormat(NativeEnum):
    """How the indices of a sparse tensor are stored."""

    ORT_SPARSE_UNDEFINED = 0
    ORT_SPARSE_COO = 1
    ORT_SPARSE_CSRC = 2
    ORT_SPARSE_BLOCK_SPARSE = 4


_FORMATS = {
    "coo": OrtSparseFormat.ORT_SPARSE_COO,
    "csr": OrtSparseFormat.ORT_SPARSE_CSRC,
    "block": OrtSparseFormat.ORT_SPARSE_BLOCK_SPARSE,
}


class SparseCooView:
    """The indices of a COO tensor."""

    __slots__ = ("_value",)

    def __init__(self, value: SparseValue) -> None:
        self._value = value

    def indices(self) -> np.ndarray:
        """int64 `[nnz]` of row-major positions, or `[nnz, rank]` of coordinates; read-only."""
        return _read_only(self._value.indices[0])


class SparseCsrView:
    """The indices of a CSR tensor."""

    __slots__ = ("_value",)

    def __init__(self, value: SparseValue) -> None:
        self._value = value

    def inner(self) -> np.ndarray:
        """int64 `[nnz]`: the column of each value; read-only."""
        return _read_only(self._value.indices[0])

    def outer(self) -> np.ndarray:
        """int64 `[rows + 1]`: where each row starts in `inner`; read-only."""
        return _read_only(self._value.indices[1])


class SparseBlockSparseView:
    """The indices of a block-sparse tensor."""

    __slots__ = ("_value",)

    def __init__(self, value: SparseValue) -> None:
        self._value = value

    def indices(self) -> np.ndarray:
        """int32 `[blocks, 2]`: row and column of each block, counted in blocks; read-only."""
        return _read_only(self._value.indices[0])


class SparseTensor:
    """A sparse tensor on the host. Values and indices are the caller's arrays where no conversion is needed."""

    __slots__ = ("_value",)

    def __init__(self, sparse_tensor: SparseValue | SparseTensor) -> None:
        value = sparse_tensor._value if isinstance(sparse_tensor, SparseTensor) else sparse_tensor
        if not isinstance(value, SparseValue):
            raise InvalidArgument(
                f"SparseTensor wraps a SparseValue, got {type(value).__name__}. Make one with "
                "SparseTensor.sparse_coo_from_numpy or sparse_csr_from_numpy."
            )
        self._value: SparseValue = value

    @classmethod
    def sparse_coo_from_numpy(
        cls,
        dense_shape: Sequence[int] | np.ndarray,
        values: np.ndarray,
        coo_indices: np.ndarray,
        ort_device: OrtDevice,
    ) -> SparseTensor:
        """A tensor from coordinates.

        Args:
            dense_shape: the shape as a dense tensor.
            values: `[nnz]`.
            coo_indices: integers: `[nnz]` positions in row-major order, or `[nnz, rank]` coordinates. What is not in
                ascending order is sorted, which copies.
            ort_device: the CPU.

        Raises:
            InvalidArgument: shapes do not agree, an index is out of range or given twice, or the device is another.
        """
        _check_host(ort_device)
        return cls(make_coo(dense_shape, values, coo_indices))

    @classmethod
    def sparse_csr_from_numpy(
        cls,
        dense_shape: Sequence[int] | np.ndarray,
        values: np.ndarray,
        inner_indices: np.ndarray,
        outer_indices: np.ndarray,
        ort_device: OrtDevice,
    ) -> SparseTensor:
        """A matrix from compressed rows.

        Args:
            dense_shape: `[rows, columns]`.
            values: `[nnz]`.
            inner_indices: `[nnz]`: the column of each value.
            outer_indices: `[rows + 1]`: where each row starts; may be empty if there are no values.
            ort_device: the CPU.

        Raises:
            InvalidArgument: shapes do not agree, an index is out of range or given twice, or the device is another.
        """
        _check_host(ort_device)
        return cls(make_csr(dense_shape, values, inner_indices, outer_indices))

    @property
    def value(self) -> SparseValue:
        """The run-time value."""
        return self._value

    def values(self) -> np.ndarray:
        """The values that are not zero: read-only, or a copy if they are strings."""
        values = self._value.values
        return values.copy() if values.dtype.kind == "O" else _read_only(values)

    def as_coo_view(self) -> SparseCooView:
        """The indices of a COO tensor.

        Raises:
            InvalidArgument: it has another format.
        """
        return SparseCooView(self._of_format("coo"))

    def as_csrc_view(self) -> SparseCsrView:
        """The indices of a CSR tensor.

        Raises:
            InvalidArgument: it has another format.
        """
        return SparseCsrView(self._of_format("csr"))

    def as_blocksparse_view(self) -> SparseBlockSparseView:
        """The indices of a block-sparse tensor.

        Raises:
            InvalidArgument: it has another format.
        """
        return SparseBlockSparseView(self._of_format("block"))

    def to_cuda(self, ort_device: OrtDevice) -> SparseTensor:
        """Not available: sparse tensors live on the host.

        Raises:
            InvalidArgument: always.
        """
        raise InvalidArgument(
            f"a sparse tensor cannot be copied to {ort_device.device}: sparse tensors live on the host. Copy the dense "
            "tensor (`to_dense()`) instead."
        )

    def to_dense(self) -> np.ndarray:
        """The tensor with its zeros.

        Raises:
            OutOfMemory: it does not fit.
        """
        return to_dense(self._value)

    def format(self) -> OrtSparseFormat:
        """How the indices are stored."""
        return _FORMATS[self._value.format]

    def dense_shape(self) -> list[int]:
        """The shape as a dense tensor."""
        return list(self._value.shape)

    def data_type(self) -> str:
        """`sparse_tensor(float)`, ..."""
        return str(type_of(self._value))

    def device_name(self) -> str:
        """`cpu`."""
        return "cpu"

    def __repr__(self) -> str:
        value = self._value
        return f"SparseTensor({self.data_type()} {list(value.shape)}, {value.format}, {value.values.size} values)"

    def __reduce__(self) -> tuple[Any, ...]:
        return SparseTensor, (self._value,)

    def _of_format(self, wanted: str) -> SparseValue:
        if self._value.format != wanted:
            raise InvalidArgument(
                f"this sparse tensor does not contain {_FORMATS[wanted].name}: its format is {self.format().name}"
            )
        return self._value


def make_coo(dense_shape: Sequence[int] | np.ndarray, values: np.ndarray, indices: np.ndarray) -> SparseValue:
    """A checked COO value; see `SparseTensor.sparse_coo_from_numpy`."""
    shape, values = _shape(dense_shape), _values(values)
    indices = _indices("coo_indices", indices)
    count, rank = values.size, len(shape)
    if indices.size == count * rank and indices.ndim == 1 and rank != 1:
        indices = indices.reshape(count, rank)
    if indices.shape not in ((count,), (count, rank)):
        raise InvalidArgument(
            f"coo_indices must have the shape [{count}] or [{count}, {rank}] for {count} values of a tensor of shape "
            f"{list(shape)}, got {list(indices.shape)}"
        )
    limits = np.array(shape, np.int64) if indices.ndim == 2 else np.int64(math.prod(shape))
    _check_range("coo_indices", indices, limits)
    flat = np.ravel_multi_index(tuple(indices.T), shape) if indices.ndim == 2 and count else indices.reshape(-1)
    order = None if np.all(flat[1:] > flat[:-1]) else np.argsort(flat, kind="stable")
    if order is not None:
        indices, values, flat = indices[order], values[order], flat[order]
        if np.any(flat[1:] == flat[:-1]):
            twice = int(flat[:-1][flat[1:] == flat[:-1]][0])
            raise InvalidArgument(
                f"coo_indices names the element at row-major position {twice} twice. Add them up first."
            )
    return SparseValue("coo", shape, values, (indices,))


def make_csr(
    dense_shape: Sequence[int] | np.ndarray, values: np.ndarray, inner: np.ndarray, outer: np.ndarray
) -> SparseValue:
    """A checked CSR value; see `SparseTensor.sparse_csr_from_numpy`."""
    shape, values = _shape(dense_shape), _values(values)
    inner, outer = _indices("inner_indices", inner), _indices("outer_indices", outer)
    if len(shape) != 2:
        raise InvalidArgument(f"a CSR tensor must have two dimensions, got the shape {list(shape)}")
    rows, columns = shape
    if outer.size == 0 and values.size == 0:
        outer = np.zeros(rows + 1, np.int64)
    if inner.shape != (values.size,) or outer.shape != (rows + 1,):
        raise InvalidArgument(
            f"inner_indices must have the shape [{values.size}] (one for each value) and outer_indices [{rows + 1}] (rows + "
            f"1), got {list(inner.shape)} and {list(outer.shape)}"
        )
    _check_range("inner_indices", inner, np.int64(columns))
    if outer[0] != 0 or outer[-1] != values.size or np.any(outer[1:] < outer[:-1]):
        raise InvalidArgument(
            f"outer_indices must rise from 0 to the number of values ({values.size}), got {outer[:8].tolist()}"
            f"{'...' if outer.size > 8 else ''}"
        )
    flat = np.repeat(np.arange(rows, dtype=np.int64), np.diff(outer)) * columns + inner
    if np.unique(flat).size != flat.size:
        raise InvalidArgument("inner_indices names a column twice in one row. Add the values up first.")
    return SparseValue("csr", shape, values, (inner, outer))


def to_dense(value: SparseValue) -> np.ndarray:
    """The tensor with its zeros (empty strings for strings).

    Raises:
        InvalidArgument: the size does not fit 63 bits.
        OutOfMemory: it does not fit in memory.
    """
    values = value.values
    nbytes = check_size(math.prod(value.shape) * values.dtype.itemsize)
    try:
        dense = np.full(value.shape, "", object) if values.dtype.kind == "O" else np.zeros(value.shape, values.dtype)
    except MemoryError as error:
        raise OutOfMemory(f"cannot allocate {nbytes} bytes for a dense tensor of shape {list(value.shape)}") from error
    if value.format == "block":
        height, width = values.shape[1:]
        for block, (row, column) in zip(values, value.indices[0], strict=True):
            dense[row * height : (row + 1) * height, column * width : (column + 1) * width] = block
    elif value.format == "csr":
        inner, outer = value.indices
        dense[np.repeat(np.arange(value.shape[0]), np.diff(outer)), inner] = values
    elif value.indices[0].ndim == 2:
        dense[tuple(value.indices[0].T)] = values
    else:
        dense.reshape(-1)[value.indices[0]] = values
    return dense


def from_dense(array: np.ndarray, format: str = "coo") -> SparseValue:  # noqa: A002 - the field's name
    """The elements that are not zero; `format` is `coo` (with row-major positions) or `csr` (matrices only).

    Raises:
        InvalidArgument: another format, or CSR of something that is not a matrix.
    """
    zero = "" if array.dtype.kind == "O" else np.zeros((), array.dtype)
    flat = np.flatnonzero(array.reshape(-1) != zero)
    values = array.reshape(-1)[flat]
    if format == "coo":
        return make_coo(array.shape, values, flat)
    if format == "csr" and array.ndim == 2:
        rows, columns = np.divmod(flat, max(array.shape[1], 1))
        outer = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=array.shape[0]))])
        return make_csr(array.shape, values, columns, outer)
    raise InvalidArgument(f"cannot make the format {format!r} of a tensor of rank {array.ndim}. Use 'coo' or 'csr'.")


def _check_host(ort_device: OrtDevice) -> None:
    if not ort_device.device.is_host:
        raise InvalidArgument(
            f"sparse tensors live on the host, not on {ort_device.device}. Use OrtDevice.make('cpu', 0)."
        )


def _shape(dense_shape: Sequence[int] | np.ndarray) -> tuple[int, ...]:
    shape = tuple(int(d) for d in dense_shape)
    if any(d < 0 for d in shape):
        raise InvalidArgument(f"dense_shape must not be negative, got {list(shape)}")
    check_size(math.prod(shape))
    return shape


def _values(values: Any) -> np.ndarray:
    if not isinstance(values, np.ndarray) or values.ndim != 1:
        got = f"a rank of {values.ndim}" if isinstance(values, np.ndarray) else type(values).__name__
        raise InvalidArgument(f"values must be a 1-D numpy array, got {got}")
    element = ElementType.from_dtype(values.dtype.newbyteorder("="))
    return np.ascontiguousarray(values.astype(element.dtype, copy=False))


def _indices(what: str, indices: Any) -> np.ndarray:
    array = np.asarray(indices)
    if array.size and array.dtype.kind not in "iu":
        raise InvalidArgument(f"{what} must be integers, got {array.dtype}")
    return np.ascontiguousarray(array, np.int64).reshape(array.shape)


def _check_range(what: str, indices: np.ndarray, limits: Any) -> None:
    if indices.size and (np.any(indices < 0) or np.any(indices >= limits)):
        raise InvalidArgument(
            f"{what} must be from 0 to below {np.asarray(limits).tolist()}, got {indices.min(0).tolist()} to "
            f"{indices.max(0).tolist()}"
        )


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view
