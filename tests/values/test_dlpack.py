from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
import textwrap
import threading
import weakref

import ml_dtypes
import numpy as np
import pytest

from ort_core import dlpack
from ort_core.devices import HOST, Device
from ort_core.dlpack import DLPackError, dlpack_device, from_dlpack, to_capsule
from ort_core.errors import InvalidArgument
from ort_core.ir.types import ElementType
from ort_core.memory.transfer import new_tensor, to_device, to_host
from ort_core.ort_value import OrtValue
from ort_core.values import DeviceTensor, SparseValue

ALL_BUT_STRINGS = [e for e in ElementType if e is not ElementType.STRING]
V1_1 = (1, 1)


def sample(element, shape=(2, 3)):
    codes = np.arange(np.prod(shape), dtype=np.uint8) % 4
    if element is ElementType.BOOL:
        return (codes % 2).astype(bool).reshape(shape)
    return codes.astype(np.float32).astype(element.dtype).reshape(shape)


class Producer:
    """An object of another library: only what the protocol asks for."""

    def __init__(self, array, **extra):
        self.array = array
        self.calls = []
        self.__dict__.update(extra)

    def __dlpack__(self, **kwargs):
        self.calls.append(kwargs)
        return to_capsule(self.array, **kwargs)

    def __dlpack_device__(self):
        return (1, 0)


class OldProducer(Producer):
    def __dlpack__(self, stream=None):
        self.calls.append(stream)
        return to_capsule(self.array, stream=stream)


@pytest.mark.parametrize("element", ALL_BUT_STRINGS)
def test_every_element_type_goes_there_and_back_without_a_copy(element):
    array = sample(element)
    back = from_dlpack(to_capsule(array, max_version=V1_1))
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()
    assert np.shares_memory(back.view(np.uint8), array.view(np.uint8))


@pytest.mark.parametrize("element", [e for e in ALL_BUT_STRINGS if e.bits >= 8])
def test_whole_byte_types_also_go_through_the_unversioned_form(element):
    array = sample(element)
    capsule = to_capsule(array)
    assert '"dltensor"' in repr(capsule)
    back = from_dlpack(capsule)
    assert back.dtype == array.dtype
    assert back.tobytes() == array.tobytes()


@pytest.mark.parametrize("element", [e for e in ALL_BUT_STRINGS if e.bits < 8])
@pytest.mark.parametrize("version", [None, (0, 8), (1, 0)])
def test_small_types_need_dlpack_1_1(element, version):
    with pytest.raises(DLPackError, match=r"1\.1"):
        to_capsule(sample(element), max_version=version)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (2, 1, 3)])
def test_every_shape_keeps_its_dimensions(shape):
    array = np.ones(shape, np.float32)
    assert from_dlpack(to_capsule(array)).shape == shape
    assert np.from_dlpack(Producer(array)).shape == shape


def test_numpy_reads_what_we_export():
    array = np.arange(6, dtype=np.float64).reshape(2, 3)
    seen = np.from_dlpack(OrtValue(array))
    assert np.shares_memory(seen, array)
    assert seen.flags.writeable
    assert np.from_dlpack(OrtValue(np.array([True, False]))).dtype == bool


def test_read_only_arrays_stay_read_only():
    array = np.arange(3.0)
    array.flags.writeable = False
    with pytest.raises(BufferError, match="read-only"):
        to_capsule(array)
    assert not from_dlpack(to_capsule(array, max_version=(1, 0))).flags.writeable
    assert not np.from_dlpack(Producer(array)).flags.writeable


def test_the_exported_array_lives_as_long_as_its_consumer():
    class Tracked(np.ndarray):
        pass

    array = np.arange(5, dtype=ml_dtypes.bfloat16).view(Tracked)
    gone = weakref.ref(array)
    back = from_dlpack(to_capsule(array))
    part = back[2:]
    del array, back
    gc.collect()
    assert gone() is not None
    assert float(part[0]) == 2
    del part
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("version", [None, V1_1])
def test_an_unused_capsule_releases_its_array(version):
    class Tracked(np.ndarray):
        pass

    array = np.arange(5.0).view(Tracked)
    gone = weakref.ref(array)
    capsule = to_capsule(array, max_version=version)
    del array
    assert gone() is not None
    del capsule
    assert gone() is None


