"""Runs the conformance kit as its user does: in a process of its own, from an empty folder, with nothing of this repository's
pytest configuration.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "ort-provider-example"
REPORTS = ROOT / "docs" / "conformance"

PROVIDERS = {
    "reference": "ReferenceExecutionProvider",
    "example": "ExampleExecutionProvider",
    "fake-device": "FakeDeviceExecutionProvider",
}
"""The providers with a report in `docs/conformance`, by the name of the file."""


def run_kit(folder, *arguments, modules=("ort_core.testing",), environment=None):
    """Runs pytest with the kit in `folder`; the example provider is installed, as far as ort-core can tell."""
    command = [sys.executable, "-m", "pytest", "--pyargs", *modules, "-p", "no:cacheprovider", *map(str, arguments)]
    path = os.pathsep.join([str(install_example(folder)), str(EXAMPLE / "src"), str(Path(__file__).parent)])
    settings = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "ORT_CORE_"))}
    settings |= {"PYTHONPATH": path, **(environment or {})}
    return subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False)


def install_example(folder):
    """The example provider's distribution metadata, without pip; its sources stay where they are."""
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    site = Path(folder) / "site"
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    if not info.exists():
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        groups = project["entry-points"]
        lines = [line for group, names in groups.items() for line in (f"[{group}]", *map(" = ".join, names.items()))]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return site


def counts_of(run):
    """Outcome to number, from the kit's summary line."""
    line = next(line for line in run.stdout.splitlines() if line.endswith(" skipped") and " declined, " in line)
    return {outcome: int(number) for number, outcome in (part.split() for part in line.split(", "))}
