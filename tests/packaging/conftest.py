"""Wheels of the distributions of this repository, and fresh virtual environments to install them into."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECTS = {"ort-core": ROOT / "ort_core", "ort-provider-example": ROOT / "examples" / "ort-provider-example"}


class Environment:
    """A virtual environment without anything but pip."""

    def __init__(self, path: Path) -> None:
        self.path = path
        run([sys.executable, "-m", "venv", str(path)])
        self.bin = path / ("Scripts" if os.name == "nt" else "bin")

    def pip(self, *arguments: str) -> str:
        """Runs pip in the environment."""
        return run([str(self.bin / "python"), "-m", "pip", "--disable-pip-version-check", "-q", *arguments])

    def python(self, code: str) -> str:
        """Runs code in the environment and returns what it prints."""
        return run([str(self.bin / "python"), "-W", "error", "-c", code], cwd=self.path).strip()

    def script(self, name: str, *arguments: str) -> str:
        """Runs an installed command."""
        return run([str(self.bin / name), *arguments], cwd=self.path)


def run(command: list[str], cwd: Path | None = None) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "ORT_CORE", "VIRTUAL_ENV"))}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One wheel for each distribution, by name."""
    house = tmp_path_factory.mktemp("wheels")
    found = {}
    for name, project in PROJECTS.items():
        run([sys.executable, "-m", "pip", "-q", "wheel", "--no-deps", "-w", str(house), str(project)])
        (found[name],) = house.glob(f"{name.replace('-', '_')}-*.whl")
    return found


@pytest.fixture
def new_environment(tmp_path: Path) -> Callable[[], Environment]:
    """Makes fresh environments."""
    numbers = iter(range(100))
    return lambda: Environment(tmp_path / f"env{next(numbers)}")