def test_the_deleter_is_called_exactly_once_whatever_happens():
    """A capsule of a foreign producer, with a deleter that counts."""
    deleted = []
    new_capsule = ctypes.pythonapi.PyCapsule_New
    new_capsule.argtypes, new_capsule.restype = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p], ctypes.py_object
    deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(deleted.append)
    keep = []

    def make(code=2, bits=32, lanes=1, ndim=1, major=1, strides=None, flags=0, extent=4, device=1):
        data = (ctypes.c_float * 8)(*range(8))
        managed = dlpack._ManagedVersioned()
        managed.major, managed.minor, managed.flags = major, 0, flags
        managed.deleter = ctypes.cast(deleter, ctypes.c_void_p).value
        tensor = managed.tensor
        tensor.data, tensor.device_type, tensor.ndim = ctypes.addressof(data), device, ndim
        tensor.code, tensor.bits, tensor.lanes = code, bits, lanes
        shape = (ctypes.c_int64 * 1)(extent)
        tensor.shape = ctypes.cast(shape, ctypes.POINTER(ctypes.c_int64))
        if strides:
            array = (ctypes.c_int64 * 1)(strides)
            tensor.strides = ctypes.cast(array, ctypes.POINTER(ctypes.c_int64))
            keep.append(array)
        keep.append((data, managed, shape))
        return new_capsule(ctypes.addressof(managed), b"dltensor_versioned", None)

    array = from_dlpack(make())
    assert array.tolist() == [0, 1, 2, 3]
    assert deleted == []
    del array
    assert len(deleted) == 1
    assert from_dlpack(make(strides=2)).tolist() == [0, 2, 4, 6]
    assert len(deleted) == 2, "a strided tensor was copied"
    for bad in (
        {"code": 3},
        {"bits": 24},
        {"lanes": 4},
        {"ndim": -1},
        {"ndim": 1000},
        {"major": 2},
        {"extent": -1},
        {"device": 99},
        {"device": 12},
        {"code": 0, "bits": 4, "strides": 2},
    ):
        before = len(deleted)
        with pytest.raises(DLPackError):
            from_dlpack(make(**bad))
        assert len(deleted) == before + 1, bad


def test_a_capsule_serves_once():
    capsule = to_capsule(np.arange(3.0))
    from_dlpack(capsule)
    with pytest.raises(DLPackError, match="only once"):
        from_dlpack(capsule)


def test_results_are_freed_safely_from_other_threads_and_at_exit():
    code = """
        import sys, threading
        import numpy as np
        from ort_core.dlpack import from_dlpack, to_capsule
        held = [from_dlpack(to_capsule(np.arange(100.0))) for _ in range(50)]
        unused = [to_capsule(np.arange(100.0)) for _ in range(50)]
        used = [to_capsule(np.arange(3.0))]
        from_dlpack(used[0])
        t = threading.Thread(target=held.__delitem__, args=(slice(0, 25),))
        t.start(); t.join()
        sys.keep = held, unused, used
    """
    subprocess.run([sys.executable, "-X", "dev", "-c", textwrap.dedent(code)], check=True, timeout=60)


def test_packed_small_elements_are_unpacked():
    values = np.array([1, -2, 7, -8, 3], ml_dtypes.int4)
    capsule = to_capsule(np.array([0xE1, 0x87, 0x03], np.uint8), max_version=V1_1)
    tensor, managed = dlpack._open(capsule)
    tensor.code, tensor.bits = 0, 4
    tensor.shape[0] = 5
    managed.minor = 1
    assert from_dlpack(capsule).tolist() == values.tolist()


def test_strided_and_negative_strides_are_copied_dense():
    base = np.arange(24, dtype=np.int32).reshape(4, 6)
    for view in (base.T, base[::2, 1::2], base[::-1], base[:, :1]):
        back = from_dlpack(Producer(view))
        assert back.flags.c_contiguous
        assert np.array_equal(back, view)
    bf16 = base.astype(ml_dtypes.bfloat16).T
    assert np.array_equal(from_dlpack(Producer(bf16)), bf16)


def test_unaligned_memory_is_copied_aligned():
    raw = np.zeros(17, np.uint8)
    unaligned = raw[1:].view(np.float64)
    back = from_dlpack(Producer(unaligned))
    assert back.flags.aligned
    assert not np.shares_memory(back, raw)


def test_bools_of_old_producers_are_told_by_their_dtype():
    bits = np.array([1, 0, 1], np.uint8)
    assert from_dlpack(Producer(bits)).dtype == np.uint8
    assert from_dlpack(Producer(bits, dtype=np.dtype(bool))).dtype == bool
    assert from_dlpack(OldProducer(bits, dtype="torch.bool")).tolist() == [True, False, True]


def test_producers_without_max_version_are_asked_again():
    old = OldProducer(np.arange(3.0))
    assert from_dlpack(old).tolist() == [0, 1, 2]
    assert old.calls == [None]
    new = Producer(np.arange(3.0))
    from_dlpack(new)
    assert new.calls == [{"max_version": (1, 1)}]


def test_a_producer_that_refuses_is_named():
    class Refuses(Producer):
        def __dlpack__(self, **kwargs):
            raise RuntimeError("requires grad")

    with pytest.raises(InvalidArgument, match=r"Refuses cannot be shared through DLPack: requires grad\. Pass a copy"):
        from_dlpack(Refuses(None))
    with pytest.raises(DLPackError, match="list is neither"):
        from_dlpack([1, 2])


