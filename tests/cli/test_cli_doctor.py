"""`ort-core doctor`: plugins that fail, crash and hang, packages, environment, machine."""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from pathlib import Path

import pytest

import ort_core
from ort_core.cli import main
from ort_core.cli.diagnosis.packages import check_packages
from ort_core.cli.diagnosis.requirements import Requirement, check_requirement, requirements_of, satisfies
from ort_core.cli.diagnosis.variables import OWN, check_variables

REFERENCE = "ReferenceExecutionProvider"
TEST = "TestExecutionProvider"
SOURCE = """
import os, signal, sys, time
import numpy as np
from ort_core.providers.kernel_provider import KernelProvider, kernel
from ort_core.providers.spec import Availability, Finding, Plugin

@kernel("Relu")
def relu(x):
    {relu}

class TestProvider(KernelProvider):
    kernels = (sys.modules[__name__],)

class TestPlugin(Plugin):
    api = (1, 0)
    name = "TestExecutionProvider"

    def probe(self):
        {probe}

    def doctor(self):
        {doctor}

    def create(self, options, env):
        return TestProvider(self.name, options, env)

plugin = TestPlugin()
"""


@pytest.fixture
def install_test_provider(install):
    def add(probe="return Availability(True)", doctor="return ()", relu="return np.maximum(x, 0)", head=""):
        source = head + SOURCE.format(probe=probe, doctor=doctor, relu=relu)
        install("ort-provider-test", source, providers={TEST: "ort_provider_test:plugin"})

    return add


def examine(capsys, *argv: str, code: int = 0) -> list[dict]:
    assert main(["doctor", *argv, "--json"]) == code
    captured = capsys.readouterr()
    assert captured.err == ""
    document = json.loads(captured.out)
    assert document["healthy"] == (code == 0)
    return document["checks"]


def examine_test_provider(capsys, code: int = 1, *argv: str) -> dict[str, dict]:
    return {check["name"]: check for check in examine(capsys, "--provider", TEST, *argv, code=code)}


def test_healthy_installation(capsys):
    checks = examine(capsys)
    areas = list(dict.fromkeys(check["area"] for check in checks))
    assert areas[0] == "packages"
    assert "machine" in areas
    names = {check["name"] for check in checks if check["area"] == "packages"}
    assert {"python", "ort-core", "numpy", "onnx", "pluggy"} <= names
    (test,) = (c for c in checks if c["area"] == f"provider {REFERENCE}" and c["name"] == "test")
    assert test["status"] == "ok"
    assert "3 of 3 nodes" in test["detail"]
    assert {c["area"]: c for c in checks}["provider CUDAExecutionProvider"]["remedy"]


def test_text_has_a_line_for_each_check_and_a_summary(capsys):
    assert main(["doctor", "--provider", REFERENCE]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"provider {REFERENCE}\n  ok  state  available")
    assert out.endswith("nothing is broken\n")


def test_unknown_provider_is_a_usage_error(capsys):
    assert main(["doctor", "--provider", "ReferenceExecutionProvidr"]) == 2
    assert f"Did you mean '{REFERENCE}'?" in capsys.readouterr().err


@pytest.mark.parametrize("timeout", ["0", "-1", "nan"])
def test_timeout_must_be_a_time(timeout, capsys):
    assert main(["doctor", "--timeout", timeout]) == 2
    assert "--timeout" in capsys.readouterr().err


def test_working_plugin_is_run(install_test_provider, capsys):
    install_test_provider()
    checks = examine_test_provider(capsys, 0)
    assert checks["state"]["detail"] == "available (ort-provider-test 1.0)"
    assert "1 of 3 nodes" in checks["test"]["detail"]


def test_findings_of_a_plugin_are_told_even_if_it_is_unavailable(install_test_provider, capsys):
    install_test_provider(
        probe='return Availability(False, "libx.so.1 is missing", "pip install libx")',
        doctor='return [Finding("driver", True, "550.54"), Finding("libx.so.1", False, "not found", "pip install libx")]',
    )
    checks = examine_test_provider(capsys)
    assert checks["state"]["status"] == "broken"
    assert checks["driver"]["status"] == "ok"
    assert checks["libx.so.1"] == {
        "area": f"provider {TEST}", "name": "libx.so.1", "status": "broken", "detail": "not found",
        "remedy": "pip install libx", "traceback": "",
    }  # fmt: skip
    assert "test" not in checks
    assert main(["doctor", "--provider", TEST]) == 1
    out = capsys.readouterr().out
    assert "  !!  libx.so.1  not found\n      -> pip install libx\n" in out
    assert out.endswith("2 things are broken\n")


