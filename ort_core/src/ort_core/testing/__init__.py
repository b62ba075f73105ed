"""What provider authors test with: the fake device, and the conformance kit that pytest runs on a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ort_core.testing.fake import FakeDeviceControl, FakeDeviceViolation, fake_device

__all__ = ["FakeDeviceControl", "FakeDeviceViolation", "fake_device"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'ort_core.testing' has no attribute {name!r}")
    from ort_core.testing import fake

    return getattr(fake, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
