"""The example package as it would be installed, without pip: its sources and its own entry points on the path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ort_core.providers import discovery, registry

ROOT = Path(__file__).parents[2] / "examples" / "ort-provider-example"
NAME = "ExampleExecutionProvider"


@pytest.fixture
def installed(empty_site, monkeypatch):
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    empty_site.install(project["name"], version=project["version"], groups=project["entry-points"])
    monkeypatch.syspath_prepend(str(ROOT / "src"))
    return empty_site


def test_it_is_discovered_and_available(installed):
    (row,) = [r for r in discovery.provider_report() if r.name == NAME]
    assert (row.status, row.distribution, row.auto) == ("available", "ort-provider-example", False)
    assert NAME in registry.get_available_providers()


def test_plugin_module_is_light(installed):
    code = (
        "import sys; from ort_core.providers.registry import get_available_providers;"
        f"print({NAME!r} in get_available_providers());"
        "print(sorted({'onnx', 'pluggy', 'ort_provider_example.provider', 'ort_provider_example.kernels'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_env(installed))
    assert done.stdout.split("\n")[:2] == ["True", "[]"]


def test_its_own_tests_pass(installed):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-c",
            str(ROOT / "pyproject.toml"),
            str(ROOT / "tests"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=installed.path,
        env=_env(installed),
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_useful_part_is_at_most_60_lines():
    import ast

    total = 0
    for path in (ROOT / "src" / "ort_provider_example").glob("*.py"):
        source = path.read_text()
        skipped = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                skipped |= set(range(node.lineno, node.end_lineno + 1))
            elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
                skipped |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
        total += sum(1 for i, line in enumerate(source.splitlines(), 1) if line.strip() and i not in skipped)
    assert total <= 60


def _env(site) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(site.path), str(ROOT / "src"), *filter(None, sys.path)])}
