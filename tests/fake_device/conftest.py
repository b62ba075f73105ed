"""A fake device that is not registered as a provider."""

from __future__ import annotations

import threading

import pytest

from ort_core.testing import fake_device


@pytest.fixture
def fake():
    """No delays: tests that need them set `fake.delay`."""
    before = threading.active_count()
    with fake_device(register=False, delay=(0.0, 0.0)) as control:
        yield control
    assert threading.active_count() == before
