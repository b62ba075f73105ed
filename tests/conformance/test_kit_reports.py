"""The whole kit on the reference provider, the example provider and the fake device: it passes, and the reports in
`docs/conformance` are what it writes.
"""

import pytest
from kit_helpers import PROVIDERS, REPORTS, run_kit


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_provider_passes_and_its_report_is_current(tmp_path, name):
    run = run_kit(tmp_path, "-q", "--tb=short", "--ort-provider", PROVIDERS[name], "--ort-report", "report.md")
    assert run.returncode == pytest.ExitCode.OK, run.stdout[-5000:] + run.stderr
    fresh = (tmp_path / "report.md").read_text(encoding="utf-8")
    committed = (REPORTS / f"{name}.md").read_text(encoding="utf-8")
    assert about(fresh) == about(committed), "run tests/conformance/write_reports.py"


def about(report):
    """The report without its line of versions."""
    return [line for number, line in enumerate(report.splitlines()) if number != 2]
