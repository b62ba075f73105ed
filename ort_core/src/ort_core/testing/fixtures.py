"""Pytest fixtures: `pytest_plugins = ["ort_core.testing.fixtures"]`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ort_core.testing.fake import FakeDeviceControl
from ort_core.testing.fake import fake_device as provide_fake_device


@pytest.fixture
def fake_device() -> Iterator[FakeDeviceControl]:
    """`FakeDeviceExecutionProvider`, registered for the test; its violations fail the test."""
    with provide_fake_device() as control:
        yield control