def test_doctor_that_raises_is_reported(install_test_provider, capsys):
    install_test_provider(doctor='raise OSError("no nvml")')
    checks = examine_test_provider(capsys)
    assert checks["doctor()"]["detail"] == "doctor() raised OSError: no nvml"
    assert checks["test"]["status"] == "ok"


@pytest.mark.parametrize("answer", ["return 3", 'return ["a"]', "return None", "return [(1, 2)]"])
def test_doctor_that_answers_nonsense_is_reported(answer, install_test_provider, capsys):
    install_test_provider(doctor=answer)
    checks = examine_test_provider(capsys)
    assert checks["doctor()"]["status"] == "broken"
    assert checks["test"]["status"] == "ok"


def test_wrong_results_are_found(install_test_provider, capsys):
    install_test_provider(relu="return x")
    checks = examine_test_provider(capsys)
    assert "a small model gives wrong results" in checks["test"]["detail"]


def test_kernel_that_raises_is_found(install_test_provider, capsys):
    install_test_provider(relu='raise ValueError("no such device")')
    checks = examine_test_provider(capsys)
    assert "no such device" in checks["test"]["detail"]


@pytest.mark.skipif(sys.platform == "win32", reason="the process ends with an exit code there")
@pytest.mark.parametrize(
    ("where", "while_doing"),
    [
        ("head", "being imported"),
        ("probe", "being imported"),
        ("doctor", "doctor()"),
        ("relu", "running a small model"),
    ],
)
def test_crash_is_a_finding(where, while_doing, install_test_provider, capsys):
    install_test_provider(**{where: "import os; os.abort()\n"})
    checks = examine_test_provider(capsys)
    assert checks["process"]["detail"] == f"its process was ended by SIGABRT while {while_doing}"
    assert "ort-provider-test" in checks["process"]["remedy"]
    assert "Fatal Python error: Aborted" in checks["process"]["traceback"]


def test_plugin_that_ends_the_process_is_a_finding(install_test_provider, capsys):
    install_test_provider(relu="os._exit(3)")
    assert "ended with exit code 3" in examine_test_provider(capsys)["process"]["detail"]


def test_hanging_plugin_is_a_finding(install_test_provider, capsys):
    install_test_provider(doctor="time.sleep(600)")
    checks = examine_test_provider(capsys, 1, "--timeout", "4")
    assert checks["state"]["status"] == "ok"
    assert checks["process"]["detail"] == "its process was still at it after 4 s while doctor()"


def test_plugin_that_prints_does_not_disturb(install_test_provider, capsys):
    install_test_provider(doctor='print("hello"); sys.stdout.flush(); os.write(1, b"{}"); return ()')
    assert examine_test_provider(capsys, 0)["test"]["status"] == "ok"


def test_two_distributions_with_one_provider_name(install_test_provider, install, capsys):
    install_test_provider()
    install("ort-provider-other", providers={TEST: "ort_provider_other:plugin"})
    checks = examine_test_provider(capsys)
    assert "2 distributions provide TestExecutionProvider" in checks["state"]["detail"]


def test_failed_import_has_its_traceback_in_verbose(install, capsys):
    install("ort-provider-test", "import zork", providers={TEST: "ort_provider_test:plugin"})
    assert main(["doctor", "--provider", TEST, "-v"]) == 1
    out = capsys.readouterr().out
    assert "pip install zork" in out
    assert "| ModuleNotFoundError: No module named 'zork'" in out


def test_custom_operators_and_hooks_are_imported(install, capsys):
    install("good-ops", "ops = {}", custom_ops={"com.good": "good_ops:ops"})
    install("bad-ops", "raise OSError('libbad.so')", custom_ops={"com.bad": "bad_ops:ops"})
    install("bad-hooks", "x = 1", hooks={"bad": "bad_hooks"})
    found = {c["name"]: c for c in examine(capsys, code=1)}
    assert found["com.good (good-ops 1.0)"]["status"] == "ok"
    assert "libbad.so" in found["com.bad (bad-ops 1.0)"]["detail"]
    assert found["com.bad (bad-ops 1.0)"]["status"] == "broken"
    assert "implements no hook" in found["bad (bad-hooks 1.0)"]["detail"]


