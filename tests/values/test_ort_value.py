from __future__ import annotations

import copy
import gc
import pickle

import ml_dtypes
import numpy as np
import pytest

from ort_core.devices import HOST, Device
from ort_core.errors import InvalidArgument, OutOfMemory
from ort_core.ir.types import ElementType, MapType, OptionalType, SequenceType, TensorType
from ort_core.memory import transfer
from ort_core.memory.memory_info import OrtAllocatorType, OrtDeviceVendorId, OrtMemoryInfo, OrtMemType
from ort_core.ort_device import OrtDevice
from ort_core.ort_value import OrtSyncStream, OrtValue, copy_tensors
from ort_core.sparse import SparseTensor
from ort_core.values import DeviceTensor

FAKE = Device("fake")
F32 = TensorType(ElementType.FLOAT)
ALL = list(ElementType)


def sample(element, shape=(2, 3)):
    count = int(np.prod(shape))
    if element is ElementType.STRING:
        return np.array([f"text {i}" for i in range(count)], object).reshape(shape)
    numbers = np.arange(count) % 2 + (element is not ElementType.BOOL)
    return numbers.astype(np.float32).astype(element.dtype).reshape(shape)


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
    value.numpy().shape = (6,)
    assert value.shape() == [2, 3]


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


@pytest.mark.parametrize("device", ["cpu", "fake"])
class TestUpdateInplace:
    def make(self, device, element=ElementType.FLOAT, shape=(2, 3)):
        return OrtValue.ortvalue_from_numpy(np.zeros(shape, element.dtype), device)

    def test_keeps_the_address(self, fakes, device):
        value = self.make(device)
        ptr = value.data_ptr()
        value.update_inplace(np.full((2, 3), 4, np.float32))
        assert value.data_ptr() == ptr
        assert value.numpy().tolist() == [[4] * 3] * 2

    def test_takes_another_shape_of_the_same_size_in_row_major_order(self, fakes, device):
        value = self.make(device)
        value.update_inplace(np.arange(6, dtype=np.float32).reshape(3, 2).T[::-1])
        assert value.numpy().reshape(-1).tolist() == [1, 3, 5, 0, 2, 4]

    def test_converts_big_endian(self, fakes, device):
        value = self.make(device)
        value.update_inplace(np.arange(6, dtype=">f4").reshape(2, 3))
        assert value.numpy()[1, 2] == 5

    def test_takes_values_of_any_device(self, fakes, device):
        value = self.make(device)
        for number, where in enumerate([("cpu", 0), ("fake", 0), ("fake", 1)]):
            value.update_inplace(OrtValue.ortvalue_from_numpy(np.full(6, number, np.float32), *where))
            assert value.numpy().tolist() == [[number] * 3] * 2

    def test_takes_bits_for_types_that_numpy_lacks(self, fakes, device):
        bits = np.arange(4, dtype=np.float32).astype(ml_dtypes.bfloat16).view(np.uint16)
        value = self.make(device, ElementType.BFLOAT16, (4,))
        value.update_inplace(bits)
        assert value.numpy().tolist() == [0, 1, 2, 3]

    @pytest.mark.parametrize(
        ("data", "text"),
        [
            (np.zeros(5, np.float32), r"tensor\(float\) \[5\] into tensor\(float\) \[2, 3\]"),
            (np.zeros((2, 3)), r"tensor\(double\)"),
            (np.zeros((2, 3), np.uint32), r"tensor\(uint32\)"),
            (OrtValue(np.zeros((2, 3))), r"tensor\(double\)"),
            (OrtValue([np.zeros(3)]), "can be copied into another"),
            ([1], "numpy.ndarray or an OrtValue, got list"),
        ],
    )
    def test_refuses_what_does_not_fit(self, fakes, device, data, text):
        with pytest.raises(InvalidArgument, match=text):
            self.make(device).update_inplace(data)


def test_update_inplace_writes_through_to_a_shared_array_and_not_to_a_read_only_one():
    array = np.zeros(3)
    value = OrtValue.ortvalue_from_numpy(array)
    value.update_inplace(np.ones(3))
    assert array.tolist() == [1, 1, 1]
    array.flags.writeable = False
    with pytest.raises(InvalidArgument, match="read-only"):
        OrtValue.ortvalue_from_numpy(array).update_inplace(np.zeros(3))


