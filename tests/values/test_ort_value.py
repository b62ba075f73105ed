from __future__ import annotations

import copy
import pickle

import ml_dtypes
import numpy as np
import pytest
from value_samples import sample

from ort_core.devices import HOST, Device
from ort_core.errors import InvalidArgument, OutOfMemory
from ort_core.ir.types import ElementType, TensorType
from ort_core.memory.memory_info import OrtAllocatorType, OrtMemoryInfo, OrtMemType
from ort_core.ort_value import OrtValue

FAKE = Device("fake")
F32 = TensorType(ElementType.FLOAT)
ALL = list(ElementType)


@pytest.mark.parametrize("element", ALL)
def test_every_element_type_describes_itself(element):
    array = sample(element)
    value = OrtValue.ortvalue_from_numpy(array)
    assert value.data_type() == f"tensor({element.onnx_name})"
    assert value.element_type() == int(element)
    assert value.shape() == [2, 3]
    assert value.tensor_size_in_bytes() == array.nbytes
    assert value.device_name() == "cpu"
    assert value.is_tensor()
    assert value.has_value()
    assert not value.is_sparse_tensor()
    assert not value.is_tensor_sequence()
    assert np.array_equal(value.numpy(), array)
    assert value.numpy().dtype == array.dtype


@pytest.mark.parametrize("element", ALL)
def test_every_element_type_pickles_and_copies(element):
    value = OrtValue.ortvalue_from_numpy(sample(element))
    for again in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):
        assert again.data_type() == value.data_type()
        assert np.array_equal(again.numpy(), value.numpy())


@pytest.mark.parametrize("element", [e for e in ALL if e is not ElementType.STRING])
def test_every_element_type_makes_a_round_trip_to_a_device(fake, element):
    array = sample(element)
    value = OrtValue.ortvalue_from_numpy(array, "fake")
    assert value.device == FAKE
    assert value.device_name() == "fake"
    assert value.data_type() == f"tensor({element.onnx_name})"
    assert value.data_ptr() in fake.memory
    assert value.tensor_size_in_bytes() == array.nbytes
    assert value.numpy().tobytes() == array.tobytes()
    assert value.numpy().dtype == array.dtype


def test_a_host_value_shares_the_arrays_memory():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    value = OrtValue.ortvalue_from_numpy(array)
    assert value.data_ptr() == array.ctypes.data
    array[0, 0] = 9
    assert value.numpy()[0, 0] == 9
    assert np.shares_memory(value.numpy(), array)
    assert value.numpy() is not array


@pytest.mark.parametrize(
    "make",
    [
        lambda a: a.T.copy().T,
        np.asfortranarray,
        lambda a: a.astype(a.dtype.newbyteorder(">")),
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: np.frombuffer(b"\0" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(a.shape),
        lambda a: a.view(np.matrix),
        np.ma.masked_array,
    ],
    ids=["transposed", "fortran", "big-endian", "strided", "unaligned", "matrix", "masked array without a mask"],
)
def test_unusual_arrays_become_dense_native_ones(make):
    array = np.arange(6, dtype=np.float64).reshape(2, 3)
    held = OrtValue.ortvalue_from_numpy(make(array)).value
    assert type(held) is np.ndarray
    assert held.flags.c_contiguous
    assert held.flags.aligned
    assert held.dtype == np.float64
    assert held.dtype.isnative
    assert np.array_equal(held, array)


def test_masked_elements_are_not_lost_silently():
    with pytest.raises(InvalidArgument, match="mask"):
        OrtValue.ortvalue_from_numpy(np.ma.masked_array([1.0, 2.0], [True, False]))


def test_strings_of_every_kind_become_str_objects():
    for array in (np.array(["a", "é"]), np.array([b"a", "é".encode()]), np.array(["a", "é".encode()], object)):
        value = OrtValue.ortvalue_from_numpy(array)
        assert value.numpy().tolist() == ["a", "é"]
        assert value.numpy().dtype == object
    with pytest.raises(InvalidArgument, match="not UTF-8"):
        OrtValue.ortvalue_from_numpy(np.array([b"\xff"]))
    with pytest.raises(InvalidArgument, match="no data pointer"):
        value.data_ptr()


@pytest.mark.parametrize("bad", [[1, 2], 3.0, "text", None])
def test_only_arrays_make_values(bad):
    with pytest.raises(InvalidArgument, match="made from numpy arrays"):
        OrtValue.ortvalue_from_numpy(bad)
    with pytest.raises(InvalidArgument, match="no ONNX element type"):
        OrtValue.ortvalue_from_numpy(np.array(["2020-01-01"], "M8[D]"))


def test_scalars_make_values_of_rank_zero():
    assert OrtValue.ortvalue_from_numpy(np.float32(3)).shape() == []
    assert OrtValue.ortvalue_from_numpy(np.array(3.0)).shape() == []


@pytest.mark.parametrize("bad", [3.0, "text", (1,)])
def test_the_constructor_takes_run_time_values_only(bad):
    with pytest.raises(InvalidArgument, match="OrtValue wraps a run-time value"):
        OrtValue(bad)


def test_unknown_devices_are_named(fake):
    with pytest.raises(InvalidArgument, match="Unsupported device type: 'foo'"):
        OrtValue.ortvalue_from_numpy(np.ones(1), "foo")
    with pytest.raises(InvalidArgument, match="cuda:0"):
        OrtValue.ortvalue_from_numpy(np.ones(1), "cuda")


@pytest.mark.parametrize(
    ("element", "bits"),
    [
        (ElementType.BFLOAT16, np.uint16),
        (ElementType.FLOAT16, np.int16),
        (ElementType.FLOAT8E4M3FN, np.uint8),
        (ElementType.FLOAT8E5M2FNUZ, np.uint8),
        (ElementType.FLOAT8E8M0, np.int8),
        (ElementType.FLOAT, np.int32),
        (ElementType.BOOL, np.uint8),
    ],
)
def test_bits_are_reinterpreted_without_a_copy(element, bits):
    want = sample(element)
    data = want.view(bits)
    value = OrtValue.ortvalue_from_numpy_with_onnx_type(data, int(element))
    assert value.element_type() == int(element)
    assert value.data_ptr() == data.ctypes.data
    assert np.array_equal(value.numpy(), want)
    flipped = OrtValue.ortvalue_from_numpy_with_onnx_type(data.T, element)
    assert np.array_equal(flipped.numpy(), want.T)


def test_small_elements_are_unpacked_from_their_leading_bytes():
    data = np.array([0xE1, 0x87, 0, 0], np.uint8)
    value = OrtValue.ortvalue_from_numpy_with_onnx_type(data, ElementType.INT4)
    assert value.numpy().tolist() == [1, -2, 7, -8]
    assert value.shape() == [4]
    with pytest.raises(InvalidArgument, match=r"first 2 bytes.*ml_dtypes\.int4"):
        OrtValue.ortvalue_from_numpy_with_onnx_type(np.array([1, 2, 3, 4], np.uint8), ElementType.INT4)
    own = np.array([1, -2], ml_dtypes.int4)
    assert OrtValue.ortvalue_from_numpy_with_onnx_type(own, ElementType.INT4).numpy().tolist() == [1, -2]


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (np.zeros(4, np.uint8), 1, "Items size in the incoming array: 1 specified by onnxtype: 4"),
        (np.zeros(4, np.uint8), 0, "tensor type 0 is not supported"),
        (np.zeros(4, np.uint8), 99, "tensor type 99 is not supported"),
        (np.zeros(4, np.uint8), 8, "string"),
        (np.array(["a"]), 1, "array of <U1"),
        ([1], 6, "got list"),
    ],
)
def test_bits_that_do_not_fit_are_refused(data, kind, text):
    with pytest.raises(InvalidArgument, match=text):
        OrtValue.ortvalue_from_numpy_with_onnx_type(data, kind)


