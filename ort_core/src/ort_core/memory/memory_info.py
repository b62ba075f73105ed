"""Descriptions of memory under ONNX Runtime's names: `OrtMemoryInfo`, `OrtArenaCfg` and their enums."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, NamedTuple, overload

from ort_core.devices import HOST, Device
from ort_core.enums import NativeEnum
from ort_core.errors import InvalidArgument


class OrtAllocatorType(NativeEnum):
    """How an allocator gets its memory: from the device each time, or from an arena."""

    INVALID = -1
    ORT_DEVICE_ALLOCATOR = 0
    ORT_ARENA_ALLOCATOR = 1


class OrtMemType(NativeEnum):
    """Whose memory it is as an execution provider sees it; `CPU` is another name of `CPU_OUTPUT`."""

    CPU_INPUT = -2
    CPU_OUTPUT = -1
    CPU = -1
    DEFAULT = 0


class OrtDeviceMemoryType(NativeEnum):
    """A device's own memory, or memory that the host can read too."""

    DEFAULT = 0
    HOST_ACCESSIBLE = 5


class OrtMemoryInfoDeviceType(NativeEnum):
    """Kinds of devices."""

    CPU = 0
    GPU = 1
    FPGA = 2
    NPU = 3


class OrtDeviceVendorId(enum.IntEnum):
    """PCI vendor numbers of device makers."""

    NONE = 0
    AMD = 0x1002
    NVIDIA = 0x10DE
    ARM = 0x13B5
    MICROSOFT = 0x1414
    HUAWEI = 0x19E5
    QUALCOMM = 0x5143
    INTEL = 0x8086


class _Known(NamedTuple):
    name: str
    device: Device
    vendor: int = 0


_PINNED = "pinned"
_KNOWN = {
    "Cpu": _Known("Cpu", HOST),
    "Cuda": _Known("Cuda", Device("cuda"), OrtDeviceVendorId.NVIDIA),
    "CudaPinned": _Known("CudaPinned", Device("cuda", 0, _PINNED), OrtDeviceVendorId.NVIDIA),
    "DML": _Known("DML", Device("dml"), OrtDeviceVendorId.MICROSOFT),
    "HipPinned": _Known("HipPinned", Device("rocm", 0, _PINNED), OrtDeviceVendorId.AMD),
    "OpenVINO_GPU": _Known("OpenVINO_GPU", Device("gpu"), OrtDeviceVendorId.INTEL),
    "QnnHtpShared": _Known("QnnHtpShared", Device("npu", 0, _PINNED), OrtDeviceVendorId.QUALCOMM),
    "WebGPU_Buf": _Known("WebGPU_Buf", Device("webgpu")),
    "WebGPU_Buffer": _Known("WebGPU_Buf", Device("webgpu")),
    "WebNN_Ten": _Known("WebNN_Ten", Device("webnn")),
    "WebNN_Tensor": _Known("WebNN_Ten", Device("webnn")),
}

VENDOR_DEVICES: Mapping[tuple[OrtMemoryInfoDeviceType, int], str] = {
    (OrtMemoryInfoDeviceType.GPU, OrtDeviceVendorId.NVIDIA): "cuda",
    (OrtMemoryInfoDeviceType.GPU, OrtDeviceVendorId.MICROSOFT): "dml",
    (OrtMemoryInfoDeviceType.GPU, OrtDeviceVendorId.AMD): "rocm",
    (OrtMemoryInfoDeviceType.NPU, OrtDeviceVendorId.HUAWEI): "cann",
}
"""The device type that a kind of device of one vendor stands for."""


