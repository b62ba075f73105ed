from __future__ import annotations

import gc
import pickle

import ml_dtypes
import numpy as np
import pytest

from ort_core.devices import HOST, Device
from ort_core.errors import InvalidArgument
from ort_core.ir.types import ElementType, MapType, OptionalType, SequenceType, TensorType
from ort_core.memory import transfer
from ort_core.memory.memory_info import OrtDeviceVendorId
from ort_core.ort_device import OrtDevice
from ort_core.ort_value import OrtSyncStream, OrtValue, copy_tensors
from ort_core.sparse import SparseTensor
from ort_core.values import DeviceTensor

FAKE = Device("fake")
F32 = TensorType(ElementType.FLOAT)
ALL = list(ElementType)


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