def test_update_inplace_of_strings():
    value = OrtValue.ortvalue_from_numpy(np.array(["a", "b"], object))
    value.update_inplace(np.array(["x", "y"]))
    assert value.numpy().tolist() == ["x", "y"]


def test_array_protocol():
    value = OrtValue.ortvalue_from_numpy(np.arange(3, dtype=np.float32))
    assert np.shares_memory(np.asarray(value), value.value)
    assert np.array(value, dtype=np.float64).dtype == np.float64
    assert not np.shares_memory(np.array(value), value.value)
    assert np.shares_memory(np.array(value, copy=False), value.value)
    with pytest.raises(ValueError, match="without a copy"):
        np.array(value, dtype=np.float64, copy=False)
    assert (np.arange(3) + np.asarray(value)).tolist() == [0, 2, 4]


def test_array_protocol_of_device_values(fake):
    value = OrtValue.ortvalue_from_numpy(np.arange(3.0), "fake")
    assert np.asarray(value).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match=r"fake:0.*without a copy"):
        np.array(value, copy=False)


def test_sequences():
    value = OrtValue([np.ones(2, np.float32), np.ones((1, 3), np.float32)])
    assert value.is_tensor_sequence()
    assert not value.is_tensor()
    assert value.data_type() == "seq(tensor(float))"
    assert value.element_type() == 1
    assert value.has_value()
    for method in (
        "shape",
        "tensor_size_in_bytes",
        "numpy",
        "data_ptr",
        "device_name",
        "__dlpack_device__",
        "__array__",
    ):
        with pytest.raises(InvalidArgument, match=r"seq\(tensor\(float\)\)"):
            getattr(value, method)()
    again = pickle.loads(pickle.dumps(value))
    assert again.data_type() == "seq(tensor(float))"


def test_empty_sequences_know_their_declared_type():
    value = OrtValue([], type_=SequenceType(F32))
    assert value.is_tensor_sequence()
    assert value.data_type() == "seq(tensor(float))"
    assert pickle.loads(pickle.dumps(value)).data_type() == "seq(tensor(float))"
    unknown = OrtValue([])
    assert unknown.is_tensor_sequence()
    with pytest.raises(InvalidArgument, match="not known"):
        unknown.data_type()


def test_maps_and_sequences_of_maps():
    value = OrtValue({"a": 1.0})
    assert value.data_type().startswith("map(string,")
    many = OrtValue([{1: 0.5}], type_=SequenceType(MapType(ElementType.INT64, F32)))
    assert not many.is_tensor_sequence()
    assert many.data_type().startswith("seq(map(int64,")
    with pytest.raises(InvalidArgument, match="proto_type is unavailable"):
        many.element_type()


def test_optionals():
    empty = OrtValue(None, type_=OptionalType(F32))
    assert not empty.has_value()
    assert empty.is_tensor()
    assert not empty.is_tensor_sequence()
    assert empty.data_type() == "tensor(float)"
    assert OrtValue(None, type_=OptionalType(SequenceType(F32))).is_tensor_sequence()
    full = OrtValue(np.ones(3, np.float32), type_=OptionalType(F32))
    assert full.has_value()
    assert full.data_type() == "tensor(float)"
    nothing = OrtValue(None)
    assert not nothing.is_tensor()
    with pytest.raises(InvalidArgument, match="not known"):
        nothing.data_type()
    assert "empty" in repr(nothing)


def test_sparse_values():
    sparse = SparseTensor.sparse_coo_from_numpy(
        [3, 4], np.ones(2, np.float32), np.array([1, 6]), OrtDevice.make("cpu", 0)
    )
    value = OrtValue.ort_value_from_sparse_tensor(sparse)
    assert value.is_sparse_tensor()
    assert not value.is_tensor()
    assert value.data_type() == "sparse_tensor(float)"
    assert value.shape() == [3, 4]
    assert value.element_type() == 1
    assert value.device_name() == "cpu"
    assert value.as_sparse_tensor().values().tolist() == [1, 1]
    assert pickle.loads(pickle.dumps(value)).as_sparse_tensor().dense_shape() == [3, 4]
    with pytest.raises(InvalidArgument, match="sparse_tensor"):
        value.numpy()
    with pytest.raises(InvalidArgument, match=r"does not contain a SparseTensor: it is tensor\(double\) \[2\]"):
        OrtValue(np.ones(2)).as_sparse_tensor()


