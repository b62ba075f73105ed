from __future__ import annotations

import copy
import pickle

import pytest

from ort_core.devices import HOST, Device
from ort_core.errors import InvalidArgument
from ort_core.memory.memory_info import (
    OrtAllocatorType,
    OrtArenaCfg,
    OrtDeviceMemoryType,
    OrtDeviceVendorId,
    OrtMemoryInfo,
    OrtMemoryInfoDeviceType,
    OrtMemType,
)

ARENA, DEVICE = OrtAllocatorType.ORT_ARENA_ALLOCATOR, OrtAllocatorType.ORT_DEVICE_ALLOCATOR


def test_enum_values_text_and_aliases():
    assert OrtMemType.CPU is OrtMemType.CPU_OUTPUT
    assert repr(OrtMemType.CPU) == "<OrtMemType.CPU_OUTPUT: -1>"
    assert str(OrtMemType.CPU_INPUT) == f"{OrtMemType.CPU_INPUT}" == "OrtMemType.CPU_INPUT"
    assert [*OrtMemType.__members__] == ["CPU_INPUT", "CPU_OUTPUT", "CPU", "DEFAULT"]
    assert int(OrtAllocatorType.INVALID) == -1
    assert OrtAllocatorType(1) is ARENA
    assert OrtDeviceMemoryType.HOST_ACCESSIBLE == 5
    assert OrtMemoryInfoDeviceType.FPGA == 2
    assert OrtDeviceVendorId.NVIDIA == 0x10DE
    assert pickle.loads(pickle.dumps(OrtMemType.CPU)) is OrtMemType.CPU_OUTPUT
    with pytest.raises(ValueError):
        OrtMemType(55)


def test_cpu_memory_is_one_whatever_the_index():
    info = OrtMemoryInfo("Cpu", DEVICE, 3, OrtMemType.CPU_INPUT)
    assert (info.name, info.device_id, info.device) == ("Cpu", 0, HOST)
    assert (info.mem_type, info.allocator_type) == (OrtMemType.CPU_INPUT, DEVICE)
    assert (info.device_mem_type, info.device_vendor_id) == (OrtDeviceMemoryType.DEFAULT, 0)


@pytest.mark.parametrize(
    ("name", "shown", "device", "vendor"),
    [
        ("Cuda", "Cuda", Device("cuda", 2), 0x10DE),
        ("CudaPinned", "CudaPinned", Device("cuda", 2, "pinned"), 0x10DE),
        ("DML", "DML", Device("dml", 2), 0x1414),
        ("WebGPU_Buffer", "WebGPU_Buf", Device("webgpu", 2), 0),
        ("QnnHtpShared", "QnnHtpShared", Device("npu", 2, "pinned"), 0x5143),
    ],
)
def test_known_names_give_their_device(name, shown, device, vendor):
    info = OrtMemoryInfo(name, ARENA, 2, OrtMemType.DEFAULT)
    assert (info.name, info.device, info.device_vendor_id) == (shown, device, vendor)
    pinned = device.memory == "pinned"
    assert (info.device_mem_type is OrtDeviceMemoryType.HOST_ACCESSIBLE) == pinned


@pytest.mark.parametrize("name", ["cpu", "CUDA", "foo", "", "HIP"])
def test_other_names_are_refused_with_the_remedy(name):
    with pytest.raises(InvalidArgument, match=r"not supported.*create_v2"):
        OrtMemoryInfo(name, ARENA, 0, OrtMemType.DEFAULT)


def test_arguments_of_the_wrong_type_are_refused():
    with pytest.raises(InvalidArgument, match="allocator_type must be an OrtAllocatorType, got 1"):
        OrtMemoryInfo("Cpu", 1, 0, OrtMemType.DEFAULT)
    with pytest.raises(InvalidArgument, match="mem_type"):
        OrtMemoryInfo("Cpu", ARENA, 0, 0)


def test_create_v2_describes_any_device():
    make = OrtMemoryInfo.create_v2
    kinds, memory = OrtMemoryInfoDeviceType, OrtDeviceMemoryType
    info = make("xyz", kinds.GPU, 0x10DE, 1, memory.HOST_ACCESSIBLE, 64, DEVICE)
    assert (info.name, info.device, info.alignment) == ("xyz", Device("cuda", 1, "pinned"), 64)
    assert (info.mem_type, info.device_vendor_id) == (OrtMemType.CPU_OUTPUT, 0x10DE)
    assert make("Fake", kinds.NPU, 7, 1, memory.DEFAULT, 0, ARENA).device == Device("fake", 1)
    assert make("any", kinds.CPU, 0, 4, memory.DEFAULT, 0, ARENA).device == HOST
    for vendor, index, alignment in [(-1, 0, 0), (0, -1, 0), (0, 0, 3)]:
        with pytest.raises(InvalidArgument, match="create_v2"):
            make("xyz", kinds.GPU, vendor, index, memory.DEFAULT, alignment, ARENA)


def test_memory_infos_are_values():
    a, b = (OrtMemoryInfo("Cuda", ARENA, i, OrtMemType.DEFAULT) for i in (0, 0))
    assert a == b
    assert hash(a) == hash(b)
    assert a != OrtMemoryInfo("Cuda", ARENA, 1, OrtMemType.DEFAULT)
    assert a != "Cuda"
    assert "cuda:0" in repr(a)
    with pytest.raises(AttributeError):
        a.name = "x"


def test_arena_cfg_from_four_integers_and_from_a_dict():
    cfg = OrtArenaCfg(1, 0, 3, 4)
    assert (cfg.max_mem, cfg.arena_extend_strategy) == (1, 0)
    assert (cfg.initial_chunk_size_bytes, cfg.max_dead_bytes_per_chunk) == (3, 4)
    assert (cfg.initial_growth_chunk_size_bytes, cfg.max_power_of_two_extend_bytes) == (-1, -1)
    assert OrtArenaCfg({}) == OrtArenaCfg(0, -1, -1, -1)
    assert OrtArenaCfg({"max_power_of_two_extend_bytes": 9}).max_power_of_two_extend_bytes == 9
    cfg.max_mem = 77
    assert cfg.max_mem == 77
    assert copy.deepcopy(cfg) == cfg
    assert "77" in repr(cfg)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (({"foo": 5},), "Invalid OrtArenaCfg option: 'foo'. Known: max_mem"),
        (({"max_mem": "5"},), "max_mem must be an integer, got '5'"),
        (({"max_mem": 5.5},), "max_mem must be an integer"),
        ((-1, 0, -1, -1), "max_mem must be at least 0"),
        ((0, 7, -1, -1), r"arena_extend_strategy must be one of .*kSameAsRequested"),
        ((0, 0, -5, -1), "initial_chunk_size_bytes must be at least -1"),
        ((0, 0, 0), "takes four integers"),
        ((5,), "takes four integers"),
    ],
)
def test_bad_arena_cfgs_are_refused(arguments, text):
    with pytest.raises(InvalidArgument, match=text):
        OrtArenaCfg(*arguments)


def test_arena_cfg_checks_what_is_set_later():
    cfg = OrtArenaCfg({})
    with pytest.raises(InvalidArgument, match="arena_extend_strategy"):
        cfg.arena_extend_strategy = 2
    assert cfg.arena_extend_strategy == -1
