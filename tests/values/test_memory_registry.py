from __future__ import annotations

import logging
import os

import numpy as np
import pytest
from fake_runtime import FakeRuntime

from ort_core.devices import HOST, Device
from ort_core.errors import InvalidArgument, OutOfMemory
from ort_core.memory.arena import Arena
from ort_core.memory.host import HostRuntime, array_over, copy_elements, host_array, host_runtime
from ort_core.memory.memory_info import (
    OrtAllocatorType,
    OrtArenaCfg,
    OrtDeviceMemoryType,
    OrtMemoryInfo,
    OrtMemoryInfoDeviceType,
    OrtMemType,
)
from ort_core.memory.registry import (
    allocator_for,
    create_and_register_allocator,
    create_and_register_allocator_v2,
    memory_stats,
    runtime_for,
    trim,
)
from ort_core.ort_value import OrtValue

FAKE = Device("fake")
DEFAULTS = OrtArenaCfg(0, -1, -1, -1)


def cpu_info(kind=OrtAllocatorType.ORT_ARENA_ALLOCATOR):
    return OrtMemoryInfo("Cpu", kind, 0, OrtMemType.DEFAULT)


def fake_info(memory=OrtDeviceMemoryType.DEFAULT):
    kind = OrtMemoryInfoDeviceType.NPU
    return OrtMemoryInfo.create_v2("fake", kind, 0, 0, memory, 0, OrtAllocatorType.ORT_ARENA_ALLOCATOR)


def test_host_memory_is_built_in():
    assert runtime_for(HOST) is runtime_for(Device("cpu", 3)) is host_runtime()
    assert allocator_for(HOST) is host_runtime()


def test_other_devices_are_resolved_each_time(fake):
    assert runtime_for(FAKE) is fake
    assert runtime_for(Device("fake", 0, "pinned")) is fake
    with pytest.raises(InvalidArgument, match="no installed provider drives fake:7"):
        runtime_for(Device("fake", 7))


def test_host_blocks_are_aligned_counted_and_freed():
    runtime = HostRuntime()
    blocks = [runtime.allocate(n) for n in (1, 100, 4097)]
    assert all(b.ptr % 64 == 0 and b.device == HOST for b in blocks)
    assert runtime.stats().in_use_bytes == runtime.stats().peak_in_use_bytes == 4198
    blocks.clear()
    assert runtime.stats().in_use_bytes == 0
    assert runtime.stats().num_allocations == 3
    assert runtime.trim() == 0
    assert runtime.new_stream() is None


def test_host_memory_that_does_not_exist_is_out_of_memory():
    with pytest.raises(OutOfMemory, match="1152921504606846976 bytes on cpu:0"):
        HostRuntime().allocate(1 << 60)


def test_host_copies_check_types_and_counts():
    source, target = np.arange(6.0), np.zeros((2, 3))
    HostRuntime().copy(source, target)
    assert (target.reshape(-1) == source).all()
    with pytest.raises(InvalidArgument, match=r"cannot copy tensor\(double\) \[6\] into tensor\(float\) \[6\]"):
        copy_elements(source, np.zeros(6, np.float32))
    target.flags.writeable = False
    with pytest.raises(InvalidArgument, match="read-only"):
        copy_elements(source, target)


def test_wrapped_memory_keeps_its_owner():
    array = np.arange(4, dtype=np.int32)
    buffer = HostRuntime().wrap(array.ctypes.data, array.nbytes, array)
    view = array_over(buffer.ptr, array.dtype, (2, 2), buffer)
    view[1, 1] = 9
    assert array[3] == 9
    with pytest.raises(InvalidArgument, match="address 0"):
        array_over(0, array.dtype, (1,), None)
    assert array_over(0, array.dtype, (0, 5), None).shape == (0, 5)
    with pytest.raises(InvalidArgument, match="cannot read"):
        host_array([1])


def test_registering_makes_an_arena_that_values_use():
    create_and_register_allocator(cpu_info(), OrtArenaCfg(1 << 20, -1, -1, -1))
    arena = allocator_for(HOST)
    assert isinstance(arena, Arena)
    value = OrtValue.ortvalue_from_shape_and_type([100], np.float32)
    assert memory_stats()["in_use_bytes"] == 400
    assert memory_stats("cpu")["limit_bytes"] == 1 << 20
    with pytest.raises(OutOfMemory, match="1048576"):
        OrtValue.ortvalue_from_shape_and_type([1 << 20], np.float32)
    del value
    assert trim() == 1 << 20
    assert memory_stats()["reserved_bytes"] == 0