class OrtMemoryInfo:
    """Names a memory: its allocator, device and kind. Immutable, compared by value.

    Args:
        name: one of onnxruntime's names: `Cpu`, `Cuda`, `CudaPinned`, `DML`, ... For others see `create_v2`.
        allocator_type: from the device, or from an arena.
        device_id: the index among devices of its type; the CPU has one only.
        mem_type: as an execution provider sees it.

    Raises:
        InvalidArgument: the name is none of onnxruntime's.
    """

    __slots__ = ("_alignment", "_allocator_type", "_device", "_mem_type", "_name", "_vendor_id")

    def __init__(self, name: str, allocator_type: OrtAllocatorType, device_id: int, mem_type: OrtMemType, /) -> None:
        _expect("allocator_type", allocator_type, OrtAllocatorType)
        _expect("mem_type", mem_type, OrtMemType)
        known = _KNOWN.get(name)
        if known is None:
            raise InvalidArgument(
                f"OrtMemoryInfo: specified device is not supported: got {name!r}, expected one of "
                f"{', '.join(_KNOWN)}. For another device use OrtMemoryInfo.create_v2."
            )
        self._name = known.name
        self._device = HOST if known.device == HOST else known.device._replace(id=int(device_id))
        self._vendor_id = int(known.vendor)
        self._allocator_type = allocator_type
        self._mem_type = mem_type
        self._alignment = 0

    @staticmethod
    def create_v2(
        name: str,
        device_type: OrtMemoryInfoDeviceType,
        vendor_id: int,
        device_id: int,
        device_mem_type: OrtDeviceMemoryType,
        alignment: int,
        allocator_type: OrtAllocatorType,
        /,
    ) -> OrtMemoryInfo:
        """Describes the memory of any device.

        A device of a known vendor has that vendor's device type (`cuda`, `dml`, ...); for any other the lower-case name
        is the device type, which is how a provider's own devices are named.

        Raises:
            InvalidArgument: an argument has the wrong type or range.
        """
        _expect("device_type", device_type, OrtMemoryInfoDeviceType)
        _expect("device_mem_type", device_mem_type, OrtDeviceMemoryType)
        _expect("allocator_type", allocator_type, OrtAllocatorType)
        if vendor_id < 0 or device_id < 0:
            raise InvalidArgument(
                f"OrtMemoryInfo.create_v2: vendor_id {vendor_id} and device_id {device_id} must not be negative"
            )
        if alignment < 0 or alignment & (alignment - 1):
            raise InvalidArgument(f"OrtMemoryInfo.create_v2: alignment must be 0 or a power of two, got {alignment}")
        shared = device_mem_type is OrtDeviceMemoryType.HOST_ACCESSIBLE
        info = OrtMemoryInfo.__new__(OrtMemoryInfo)
        info._name = name
        info._vendor_id = int(vendor_id)
        info._allocator_type = allocator_type
        info._mem_type = OrtMemType.CPU_OUTPUT if shared else OrtMemType.DEFAULT
        info._alignment = int(alignment)
        if device_type is OrtMemoryInfoDeviceType.CPU:
            info._device = HOST
        else:
            kind = VENDOR_DEVICES.get((device_type, int(vendor_id)), name.lower())
            info._device = Device(kind, int(device_id), _PINNED if shared else "default")
        return info

    @property
    def name(self) -> str:
        """The allocator's name."""
        return self._name

    @property
    def allocator_type(self) -> OrtAllocatorType:
        """From the device, or from an arena."""
        return self._allocator_type

    @property
    def device(self) -> Device:
        """The memory it stands for."""
        return self._device

    @property
    def device_id(self) -> int:
        """The index among devices of its type."""
        return self._device.id

    @property
    def device_mem_type(self) -> OrtDeviceMemoryType:
        """The device's own memory, or memory that the host can read too."""
        pinned = self._device.memory == _PINNED
        return OrtDeviceMemoryType.HOST_ACCESSIBLE if pinned else OrtDeviceMemoryType.DEFAULT

    @property
    def device_vendor_id(self) -> int:
        """The PCI vendor number, 0 where there is none."""
        return self._vendor_id

    @property
    def mem_type(self) -> OrtMemType:
        """As an execution provider sees it."""
        return self._mem_type

    @property
    def alignment(self) -> int:
        """The alignment asked for in bytes; 0 leaves it to the allocator."""
        return self._alignment

    def _key(self) -> tuple[Any, ...]:
        return (self._name, self._allocator_type, self._device, self._mem_type, self._vendor_id, self._alignment)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, OrtMemoryInfo) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"OrtMemoryInfo({self._name!r}, {self._allocator_type}, {self._device}, {self._mem_type})"


