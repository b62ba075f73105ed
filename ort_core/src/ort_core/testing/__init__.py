"""What provider authors test with: the fake device."""

from __future__ import annotations

from ort_core.testing.fake import FakeDeviceControl, FakeDeviceViolation, fake_device

__all__ = ["FakeDeviceControl", "FakeDeviceViolation", "fake_device"]
