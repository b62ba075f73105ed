"""Runs contracts of the conformance kit in this process, on a provider that exists for that time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ort_core.providers import registry
from ort_core.providers.spec import Plugin
from ort_core.testing.conformance import contracts
from ort_core.testing.fake import FakeDeviceControl

FOLDER = Path(contracts.__file__).parent
ARGUMENTS = ["-q", "-s", "--tb=short", "--no-header", "-c", os.devnull, "--rootdir", str(FOLDER)]
PLUGINS = ["-p", "ort_core.testing.plugin", "-p", "no:cacheprovider", "-p", "no:faulthandler"]


@dataclass
class Outcomes:
    """The tests of a run, as `contract::test`, by outcome."""

    passed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.rpartition("/")[2].partition("[")[0].removeprefix("test_").replace(".py::test_", "::")
        if report.failed:
            self.failed.add(name)
        elif report.passed and report.when == "call":
            self.passed.add(name)


def run_contracts(plugin: Plugin, *tests: str) -> Outcomes:
    """Runs tests of the contracts, given as `module::name` or `module::name[case]` (all by default), on a provider."""
    outcomes = Outcomes()
    paths = sorted({str(FOLDER / f"test_{test.partition('::')[0]}.py") for test in tests}) or [str(FOLDER)]
    select = " or ".join(_selection(test) for test in tests)
    registry.register_plugin(plugin, distribution="tests")
    try:
        pytest.main([*paths, *ARGUMENTS, *PLUGINS, "-k", select, "--ort-provider", plugin.name], plugins=[outcomes])
    finally:
        registry.unregister_plugin(plugin.name)
    return outcomes


def run_on_device(make_plugin: Callable[[FakeDeviceControl], Plugin], *tests: str) -> Outcomes:
    """The same on a fake device of its own."""
    control = FakeDeviceControl()
    try:
        return run_contracts(make_plugin(control), *tests)
    finally:
        control.close()


def without_case(tests: Iterable[str]) -> set[str]:
    """The tests as outcomes name them."""
    return {test.partition("[")[0] for test in tests}


def _selection(test: str) -> str:
    """The test as an expression of pytest's option -k."""
    name, _, case = test.partition("::")[2].partition("[")
    return f"(test_{name} and {case.rstrip(']')})" if case else f"test_{name}"
