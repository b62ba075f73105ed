"""What the kit says about a provider that is right, wrong, fails and declines; ignore files; the report's two forms."""

import json

import pytest
from kit_helpers import counts_of, run_kit

DTYPES = "ort_core.testing.conformance.test_dtypes"
NAME = "FaultyExecutionProvider"
SELECTED = ("-p", "kit_faulty_provider", "--ort-provider", NAME, "-k", "Add-T- or Neg-T- or Sub-T-", "--tb=no")
WRONG = "test_dtypes.py::test_dtype[Add-T-int8]"
RIGHT = "test_dtypes.py::test_dtype[Add-T-float]"
DECLINED = "test_dtypes.py::test_dtype[Neg-T-int8]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kit")


@pytest.fixture(scope="module")
def plain(folder):
    """A run without an ignore file."""
    arguments = ("--ort-report", "out/report.md", "--ort-report", "out/report.json")
    return run_kit(folder, *SELECTED, *arguments, modules=(DTYPES,))


@pytest.fixture(scope="module")
def data(plain, folder):
    return json.loads((folder / "out" / "report.json").read_text())


@pytest.fixture(scope="module")
def text(plain, folder):
    return (folder / "out" / "report.md").read_text()


def entry(data, name):
    (found,) = [e for e in data["not_passed"] if e["id"] == name]
    return found


def test_exit_status_and_counts(plain):
    assert plain.returncode == pytest.ExitCode.TESTS_FAILED
    assert counts_of(plain) == {"passed": 13, "failed": 4, "ignored": 0, "declined": 15, "skipped": 0}


def test_a_wrong_result_fails_with_what_is_wrong(data):
    wrong = entry(data, WRONG)
    assert (wrong["outcome"], wrong["operator"]) == ("failed", "ai.onnx::Add")
    assert wrong["message"].startswith("output 'sum': 60 of 60 values of int8[3, 4, 5] differ")


def test_claiming_and_then_failing_is_not_declining(data):
    failed = entry(data, "test_dtypes.py::test_dtype[Sub-T-float]")
    assert failed["outcome"] == "failed"
    assert "no Sub here" in failed["message"]


def test_declining_says_what_the_provider_has(data):
    declined = entry(data, DECLINED)
    assert declined["outcome"] == "declined"
    assert "got T=int8, have {double, float, float16}" in declined["message"]


def test_json_has_versions_totals_and_every_operator(data):
    assert set(data) == {
        "format", "provider", "versions", "totals", "operators", "contracts", "others", "not_passed",
    }  # fmt: skip
    assert data["provider"] == {"name": NAME, "options": {}}
    assert {"ort-core", "onnx"} <= set(data["versions"])
    assert data["totals"] == {"passed": 13, "failed": 4, "ignored": 0, "declined": 15, "skipped": 0}
    assert data["operators"]["ai.onnx::Neg"] == {"claimed": True, "areas": {"dtypes": {"passed": 3, "declined": 5}}}
    assert len(data["not_passed"]) == 4 + 15


def test_markdown_has_failures_first_and_the_worst_operator_first(text):
    positions = [
        text.index(part) for part in ("## Failures", WRONG, "### Failing: 2", "| ai.onnx::Sub |", "| ai.onnx::Add |")
    ]
    assert positions == sorted(positions)
    assert "| ai.onnx::Neg | 38 % | 3 of 8 | T: bfloat16, int16, int32, int64, int8 |" in text


def test_reports_know_no_machine_and_no_time(text, data, folder):
    for content in (text, json.dumps(data)):
        assert "/" not in content.replace("_/", "")
        assert str(folder) not in content


def ignoring(folder, *lines):
    (folder / "ignored.txt").write_text("\n".join(lines))
    arguments = ("--ort-ignore", "ignored.txt", "--ort-report", "ignoring.json")
    return run_kit(folder, *SELECTED, *arguments, modules=(DTYPES,))


def test_ignored_failures_are_no_failures_and_other_modules_may_be_named(folder):
    patterns = (f"{WRONG}  # off by one", "", "test_dtypes.py::*[Sub-T-float*]  # not written")
    run = ignoring(folder, "# known", *patterns, "test_onnx_cases.py::test_onnx_case[test_abs]  # not collected")
    assert counts_of(run) == {"passed": 13, "failed": 1, "ignored": 3, "declined": 15, "skipped": 0}
    assert "test_dtype[Sub-T-double]" in run.stdout


def test_ignored_tests_that_pass_or_are_declined_fail(folder):
    run = ignoring(folder, f"{RIGHT}  # it was wrong once", f"{DECLINED}  # it was claimed once")
    assert counts_of(run) == {"passed": 12, "failed": 6, "ignored": 0, "declined": 14, "skipped": 0}
    report = json.loads((folder / "ignoring.json").read_text())
    assert "XPASS(strict)" in entry(report, RIGHT)["message"]
    assert f"Remove {DECLINED} from the file" in entry(report, DECLINED)["message"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("test_dtypes.py::test_dtype[Nope-T-float]  # why", "names tests that do not exist: test_dtypes.py::test_dtype[Nope"),
        ("nope.py::test_dtype  # why", "names tests that do not exist: nope.py::test_dtype"),
        (WRONG, "has no reason. Write PATTERN  # reason."),
        (f"{WRONG}  # why\n{WRONG}  # why", "ignored.txt:2: 'test_dtypes.py::test_dtype[Add-T-int8]' is there twice"),
    ],
)  # fmt: skip
def test_ignore_files_that_are_wrong(folder, line, message):
    run = ignoring(folder, line)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert message in run.stderr + run.stdout
