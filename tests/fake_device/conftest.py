"""A fake device that is not registered as a provider."""

from __future__ import annotations

import threading
import time

import pytest

from ort_core.testing import fake_device


@pytest.fixture
def fake():
    """No delays: tests that need them set `fake.delay`."""
    before = threading.active_count()
    with fake_device(register=False, delay=(0.0, 0.0)) as control:
        yield control
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.001)
    assert threading.active_count() == before
