"""A simulated accelerator: separate memory, asynchronous streams with random delays, and a detector of broken rules."""

from __future__ import annotations

from ort_core.testing.fake.control import FakeDeviceControl, LiveBuffer, fake_device
from ort_core.testing.fake.faults import Fault
from ort_core.testing.fake.machine import FakeDeviceViolation, Step
from ort_core.testing.fake.provider import FakeDeviceOptions, FakeDevicePlugin

__all__ = [
    "FakeDeviceControl",
    "FakeDeviceOptions",
    "FakeDevicePlugin",
    "FakeDeviceViolation",
    "Fault",
    "LiveBuffer",
    "Step",
    "fake_device",
]