def test_device_values_do_not_pickle(fake):
    value = OrtValue.ortvalue_from_numpy(np.ones(2), "fake")
    with pytest.raises(InvalidArgument, match=r"fake:0 cannot be pickled.*numpy\(\)"):
        pickle.dumps(value)


def test_repr_tells_type_shape_and_place(fake):
    assert repr(OrtValue(np.ones((2, 3), np.float32))) == "OrtValue(tensor(float) [2, 3] on cpu:0)"
    assert "fake:1" in repr(OrtValue.ortvalue_from_numpy(np.ones(2), "fake", 1))


def test_wrapping_a_value_keeps_its_type():
    again = OrtValue(OrtValue([], type_=SequenceType(F32)))
    assert again.data_type() == "seq(tensor(float))"
    assert again._ortvalue is again


def test_dlpack_of_a_value_is_shared():
    array = np.arange(3.0)
    value = OrtValue.from_dlpack(array)
    assert value.data_ptr() == array.ctypes.data
    assert OrtValue.from_dlpack(value.to_dlpack()).data_ptr() == array.ctypes.data


def test_reading_waits_for_the_contents(fake):
    value = OrtValue.ortvalue_from_shape_and_type([4], np.float32, "fake")
    tensor = value.value
    stream = fake.new_stream()
    fake.copy(np.arange(4, dtype=np.float32), tensor, stream)
    tensor.ready = stream.record()
    assert value.numpy().tolist() == [0, 1, 2, 3]


def test_writing_waits_for_what_is_still_being_written(fake):
    value = OrtValue.ortvalue_from_shape_and_type([4], np.float32, "fake")
    stream = fake.new_stream()
    fake.copy(np.zeros(4, np.float32), value.value, stream)
    value.value.ready = stream.record()
    value.update_inplace(np.ones(4, np.float32))
    stream.synchronize()
    assert value.numpy().tolist() == [1] * 4


def test_a_source_array_may_change_as_soon_as_the_value_is_made(fake):
    array = np.ones(3)
    value = OrtValue.ortvalue_from_numpy(array, "fake")
    array[:] = 2
    assert value.numpy().tolist() == [1, 1, 1]


def test_device_memory_is_freed_with_the_value(fake):
    value = OrtValue.ortvalue_from_numpy(np.ones(100), "fake")
    assert fake.in_use == 800
    del value
    gc.collect()
    assert fake.in_use == 0


def test_copy_tensors_between_all_devices(fakes):
    places = [("cpu", 0), ("fake", 0), ("fake", 1)]
    for source in places:
        for target in places:
            src = [OrtValue.ortvalue_from_numpy(np.full(4, i, np.float32), *source) for i in range(2)]
            dst = [OrtValue.ortvalue_from_numpy(np.zeros(4, np.float32), *target) for _ in range(2)]
            copy_tensors(src, dst)
            assert [v.numpy()[0] for v in dst] == [0, 1]


def test_copy_tensors_on_a_stream_does_not_wait(fake):
    source = OrtValue.ortvalue_from_numpy(np.arange(4.0), "fake")
    middle = OrtValue.ortvalue_from_numpy(np.zeros(4), "fake")
    stream = fake.new_stream()
    sync = OrtSyncStream(stream)
    assert sync.get_handle() == stream.handle
    copy_tensors([source], [middle], sync)
    assert stream.done == 0
    assert middle.value.ready is not None
    assert middle.numpy().tolist() == [0, 1, 2, 3]
    assert stream.done == 1


def test_copy_tensors_checks_numbers_and_types():
    a, b = OrtValue(np.zeros(4)), OrtValue(np.zeros(4, np.float32))
    with pytest.raises(InvalidArgument, match="1 sources and 2 destinations"):
        copy_tensors([a], [a, a])
    with pytest.raises(InvalidArgument, match=r"tensor\(double\)"):
        copy_tensors([a], [b])
    with pytest.raises(InvalidArgument, match="can be copied"):
        copy_tensors([OrtValue([])], [a])