class _Setting:
    """One integer of an `OrtArenaCfg`, checked when it is set."""

    def __init__(self, default: int, doc: str, choices: Mapping[int, str] | None = None) -> None:
        self.default = default
        self.choices = choices
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> _Setting: ...

    @overload
    def __get__(self, instance: OrtArenaCfg, owner: type) -> int: ...

    def __get__(self, instance: OrtArenaCfg | None, owner: type) -> _Setting | int:
        return self if instance is None else instance._values[self.name]

    def __set__(self, instance: OrtArenaCfg, value: int) -> None:
        if not hasattr(value, "__index__"):
            raise InvalidArgument(f"OrtArenaCfg: {self.name} must be an integer, got {value!r}")
        number = value.__index__()
        if number < self.default:
            raise InvalidArgument(f"OrtArenaCfg: {self.name} must be at least {self.default}, got {number}")
        if self.choices and number not in self.choices:
            listed = ", ".join(f"{k} ({v})" for k, v in self.choices.items())
            raise InvalidArgument(f"OrtArenaCfg: {self.name} must be one of {listed}, got {number}")
        instance._values[self.name] = number


class OrtArenaCfg:
    """How an arena grows; 0 for `max_mem` and -1 for the rest leave the default.

    `OrtArenaCfg(max_mem, arena_extend_strategy, initial_chunk_size_bytes, max_dead_bytes_per_chunk)`, or
    `OrtArenaCfg({name: value, ...})` with any of the properties.

    Raises:
        InvalidArgument: a name or value is none of these.
    """

    __slots__ = ("_values",)

    max_mem = _Setting(0, "Cap in bytes on what the arena holds; 0 is no cap.")
    arena_extend_strategy = _Setting(
        -1,
        "0 doubles the chunk size each time (default), 1 takes as much as was asked for.",
        {-1: "default", 0: "kNextPowerOfTwo", 1: "kSameAsRequested"},
    )
    initial_chunk_size_bytes = _Setting(-1, "Size of the first chunk; 1 MiB by default.")
    max_dead_bytes_per_chunk = _Setting(
        -1, "A block is split when this much or more would be left over; 128 MiB by default."
    )
    initial_growth_chunk_size_bytes = _Setting(-1, "Size of the first chunk after a trim; 2 MiB by default.")
    max_power_of_two_extend_bytes = _Setting(-1, "Where the doubling of chunks stops; 1 GiB by default.")

    @overload
    def __init__(self, options: Mapping[str, int], /) -> None: ...

    @overload
    def __init__(
        self,
        max_mem: int,
        arena_extend_strategy: int,
        initial_chunk_size_bytes: int,
        max_dead_bytes_per_chunk: int,
        /,
    ) -> None: ...

    def __init__(self, *args: Any) -> None:
        settings = {name: s.default for name, s in vars(OrtArenaCfg).items() if isinstance(s, _Setting)}
        self._values = dict(settings)
        if len(args) == 1 and isinstance(args[0], Mapping):
            given = dict(args[0])
        elif len(args) == 4:
            given = dict(zip(settings, args, strict=False))
        else:
            raise InvalidArgument(
                "OrtArenaCfg takes four integers (max_mem, arena_extend_strategy, initial_chunk_size_bytes, "
                f"max_dead_bytes_per_chunk) or one dict, got {args!r}"
            )
        for name, value in given.items():
            if name not in settings:
                raise InvalidArgument(f"Invalid OrtArenaCfg option: {name!r}. Known: {', '.join(settings)}.")
            setattr(self, name, value)

    def __eq__(self, other: object) -> bool:
        return self._values == other._values if isinstance(other, OrtArenaCfg) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"OrtArenaCfg({self._values})"


def _expect(what: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise InvalidArgument(f"OrtMemoryInfo: {what} must be an {kind.__name__}, got {value!r}")
