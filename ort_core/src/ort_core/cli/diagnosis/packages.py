"""Checks of the Python environment: versions, packages that overwrite each other, damaged installations."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator

from ort_core import __version__
from ort_core.cli.diagnosis.check import Check
from ort_core.cli.diagnosis.requirements import (
    Requirement,
    check_requirement,
    find_distribution,
    requirements_of,
    satisfies,
)
from ort_core.providers.entry_points import GROUPS, entry_points
from ort_core.providers.names import normalize_distribution

_OWN = "ort-core"
_RIVALS: dict[str, tuple[str, ...]] = {
    "onnxruntime": (
        "onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino", "onnxruntime-qnn",
        "onnxruntime-rocm", "onnxruntime-migraphx", "onnxruntime-training", "ort-nightly", "ort-nightly-gpu",
    ),
    "cupy": (
        "cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x", "cupy-rocm-4-3", "cupy-rocm-5-0", "cupy-rocm-7-0",
    ),
    "onnx": ("onnx", "onnx-weekly"),
}  # fmt: skip
"""Distributions that install one and the same package, by its name: the last one installed overwrites the others."""


def check_packages() -> Iterator[Check]:
    """Python, this package, what it and the plugins need, and clashes."""
    yield _python()
    yield _own_version()
    yield from _requirements()
    yield from _clashes()
    yield from _damaged()


def _python() -> Check:
    have = platform.python_version()
    distribution = find_distribution(_OWN)
    needs = (distribution.metadata["Requires-Python"] or "") if distribution is not None else ""
    fits = satisfies(have, needs)
    detail = f"{have} ({platform.python_implementation()}, {sys.executable})" + (f", needed: {needs}" if needs else "")
    return Check("packages", "python", "ok" if fits else "broken", detail, "" if fits else f"Use Python {needs}.")


def _own_version() -> Check:
    folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    distribution = find_distribution(_OWN)
    if distribution is None:
        detail = (
            f"{__version__} in {folder} is imported, but not installed: its provider and command are not registered"
        )
        return Check("packages", _OWN, "broken", detail, "pip install ort-core")
    if distribution.version != __version__:
        detail = f"{distribution.version} is installed, but {__version__} in {folder} is imported"
        return Check("packages", _OWN, "broken", detail, "Remove the other copy from sys.path, or reinstall ort-core.")
    return Check("packages", _OWN, "ok", f"{__version__} in {folder}")


def _requirements() -> Iterator[Check]:
    plugins = {entry.distribution for group in GROUPS for entry in entry_points(group)} - {_OWN}
    seen: set[Requirement] = set()
    for owner in (_OWN, *sorted(plugins)):
        distribution = find_distribution(owner)
        if distribution is None:
            continue
        for requirement in requirements_of(distribution):
            if requirement not in seen:
                seen.add(requirement)
                yield check_requirement(requirement, owner)


def _clashes() -> Iterator[Check]:
    for package, rivals in _RIVALS.items():
        installed = [name for name in rivals if find_distribution(name) is not None]
        if len(installed) > 1:
            names = " and ".join(installed)
            detail = f"{names} are both installed and overwrite each other's files"
            remedy = f"pip uninstall {' '.join(installed)}, then install the one that you need"
            yield Check("packages", package, "broken", detail, remedy)


def _damaged() -> Iterator[Check]:
    for folder in dict.fromkeys(path or os.getcwd() for path in sys.path):
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        versions: dict[str, list[str]] = {}
        for name in names:
            if not name.endswith(".dist-info"):
                continue
            path = os.path.join(folder, name)
            if name.startswith("~"):
                detail = f"{path} is left over from an interrupted pip"
                yield Check("packages", name, "note", detail, f"Delete the folder {path}")
                continue
            stem = normalize_distribution(name.partition("-")[0])
            versions.setdefault(stem, []).append(name)
            if not os.path.isfile(os.path.join(path, "METADATA")):
                yield Check(
                    "packages", stem, "broken", f"{path} has no METADATA", f"pip install --force-reinstall {stem}"
                )
        for stem, found in versions.items():
            if len(found) > 1:
                detail = f"installed more than once in {folder}: {', '.join(found)}"
                remedy = f"pip uninstall {stem} until nothing is left, then install it again"
                yield Check("packages", stem, "broken", detail, remedy)
