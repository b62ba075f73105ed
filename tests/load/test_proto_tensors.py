from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ort_core.errors import InvalidArgument, InvalidGraph
from ort_core.ir.attributes import SparseWeight
from ort_core.ir.proto_tensors import (
    sparse_from_proto,
    sparse_to_proto,
    storage_field,
    weight_from_proto,
    weight_to_proto,
)
from ort_core.ir.tensors import ArrayWeight, pack, packed_size_bytes, unpack
from ort_core.ir.types import ElementType

NUMERIC = [e for e in ElementType if e is not ElementType.STRING]
SUB_BYTE = [e for e in NUMERIC if e.bits < 8]


def sample(element: ElementType, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(7)
    if element is ElementType.STRING:
        words = np.array([f"wort-{i}-ü" for i in range(int(np.prod(shape)))], object)
        return words.reshape(shape)
    if element is ElementType.BOOL:
        return rng.integers(0, 2, shape).astype(bool)
    if element.name.startswith("COMPLEX"):
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(element.dtype)
    if element.name.startswith("UINT"):
        return rng.integers(0, 2 ** min(element.bits, 63), shape, np.uint64).astype(element.dtype)
    if element.name.startswith("INT"):
        half = 2 ** (element.bits - 1)
        return rng.integers(-half, half - 1, shape, np.int64, endpoint=True).astype(element.dtype)
    if element is ElementType.FLOAT8E8M0:
        return np.exp2(rng.integers(-10, 10, shape)).astype(np.float32).astype(element.dtype)
    return rng.standard_normal(shape).astype(np.float32).astype(element.dtype)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    if a.dtype == object:
        return a.shape == b.shape and list(a.reshape(-1)) == list(b.reshape(-1))
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (5, 3), (2, 0, 4)], ids=str)
@pytest.mark.parametrize("element", ElementType, ids=lambda e: e.name)
def test_every_element_type_survives_the_round_trip(element: ElementType, shape: tuple[int, ...]) -> None:
    array = sample(element, shape)
    proto = weight_to_proto(ArrayWeight(array, element), "w")
    assert (proto.name, proto.data_type, tuple(proto.dims)) == ("w", int(element), shape)
    back = weight_from_proto(proto)
    assert back.element is element
    assert same(back.array(), array)
    assert same(numpy_helper.to_array(proto).astype(array.dtype), array)


@pytest.mark.parametrize("element", NUMERIC, ids=lambda e: e.name)
@pytest.mark.parametrize("shape", [(), (3,), (5, 3)], ids=str)
def test_raw_data_written_by_onnx_is_read_alike(element: ElementType, shape: tuple[int, ...]) -> None:
    array = sample(element, shape)
    proto = numpy_helper.from_array(array, "w")
    assert proto.data_type == element
    assert same(weight_from_proto(proto).array(), array)
    assert bytes(weight_from_proto(proto).view()) == proto.raw_data
    assert weight_from_proto(proto).nbytes == len(proto.raw_data)


@pytest.mark.parametrize("element", NUMERIC, ids=lambda e: e.name)
def test_typed_fields_are_read_as_onnx_reads_them(element: ElementType) -> None:
    array = sample(element, (5, 3))
    proto = TensorProto(name="w", data_type=int(element), dims=(5, 3))
    field, dtype = storage_field(element)
    if element.bits in (2, 4):
        items = pack(array, element)
    elif dtype.kind == "f" or dtype.itemsize == 8:
        items = array.view(dtype).reshape(-1) if array.dtype.kind == "c" else array.astype(dtype).reshape(-1)
    elif element.name in ("INT8", "INT16", "INT32"):
        items = array.astype(np.int32).reshape(-1)
    else:
        items = array.view(f"u{array.dtype.itemsize}").astype(np.int32).reshape(-1)
    getattr(proto, field).extend(items.tolist())
    assert same(numpy_helper.to_array(proto), array)
    assert same(weight_from_proto(proto).array(), array)


