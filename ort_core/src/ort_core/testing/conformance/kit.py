"""The kit as a pytest plugin: the provider under test, its ignore file, declined nodes as skipped tests, and the report."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path

import pytest

from ort_core.errors import OrtError
from ort_core.testing.conformance import marks
from ort_core.testing.conformance.ignore import match_ignored, read_ignore_file
from ort_core.testing.conformance.report import Report, write_report
from ort_core.testing.conformance.results import OUTCOMES, Outcome, Result, one_line
from ort_core.testing.conformance.target import Declined, open_target

PLUGIN_NAME = "ort_core.testing.kit"

ROOT = Path(__file__).parent

_PROPERTY = "ort_core.testing"
_DECLINED = pytest.StashKey[str]()
_IGNORED = pytest.StashKey[str]()


class Kit:
    """The hooks that serve the tests of the kit while one provider is tested.

    Attributes:
        target: the provider.
        results: by the id of the test.
    """

    def __init__(self, config: pytest.Config) -> None:
        """Starts the provider.

        Raises:
            UsageError: the command line is wrong, or the provider cannot work here.
        """
        self._reports = [_report_path(config, text) for text in config.getoption("--ort-report")]
        self._arguments = config.args
        self._cleanup = contextlib.ExitStack()
        config.add_cleanup(self._cleanup.close)
        ignore_file = config.getoption("--ort-ignore")
        try:
            self._ignored = read_ignore_file(Path(ignore_file)) if ignore_file else {}
            text = config.getoption("--ort-provider")
            self.target, self._check = self._cleanup.enter_context(open_target(text))
        except OrtError as error:
            raise pytest.UsageError(str(error)) from error
        self._is_worker = hasattr(config, "workerinput")
        self._usage_error = ""
        self.results: dict[str, Result] = {}

    @classmethod
    def of(cls, config: pytest.Config) -> Kit:
        """The kit of a run in which a provider is tested."""
        kit = config.pluginmanager.get_plugin(PLUGIN_NAME)
        if not isinstance(kit, cls):
            raise pytest.UsageError("no provider is tested: add --ort-provider NAME[:key=value,...]")
        return kit

    def pytest_report_header(self) -> str:
        """Names the provider."""
        return f"ort-core conformance kit: {self.target.name}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Marks the tests that the ignore file names.

        Raises:
            UsageError: it names a test that does not exist.
        """
        by_id = {name: item for item in items if (name := _id_of(item))}
        reasons, unmatched = match_ignored(self._ignored, by_id)
        for name, reason in reasons.items():
            by_id[name].stash[_IGNORED] = reason
            by_id[name].add_marker(pytest.mark.xfail(reason=reason, strict=True))
        modules = {name.partition("::")[0] for name in by_id}
        if unknown := [p for p in unmatched if self._must_match(p, modules)]:
            self._usage_error = f"the ignore file names tests that do not exist: {', '.join(unknown)}"
            if not self._is_worker:
                raise pytest.UsageError(self._usage_error)

    def _must_match(self, pattern: str, modules: set[str]) -> bool:
        """Whether a pattern that matches no test is wrong: other modules, and single tests, may have been asked for."""
        module = pattern.partition("::")[0]
        whole = not any("::" in argument for argument in self._arguments)
        return (module in modules and whole) or ("*" not in module and not (ROOT / module).is_file())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Skips a test for whose fixtures the provider declines a node.

        Fails all tests after a usage error that a worker of pytest-xdist found, which cannot raise it.
        """
        if self._usage_error:
            pytest.fail(self._usage_error, pytrace=False)
        self.target.claimed.clear()
        return (yield from _skipping_declined(item))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Skips a test in which the provider declines a node; fails one in which a fake device saw a rule broken."""
        try:
            return (yield from _skipping_declined(item))
        finally:
            self._check()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Adds what the kit's report needs, also across the processes of pytest-xdist."""
        report = yield
        name = _id_of(item)
        if not name or (report.when != "call" and report.passed):
            return report
        if report.skipped and not hasattr(report, "wasxfail") and _IGNORED in item.stash:
            report.outcome = "failed"
            report.longrepr = f"the ignore file says that it fails, but it is skipped. Remove {name} from the file."
        outcome = _outcome(item, report)
        result = Result(
            name,
            (item.obj.__doc__ or "").strip().partition("\n")[0] if isinstance(item, pytest.Function) else "",
            marks.operator_of(item),
            marks.contract_of(item),
            outcome,
            _message(item, report, call, outcome),
            tuple(sorted(self.target.claimed)),
        )
        report.user_properties.append((_PROPERTY, asdict(result)))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collects the results; a failure of a later phase replaces what the test itself gave."""
        for key, data in report.user_properties:
            if key == _PROPERTY and isinstance(data, dict):
                result = Result.from_data(data)
                if result.id not in self.results or result.outcome == "failed":
                    self.results[result.id] = result

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Writes the report files and prints the counts."""
        if self._is_worker or not self.results:
            return
        report = Report(self.target, tuple(self.results.values()))
        terminalreporter.section(f"conformance of {self.target.name}")
        counts = report.totals
        terminalreporter.write_line(", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES))
        for path in self._reports:
            write_report(report, path)
            terminalreporter.write_line(f"report: {path}")


def _skipping_declined(item: pytest.Item) -> Generator[None, object, object]:
    try:
        return (yield)
    except Declined as error:
        item.stash[_DECLINED] = str(error)
        pytest.skip(f"declined: {error}")


def _report_path(config: pytest.Config, text: str) -> Path:
    path = config.invocation_params.dir / text
    if path.suffix not in (".md", ".json"):
        raise pytest.UsageError(f"--ort-report {text}: the suffix must be .md or .json")
    return path


def _id_of(item: pytest.Item) -> str:
    """The test's name in reports and ignore files; empty for tests that are neither of the kit nor marked for it."""
    if item.path.is_relative_to(ROOT):
        return f"{item.path.relative_to(ROOT).as_posix()}::{item.nodeid.partition('::')[2]}"
    return item.nodeid if marks.operator_of(item) or marks.contract_of(item) else ""


def _outcome(item: pytest.Item, report: pytest.TestReport) -> Outcome:
    if hasattr(report, "wasxfail") and report.skipped:
        return "ignored"
    if report.skipped:
        return "declined" if _DECLINED in item.stash else "skipped"
    return "passed" if report.passed else "failed"


def _message(item: pytest.Item, report: pytest.TestReport, call: pytest.CallInfo[None], outcome: Outcome) -> str:
    if outcome == "passed":
        return ""
    if outcome == "ignored":
        return item.stash.get(_IGNORED, "")
    if outcome == "declined":
        return one_line(item.stash[_DECLINED])
    if call.excinfo is None or isinstance(report.longrepr, str):
        return one_line(str(report.longrepr))
    error = call.excinfo.value
    text = str(error)
    return one_line(
        text if isinstance(error, AssertionError | pytest.skip.Exception) else f"{call.excinfo.typename}: {text}"
    )