def test_requirements_of_plugins_are_checked(install):
    install("ort-provider-test", requires="ort-core>=99", providers={TEST: "ort_provider_test:plugin"})
    (check,) = (c for c in check_packages() if c.status == "broken")
    assert check.name == "ort-core"
    assert check.remedy == 'pip install "ort-core>=99"'
    assert "needed by ort-provider-test: >=99" in check.detail


@pytest.mark.parametrize(
    ("version", "versions", "fits"),
    [
        ("1.26.4", ">=1.26", True), ("1.26", ">=1.26.1", False), ("2.0", ">=1.23,<2", False), ("1.99.9", ">=1.23,<2", True),
        ("1.10", ">=1.9", True), ("2.0.0rc1", ">=2.0", True), ("1.2.3", "==1.2.*", True), ("1.3", "==1.2.*", False),
        ("1.2.3", "!=1.2.*", False), ("1.4.5", "~=1.4", True), ("2.0", "~=1.4", False), ("1.4.9", "~=1.4.2", True),
        ("1.5", "~=1.4.2", False), ("1.0", "", True), ("1.0", "!=1.0.0", False), ("3", ">2,<=3", True),
    ],
)  # fmt: skip
def test_version_clauses(version, versions, fits):
    assert satisfies(version, versions) is fits


def test_requirements_of_the_core_are_read():
    names = {r.name for r in requirements_of(importlib.metadata.distribution("ort-core"))}
    assert {"numpy", "onnx", "pluggy"} <= names
    assert not {"pytest", "rich", "pillow"} & names


def test_missing_requirement():
    check = check_requirement(Requirement("no-such-package", ">=2"), "ort-core")
    assert (check.status, check.remedy) == ("broken", 'pip install "no-such-package>=2"')


def test_rival_distributions_are_found(install):
    install("onnxruntime-gpu")
    install("onnxruntime-directml")
    install("cupy-cuda12x")
    install("cupy-cuda13x")
    broken = {c.name: c for c in check_packages() if c.status == "broken"}
    assert "onnxruntime-gpu" in broken["onnxruntime"].detail
    assert "cupy-cuda12x and cupy-cuda13x are both installed" in broken["cupy"].detail


def test_damaged_installations_are_found(install, tmp_path):
    (install("no-metadata") / "METADATA").unlink()
    install("twice")
    (tmp_path / "site" / "twice-2.0.dist-info").mkdir()
    (tmp_path / "site" / "twice-2.0.dist-info" / "METADATA").write_text("Name: twice\nVersion: 2.0\n")
    (tmp_path / "site" / "~umpy-1.0.dist-info").mkdir()
    found = {c.name: c for c in check_packages() if c.status != "ok"}
    assert "has no METADATA" in found["no-metadata"].detail
    assert "installed more than once" in found["twice"].detail
    assert found["~umpy-1.0.dist-info"].status == "note"


def test_environment_variables_are_told_with_their_effect():
    found = {
        c.name: c.detail
        for c in check_variables(
            {
                "ORT_CORE_PLUGINS": "a",
                "ORT_CORE_PLUGIN": "b",
                "ORT_TUNING": "1",
                "CUDA_VISIBLE_DEVICES": "",
                "HOME": "/",
            }
        )
    }
    assert found == {
        "ORT_CORE_PLUGINS": "'a': only the listed plugins of third parties are used",
        "ORT_CORE_PLUGIN": "'b': nothing reads it. Did you mean 'ORT_CORE_PLUGINS'?",
        "ORT_TUNING": "'1': not read by ort-core; onnxruntime or a plugin may read it",
        "CUDA_VISIBLE_DEVICES": "'': hides GPUs that it does not list",
    }


def test_every_variable_that_the_package_reads_is_known():
    sources = Path(ort_core.__file__).parent.rglob("*.py")
    read = {n for p in sources for n in re.findall(r"environ[^\n]*\"(ORT_CORE_\w+)\"", p.read_text(encoding="utf-8"))}
    assert read
    assert read <= set(OWN)