@pytest.mark.parametrize(
    "value", [np.array(["a"], object), [np.ones(1)], {}, None, SparseValue("coo", (1,), np.ones(1), ())]
)
def test_what_is_not_a_numeric_tensor_has_no_dlpack_form(value):
    with pytest.raises(BufferError):
        to_capsule(value)


def test_copy_and_device_arguments():
    array = np.arange(4.0)
    copied = from_dlpack(to_capsule(array, copy=True, max_version=V1_1))
    assert not np.shares_memory(copied, array)
    assert np.shares_memory(from_dlpack(to_capsule(array, dl_device=(1, 0), copy=False)), array)
    with pytest.raises(DLPackError, match=r"cannot be exported to DLPack device \(2, 0\)"):
        to_capsule(array, dl_device=(2, 0))


def test_device_numbers():
    assert dlpack_device(HOST) == (1, 0)
    assert dlpack_device(Device("cuda", 3)) == (2, 3)
    assert dlpack_device(Device("cuda", 0, "pinned")) == (3, 0)
    assert dlpack_device(Device("rocm", 1)) == (10, 1)
    assert dlpack_device(Device("fake", 1)) == (12, 1)
    assert dlpack_device(Device("fake", 1, "pinned")) == (1, 1)


def test_a_device_tensor_is_shared_through_an_extension_capsule(fake):
    tensor = to_device(np.arange(6, dtype=ml_dtypes.bfloat16).reshape(2, 3), Device("fake"))
    value = OrtValue(tensor)
    assert value.__dlpack_device__() == (12, 0)
    ptr = tensor.ptr
    shared = from_dlpack(value)
    assert isinstance(shared, DeviceTensor)
    assert (shared.ptr, shared.element, shared.shape) == (ptr, ElementType.BFLOAT16, (2, 3))
    assert to_host(shared).tolist() == [[0, 1, 2], [3, 4, 5]]
    del tensor, value
    assert fake.live == 1
    assert to_host(shared).tolist() == [[0, 1, 2], [3, 4, 5]]
    del shared
    gc.collect()
    assert fake.live == 0


def test_a_bare_device_tensor_speaks_dlpack(fake):
    tensor = to_device(np.arange(3.0), Device("fake", 1))
    assert tensor.__dlpack_device__() == (12, 1)
    assert to_host(from_dlpack(tensor)).tolist() == [0, 1, 2]


def test_a_device_tensor_can_be_exported_to_the_host_as_a_copy(fake):
    value = OrtValue(to_device(np.arange(3.0), Device("fake")))
    assert from_dlpack(value.__dlpack__(dl_device=(1, 0))).tolist() == [0, 1, 2]
    with pytest.raises(DLPackError, match="without a copy"):
        value.__dlpack__(dl_device=(1, 0), copy=False)
    clone = from_dlpack(value.__dlpack__(copy=True), Device("fake"))
    assert clone.ptr != value.data_ptr()
    assert to_host(clone).tolist() == [0, 1, 2]


def test_export_waits_until_the_contents_are_there(fake):
    tensor = new_tensor(Device("fake"), ElementType.FLOAT, (4,))
    stream = fake.new_stream()
    fake.copy(np.arange(4, dtype=np.float32), tensor, stream)
    tensor.ready = stream.record()
    to_capsule(tensor, stream=-1)
    assert stream.done == 0
    to_capsule(tensor)
    assert stream.done == 1


def test_import_from_a_device_is_ordered_after_the_producer(fake):
    tensor = to_device(np.zeros(4, np.float32), Device("fake"))
    produced = []

    class DeviceProducer:
        device = Device("fake")

        def __dlpack_device__(self):
            return (12, 0)

        def __dlpack__(self, *, stream=None, max_version=None):
            consumer = next(s for s in fake.streams if s.handle == stream)
            consumer.submit(lambda: fake.view(tensor).fill(7))
            produced.append(stream)
            return to_capsule(tensor, stream=-1, max_version=max_version)

    shared = from_dlpack(DeviceProducer())
    assert produced
    assert shared.ready is not None
    assert to_host(shared).tolist() == [7] * 4


def test_an_extension_device_that_nothing_names_is_refused(fake):
    capsule = to_device(np.zeros(4, np.float32), Device("fake")).__dlpack__()
    with pytest.raises(DLPackError, match="12"):
        from_dlpack(capsule)


def test_exchange_from_many_threads():
    array = np.arange(1000.0)
    wrong = []

    def work():
        for _ in range(100):
            back = from_dlpack(to_capsule(array))
            if back[-1] != 999:
                wrong.append(back)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
