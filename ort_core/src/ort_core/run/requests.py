"""What one run is asked for: outputs, devices, buffers, and the settings of the run."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ort_core.devices import HOST, Device

if TYPE_CHECKING:
    from ort_core.providers.spec import Profiler
    from ort_core.values import RuntimeValue

NEVER_CANCELLED = ctypes.c_uint32(0)


class ResultRequest(NamedTuple):
    """Output number `position`, where it is wanted, and the buffer to write it to, if any."""

    position: int
    device: Device = HOST
    buffer: RuntimeValue = None


class RunSettings(NamedTuple):
    """What `RunOptions` and the session say about one run."""

    cancel_flag: ctypes.c_uint32 = NEVER_CANCELLED
    config: Mapping[str, str] = {}
    profiler: Profiler | None = None
    binding_id: int | None = None


DEFAULT_SETTINGS = RunSettings()
