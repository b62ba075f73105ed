"""The kit's command line: wrong usage, pytest's own options, provider options, and the fake device."""

import json

import pytest
from kit_helpers import counts_of, run_kit

from ort_core.errors import InvalidArgument
from ort_core.providers import registry
from ort_core.testing import FakeDeviceViolation
from ort_core.testing.conformance.ignore import match_ignored
from ort_core.testing.conformance.target import Target, open_target

DTYPES = "ort_core.testing.conformance.test_dtypes"
EXAMPLE = ("--ort-provider", "ExampleExecutionProvider")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "tests one execution provider: add --ort-provider NAME[:key=value,...]"),
        (("--ort-provider", "ExampelExecutionProvider"), "Did you mean 'ExampleExecutionProvider'?"),
        (("--ort-provider", "CUDAExecutionProvider"), "no installed distribution provides it"),
        (("--ort-provider", "ExampleExecutionProvider:fuse"), "option 'fuse' is not key=value"),
        (("--ort-provider", "ExampleExecutionProvider:fuze=1"), "fuze"),
        ((*EXAMPLE, "--ort-report", "report.txt"), "--ort-report report.txt: the suffix must be .md or .json"),
        ((*EXAMPLE, "--ort-ignore", "missing.txt"), "cannot read the ignore file missing.txt"),
    ],
)
def test_wrong_usage_is_one_clear_line(tmp_path, arguments, message):
    run = run_kit(tmp_path, *arguments)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert message in run.stderr
    assert "Traceback" not in run.stderr + run.stdout


def test_collection_only_with_warnings_as_errors(tmp_path):
    run = run_kit(tmp_path, *EXAMPLE, "--collect-only", "-q", "-W", "error", "--strict-markers")
    assert run.returncode == pytest.ExitCode.OK
    assert "::test_onnx_case[test_abs]" in run.stdout
    assert "::test_dtype[Add-T-float]" in run.stdout


def test_tests_outside_the_kit_use_its_target_and_its_report(tmp_path):
    (tmp_path / "test_mine.py").write_text(
        "import pytest\n\n@pytest.mark.ort_operator('mine::Twice')\ndef test_options(target):\n"
        "    assert target.options == {'fuse': '0'}\n\ndef test_other():\n    pass\n"
    )
    arguments = ("--ort-provider", "ExampleExecutionProvider:fuse=0", "--ort-report", "report.json")
    run = run_kit(tmp_path, "test_mine.py", *arguments, modules=())
    assert run.returncode == pytest.ExitCode.OK, run.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["provider"]["options"] == {"fuse": "0"}
    assert report["operators"] == {"mine::Twice": {"claimed": False, "areas": {"mine": {"passed": 1}}}}


def test_pytest_selection_and_xdist(tmp_path):
    pytest.importorskip("xdist")
    arguments = (*EXAMPLE, "-W", "error", "-x", "-n", "2", "-k", "Add-T-", "--ort-report", "report.json")
    run = run_kit(tmp_path, *arguments, modules=(DTYPES,))
    assert run.returncode == pytest.ExitCode.OK, run.stdout
    assert counts_of(run) == {"passed": 11, "failed": 0, "ignored": 0, "declined": 1, "skipped": 0}
    assert '"passed": 11' in (tmp_path / "report.json").read_text()


def test_xdist_says_what_is_wrong_with_an_ignore_file(tmp_path):
    pytest.importorskip("xdist")
    (tmp_path / "ignored.txt").write_text("test_dtypes.py::test_dtype[Nope]  # why\n")
    run = run_kit(tmp_path, *EXAMPLE, "-n", "1", "-k", "Add-T-", "--ort-ignore", "ignored.txt", modules=(DTYPES,))
    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    assert "names tests that do not exist: test_dtypes.py::test_dtype[Nope]" in run.stdout


def test_the_plugin_leaves_other_test_runs_alone(tmp_path):
    (tmp_path / "test_mine.py").write_text(
        "import sys\n\ndef test_light():\n    assert not {'numpy', 'onnx', 'ort_core.session'} & set(sys.modules)\n"
    )
    run = run_kit(tmp_path, "test_mine.py", "-W", "error", modules=())
    assert run.returncode == pytest.ExitCode.OK, run.stdout


def test_a_broken_rule_of_the_fake_device_fails_the_test_in_which_it_happens():
    with open_target("FakeDeviceExecutionProvider") as (target, check):
        assert target.name in registry.get_available_providers()
        check()
        registry.plugin(target.name).machine.violations.append("read after free")
        with pytest.raises(FakeDeviceViolation, match="read after free"):
            check()
        check()
    assert target.name not in registry.get_available_providers()


def test_options_of_the_fake_device_are_checked():
    with pytest.raises(InvalidArgument, match="device_id"), open_target("FakeDeviceExecutionProvider:device_id=7"):
        pass
    assert "FakeDeviceExecutionProvider" not in registry.get_available_providers()


def test_a_target_starts_its_provider_alone():
    Target("ReferenceExecutionProvider").check()


def test_patterns_match_with_stars_only():
    patterns = {"a[1]": "x", "b*[2]": "y", "c[?]": "z"}
    assert match_ignored(patterns, ["a[1]", "a1", "b::f[2]", "c[3]"]) == ({"a[1]": "x", "b::f[2]": "y"}, ["c[?]"])