def test_registering_again_keeps_an_equal_arena_and_replaces_another():
    create_and_register_allocator(cpu_info(), DEFAULTS)
    first = allocator_for(HOST)
    value = OrtValue.ortvalue_from_shape_and_type([4], np.int64)
    create_and_register_allocator(cpu_info(), None)
    assert allocator_for(HOST) is first
    create_and_register_allocator(cpu_info(), OrtArenaCfg(1 << 20, 1, -1, -1))
    assert allocator_for(HOST) is not first
    value.numpy()[:] = 5
    assert value.numpy().sum() == 20
    create_and_register_allocator(cpu_info(OrtAllocatorType.ORT_DEVICE_ALLOCATOR), DEFAULTS)
    assert allocator_for(HOST) is host_runtime()


def test_only_the_cpu_without_v2():
    cuda = OrtMemoryInfo("Cuda", OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, OrtMemType.DEFAULT)
    with pytest.raises(InvalidArgument, match="create_and_register_allocator_v2"):
        create_and_register_allocator(cuda, DEFAULTS)
    with pytest.raises(InvalidArgument, match="expected an OrtMemoryInfo"):
        create_and_register_allocator("Cpu", DEFAULTS)
    invalid = cpu_info(OrtAllocatorType.INVALID)
    with pytest.raises(InvalidArgument, match="no allocator type"):
        create_and_register_allocator(invalid, DEFAULTS)


def test_v2_makes_an_arena_of_device_memory(fake, caplog):
    options = {"gpu_mem_limit": "8192", "arena_extend_strategy": "kSameAsRequested", "device_id": "0"}
    with caplog.at_level(logging.WARNING, "ort_core"):
        create_and_register_allocator_v2("FakeExecutionProvider", fake_info(), options, DEFAULTS)
    assert "device_id" in caplog.text
    value = OrtValue.ortvalue_from_shape_and_type([1000], np.float32, "fake")
    assert memory_stats("fake:0")["reserved_bytes"] == 4096
    assert memory_stats(FAKE)["limit_bytes"] == 8192
    with pytest.raises(OutOfMemory, match="fake:0"):
        OrtValue.ortvalue_from_shape_and_type([1100], np.float32, "fake")
    del value
    assert trim("fake") == 4096
    assert fake.live == 0


def test_an_arena_of_pinned_memory_is_apart_from_the_devices_own(fake):
    pinned = fake_info(OrtDeviceMemoryType.HOST_ACCESSIBLE)
    create_and_register_allocator_v2("FakeExecutionProvider", pinned, {}, DEFAULTS)
    assert allocator_for(FAKE) is fake
    value = OrtValue.ortvalue_from_shape_and_type([3], np.float32, memory_info=pinned)
    value.numpy()[:] = 2
    assert value.device == HOST
    assert fake.allocations == [(1 << 20, "pinned")]


@pytest.mark.parametrize(
    ("provider", "info"),
    [("CPUExecutionProvider", fake_info()), ("FooExecutionProvider", cpu_info())],
)
def test_v2_refuses_a_provider_that_does_not_drive_the_memory(fake, provider, info):
    with pytest.raises(InvalidArgument, match="does not drive"):
        create_and_register_allocator_v2(provider, info, {}, DEFAULTS)


def test_v2_refuses_bad_options_and_unknown_devices(fake):
    with pytest.raises(InvalidArgument, match="gpu_mem_limit"):
        create_and_register_allocator_v2("FakeExecutionProvider", fake_info(), {"gpu_mem_limit": "much"}, DEFAULTS)
    cuda = OrtMemoryInfo("Cuda", OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, OrtMemType.DEFAULT)
    with pytest.raises(InvalidArgument, match="cuda:0"):
        create_and_register_allocator_v2("CUDAExecutionProvider", cuda, {}, DEFAULTS)


@pytest.mark.parametrize("text", ["cpu:x", "cuda:-1"])
def test_device_texts_are_checked(text):
    with pytest.raises(InvalidArgument, match="not a device"):
        memory_stats(text)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_registered_allocators_work_after_a_fork():
    create_and_register_allocator(cpu_info(), DEFAULTS)
    pid = os.fork()
    if pid == 0:
        ok = OrtValue.ortvalue_from_shape_and_type([4], np.float32).shape() == [4] and trim() >= 0
        os._exit(0 if ok else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_arena_over_a_synchronous_device():
    runtime = FakeRuntime(synchronous=True)
    assert Arena(runtime).new_stream() is None
    assert Arena(runtime).device == FAKE