def test_strings_do_not_leave_the_host(fake):
    with pytest.raises(InvalidArgument, match="strings"):
        OrtValue.ortvalue_from_numpy(np.array(["a"]), "fake")


def test_a_failed_copy_stream_is_not_used_again(fake, monkeypatch):
    value = OrtValue.ortvalue_from_numpy(np.zeros(4), "fake")

    def broken(src, dst, stream=None):
        stream.submit(lambda: 1 // 0)

    with monkeypatch.context() as patch:
        patch.setattr(fake, "copy", broken)
        with pytest.raises(ZeroDivisionError):
            value.numpy()
    assert value.numpy().tolist() == [0] * 4
    assert FAKE in transfer._streams.by_device


def test_uses_on_other_streams_are_told_to_the_allocator(fake):
    seen = []
    tensor = OrtValue.ortvalue_from_numpy(np.zeros(4), "fake").value
    transfer.note_use(tensor, fake.new_stream())
    tensor.buffer.record_stream = seen.append
    stream = fake.new_stream()
    transfer.note_use(tensor, stream)
    transfer.note_use(np.zeros(1), stream)
    assert seen == [stream]


class TestOrtDevice:
    @pytest.mark.parametrize(
        ("name", "kind", "vendor"),
        [
            ("cpu", 0, 0),
            ("cuda", 1, 0x10DE),
            ("dml", 1, 0x1414),
            ("gpu", 1, 0),
            ("webgpu", 1, 0),
            ("npu", 3, 0),
            ("cann", 3, 0x19E5),
            ("CUDA", 1, 0x10DE),
        ],
    )
    def test_known_names(self, name, kind, vendor):
        device = OrtDevice.make(name, 1)
        assert (device.device_type(), device.device_id(), device.device_vendor_id(), device.device_mem_type()) == (
            kind,
            1,
            vendor,
            0,
        )

    def test_a_vendor_tells_which_gpu(self):
        assert OrtDevice.make("gpu", 1, OrtDeviceVendorId.NVIDIA).device == Device("cuda", 1)
        assert OrtDevice.make("npu", 0, 0x19E5).device == Device("cann")
        assert OrtDevice.make("gpu", 0, 0x8086).device_vendor_id() == 0x8086
        assert OrtDevice.make("gpu", 0, 0).device == Device("gpu")

    def test_devices_of_plugins_are_known(self, fake):
        device = OrtDevice.make("fake", 1)
        assert device.device == Device("fake", 1)
        assert device == OrtDevice(Device("fake", 1)) == OrtDevice(device)
        assert len({device, OrtDevice(device)}) == 1
        assert device != OrtDevice.make("fake", 0)
        assert "fake:1" in repr(device)

    def test_the_host_is_one_device(self):
        assert OrtDevice.make("cpu", 5).device == HOST

    def test_unknown_names_are_refused(self, fake):
        with pytest.raises(InvalidArgument, match=r"Unsupported device type: 'foo'.*cuda"):
            OrtDevice.make("foo", 0)
        with pytest.raises(InvalidArgument, match="OrtDevice wraps a Device"):
            OrtDevice("cpu")

    def test_pinned_memory(self):
        assert OrtDevice(Device("cuda", 0, "pinned")).device_mem_type() == 5


def test_a_pinned_device_tensor_is_read_on_the_host(fake):
    buffer = fake.allocate(12, None, "pinned")
    tensor = DeviceTensor(ElementType.FLOAT, (3,), buffer)
    value = OrtValue(tensor)
    value.update_inplace(np.arange(3, dtype=np.float32))
    assert value.numpy().tolist() == [0, 1, 2]
    assert value.data_ptr() == buffer.ptr


def test_a_pinned_device_tensor_is_read_once_it_is_written(fake):
    buffer = fake.allocate(4, None, "pinned")
    tensor = DeviceTensor(ElementType.FLOAT, (1,), buffer)
    stream = fake.new_stream()
    stream.submit(lambda: OrtValue(DeviceTensor(ElementType.FLOAT, (1,), buffer)).numpy().fill(7))
    tensor.ready = stream.record()
    assert OrtValue(tensor).numpy().tolist() == [7]