@pytest.mark.parametrize("device", ["cpu", "fake"])
@pytest.mark.parametrize(
    ("kind", "element"),
    [
        (np.float32, ElementType.FLOAT),
        ("int64", ElementType.INT64),
        (bool, ElementType.BOOL),
        (16, ElementType.BFLOAT16),
        (ml_dtypes.bfloat16, ElementType.BFLOAT16),
        (ElementType.INT4, ElementType.INT4),
        (np.dtype("c8"), ElementType.COMPLEX64),
    ],
)
def test_values_of_a_shape_and_type(fake, device, kind, element):
    value = OrtValue.ortvalue_from_shape_and_type((2, 3), kind, device)
    assert value.element_type() == element
    assert value.shape() == [2, 3]
    assert value.device_name() == device
    value.update_inplace(sample(element))
    assert np.array_equal(value.numpy(), sample(element))


def test_a_new_host_tensor_is_aligned_and_freed_with_its_last_array():
    from ort_core.memory.registry import memory_stats

    before = memory_stats()["in_use_bytes"]
    value = OrtValue.ortvalue_from_shape_and_type([1000], np.float32)
    assert value.data_ptr() % 64 == 0
    array = value.numpy()
    del value
    array[:] = 1
    assert memory_stats()["in_use_bytes"] == before + 4000
    del array
    assert memory_stats()["in_use_bytes"] == before


def test_new_string_tensors_are_empty_strings():
    assert OrtValue.ortvalue_from_shape_and_type([2], str).numpy().tolist() == ["", ""]


@pytest.mark.parametrize(
    ("shape", "kind", "text"),
    [
        ([-2, 3], np.float32, "at least 0"),
        ([1 << 40, 1 << 40], np.float32, "overflow"),
        ([1 << 62], np.float64, "overflow"),
        ([2], 99, "tensor type 99"),
        ([2], "M8[D]", "no ONNX element type"),
        ([2], "nonsense", "neither a dtype"),
    ],
)
def test_bad_shapes_and_types_are_refused(shape, kind, text):
    with pytest.raises(InvalidArgument, match=text):
        OrtValue.ortvalue_from_shape_and_type(shape, kind)


def test_too_large_tensors_are_out_of_memory(fake):
    with pytest.raises(OutOfMemory, match=str(1 << 60)):
        OrtValue.ortvalue_from_shape_and_type([1 << 60], np.uint8)
    with pytest.raises(OutOfMemory, match="fake:0"):
        OrtValue.ortvalue_from_shape_and_type([1 << 40], np.uint8, "fake")
    with pytest.raises(InvalidArgument, match="strings live on the host"):
        OrtValue.ortvalue_from_shape_and_type([1], str, "fake")


def test_memory_info_goes_before_the_device_arguments():
    info = OrtMemoryInfo("Cpu", OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, OrtMemType.DEFAULT)
    with pytest.warns(UserWarning, match="ignored when memory_info is provided"):
        value = OrtValue.ortvalue_from_shape_and_type([2], np.float32, "fake", 1, memory_info=info)
    assert value.device == HOST
    assert OrtValue.ortvalue_from_shape_and_type([2], np.float32, memory_info=info).shape() == [2]
