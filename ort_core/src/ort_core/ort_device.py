"""`OrtDevice`: onnxruntime's name for a device, and the device names of its API."""

from __future__ import annotations

from ort_core.devices import HOST, Device
from ort_core.errors import InvalidArgument
from ort_core.memory.memory_info import (
    VENDOR_DEVICES,
    OrtDeviceMemoryType,
    OrtDeviceVendorId,
    OrtMemoryInfoDeviceType,
)
from ort_core.memory.registry import runtime_for

_CPU, _GPU, _NPU = OrtMemoryInfoDeviceType.CPU, OrtMemoryInfoDeviceType.GPU, OrtMemoryInfoDeviceType.NPU
_KINDS = {
    "cpu": (_CPU, OrtDeviceVendorId.NONE),
    "cuda": (_GPU, OrtDeviceVendorId.NVIDIA),
    "dml": (_GPU, OrtDeviceVendorId.MICROSOFT),
    "gpu": (_GPU, OrtDeviceVendorId.NONE),
    "webgpu": (_GPU, OrtDeviceVendorId.NONE),
    "npu": (_NPU, OrtDeviceVendorId.NONE),
    "cann": (_NPU, OrtDeviceVendorId.HUAWEI),
}


def _kind_of(device_type: str) -> tuple[OrtMemoryInfoDeviceType, OrtDeviceVendorId]:
    return _KINDS.get(device_type, (_GPU, OrtDeviceVendorId.NONE))


class OrtDevice:
    """A device by name and index. Compared by value.

    Args:
        c_ort_device: a `Device`, or another `OrtDevice`.
    """

    __slots__ = ("_device", "_vendor_id")

    def __init__(self, c_ort_device: Device | OrtDevice) -> None:
        device = c_ort_device._device if isinstance(c_ort_device, OrtDevice) else c_ort_device
        if not isinstance(device, Device):
            raise InvalidArgument(f"OrtDevice wraps a Device, got {device!r}. Make one with OrtDevice.make('cpu', 0).")
        self._device: Device = device
        self._vendor_id: int = (
            c_ort_device._vendor_id if isinstance(c_ort_device, OrtDevice) else int(_kind_of(device.type)[1])
        )

    @staticmethod
    def make(ort_device_name: str, device_id: int, vendor_id: int | OrtDeviceVendorId = -1) -> OrtDevice:
        """The device of a name and index.

        Args:
            ort_device_name: `cpu`, `cuda`, `dml`, `gpu`, `webgpu`, `npu`, `cann`, or a device type of an installed
                provider.
            vendor_id: with `gpu` or `npu`, the PCI number of the maker.

        Raises:
            InvalidArgument: nothing knows the name.
        """
        name = str(ort_device_name).lower()
        index = int(device_id)
        if name not in _KINDS:
            try:
                runtime_for(Device(name, index))
            except InvalidArgument as error:
                raise InvalidArgument(
                    f"Unsupported device type: {ort_device_name!r}. Known here: {', '.join(_KINDS)}, and the devices of "
                    f"installed providers. {error}"
                ) from error
            return OrtDevice(Device(name, index))
        kind, vendor = _KINDS[name]
        if vendor_id < 0 or name == "dml":
            vendor_id = vendor
        elif name in ("gpu", "npu"):
            name = VENDOR_DEVICES.get((kind, int(vendor_id)), name)
        result = OrtDevice(Device(name, index))
        result._vendor_id = int(vendor_id)
        return result

    @property
    def device(self) -> Device:
        """The memory that values on it live in; the host is one, whatever the index."""
        return HOST if self._device.type == HOST.type else self._device

    def device_id(self) -> int:
        """The index among devices of its type."""
        return self._device.id

    def device_type(self) -> int:
        """The number of its kind, as in `OrtMemoryInfoDeviceType`."""
        return int(_kind_of(self._device.type)[0])

    def device_vendor_id(self) -> int:
        """The PCI number of its maker, 0 where there is none."""
        return self._vendor_id

    def device_mem_type(self) -> int:
        """The number of its memory's kind, as in `OrtDeviceMemoryType`."""
        pinned = self._device.memory == "pinned"
        return int(OrtDeviceMemoryType.HOST_ACCESSIBLE if pinned else OrtDeviceMemoryType.DEFAULT)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OrtDevice):
            return NotImplemented
        return (self._device, self._vendor_id) == (other._device, other._vendor_id)

    def __hash__(self) -> int:
        return hash((self._device, self._vendor_id))

    def __repr__(self) -> str:
        return f"OrtDevice({self._device})"