@pytest.mark.parametrize("element", SUB_BYTE, ids=lambda e: e.name)
@pytest.mark.parametrize("count", range(10))
def test_sub_byte_elements_pack_into_the_fewest_bytes_and_come_back(element: ElementType, count: int) -> None:
    array = sample(element, (count,))
    packed = pack(array, element)
    assert len(packed) == -(-count * element.bits // 8) == packed_size_bytes(element, (count,))
    assert same(unpack(packed, element, (count,)), array)


def test_float6_packs_four_codes_into_three_bytes_low_bits_first() -> None:
    codes = np.array([0b000001, 0b000010, 0b000011, 0b100000], np.uint8).view(ml_dtypes.float6_e2m3fn)
    assert bytes(pack(codes, ElementType.FLOAT6E2M3)) == bytes([0b10000001, 0b00110000, 0b10000000])


def test_bool_bytes_other_than_one_count_as_true() -> None:
    proto = TensorProto(name="w", data_type=TensorProto.BOOL, dims=[3], raw_data=b"\x00\x02\xff")
    array = weight_from_proto(proto).array()
    assert array.tolist() == [False, True, True]
    assert array.sum() == 2


def test_strings_that_are_not_utf8_survive() -> None:
    proto = TensorProto(name="w", data_type=TensorProto.STRING, dims=[2], string_data=[b"\xff\xfe", b"ok"])
    weight = weight_from_proto(proto)
    assert weight.array()[1] == "ok"
    assert list(weight_to_proto(weight).string_data) == [b"\xff\xfe", b"ok"]
    with pytest.raises(InvalidArgument, match="array"):
        weight.view()


def test_arrays_are_read_only() -> None:
    proto = numpy_helper.from_array(np.ones(3, np.float32))
    with pytest.raises(ValueError, match="read-only"):
        weight_from_proto(proto).array()[0] = 2


@pytest.mark.parametrize(
    ("proto", "text"),
    [
        (TensorProto(name="w", data_type=0, dims=[1]), "element type 0"),
        (TensorProto(name="w", data_type=99, dims=[1]), "element type 99"),
        (TensorProto(name="w", data_type=1, dims=[-1]), "negative"),
        (TensorProto(name="w", data_type=1, dims=[1 << 40, 1 << 40]), "overflows"),
        (TensorProto(name="w", data_type=1, dims=[0, 1 << 40, 1 << 40]), "overflows"),
        (TensorProto(name="w", data_type=1, dims=[1] * 65), "rank 65"),
        (TensorProto(name="w", data_type=1, dims=[2], raw_data=b"1234"), "takes 8 bytes, got 4"),
        (TensorProto(name="w", data_type=1, dims=[2], raw_data=b"1234" * 3), "takes 8 bytes, got 12"),
        (TensorProto(name="w", data_type=1, dims=[2], float_data=[1, 2, 3]), "takes 2 items, got 3"),
        (TensorProto(name="w", data_type=1, dims=[2]), "takes 2 items, got 0"),
        (TensorProto(name="w", data_type=11, dims=[1], float_data=[1]), "double_data"),
        (TensorProto(name="w", data_type=22, dims=[3], int32_data=[1]), "takes 2 items, got 1"),
        (TensorProto(name="w", data_type=8, dims=[2], string_data=[b"a"]), "takes 2 items, got 1"),
        (TensorProto(name="w", data_type=1, dims=[1], segment=TensorProto.Segment(begin=0, end=1)), "segment"),
        (TensorProto(name="w", data_type=1, dims=[1], data_location=1), "external file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_malformed_tensors_are_refused_by_name(proto: onnx.TensorProto, text: str) -> None:
    with pytest.raises(InvalidGraph, match="'w'") as caught:
        weight_from_proto(proto)
    assert text in str(caught.value)


@pytest.mark.parametrize("indices", [[1, 4], [[0, 1], [1, 1]]])
def test_sparse_constants_survive_the_round_trip(indices: list[int]) -> None:
    weight = SparseWeight(ArrayWeight(np.array([1, 2], np.float32)), ArrayWeight(np.array(indices)), (2, 3))
    proto = sparse_to_proto(weight, "s")
    assert proto.values.name == "s"
    back = sparse_from_proto(proto)
    assert back.shape == (2, 3)
    assert same(back.values.array(), weight.values.array())
    assert same(back.indices.array(), weight.indices.array())


def test_a_sparse_constant_without_values_needs_no_indices() -> None:
    proto = onnx.SparseTensorProto(values=numpy_helper.from_array(np.empty(0, np.float32), "s"), dims=[4])
    assert sparse_from_proto(proto).indices.shape == (0,)


def test_a_sparse_constant_with_indices_of_the_wrong_shape_is_refused() -> None:
    proto = helper.make_sparse_tensor(
        numpy_helper.from_array(np.ones(2, np.float32), "s"), numpy_helper.from_array(np.array([1, 2, 3])), [2, 3]
    )
    with pytest.raises(InvalidGraph, match=r"indices"):
        sparse_from_proto(proto)
