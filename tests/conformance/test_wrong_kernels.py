"""The kit finds deliberately wrong providers, each in the contract that it breaks, and nothing wrong in right ones."""

from __future__ import annotations

import pytest
from wrong_kernels_base import host_plugin
from wrong_kernels_device import DEVICE, device_plugin
from wrong_kernels_host import HOST
from wrong_kernels_run import run_contracts, run_on_device, without_case


@pytest.fixture(autouse=True)
def no_other_plugins(monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.mark.parametrize("name", HOST)
def test_wrong_host_provider_is_caught(name):
    wrong = HOST[name]
    assert run_contracts(wrong.make(), *wrong.fails).failed == without_case(wrong.fails)


@pytest.mark.parametrize("name", DEVICE)
def test_wrong_device_provider_is_caught(name):
    wrong = DEVICE[name]
    assert run_on_device(wrong.make, *wrong.fails).failed == without_case(wrong.fails)


def test_right_host_provider_passes_all_of_these():
    tests = {test for wrong in HOST.values() for test in wrong.fails}
    outcomes = run_contracts(host_plugin(), *tests)
    assert not outcomes.failed
    assert outcomes.passed == without_case(tests)


def test_right_device_provider_passes_all_of_these():
    tests = {test for wrong in DEVICE.values() for test in wrong.fails}
    outcomes = run_on_device(device_plugin, *tests)
    assert not outcomes.failed
    assert outcomes.passed == without_case(tests)
