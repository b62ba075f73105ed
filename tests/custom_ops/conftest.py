"""Tests of custom operators: those of the package `ort-custom-ops` are collected where it is installed."""

import importlib.util
from pathlib import Path

import pytest

NEED_THE_CORE_ALONE = {"test_placement.py"}


def is_installed():
    """Asks for the extension, since the folder of the distribution alone would pass for a package."""
    try:
        return importlib.util.find_spec("ort_custom_ops._native") is not None
    except ModuleNotFoundError:
        return False


tests = {path.name for path in Path(__file__).parent.glob("test_*.py")}
collect_ignore = [] if is_installed() else sorted(tests - NEED_THE_CORE_ALONE)


@pytest.fixture(scope="session")
def ort_headers(tmp_path_factory):
    """The folder of ONNX Runtime's headers."""
    from tests.custom_ops import cpp_library

    try:
        return cpp_library.find_headers(tmp_path_factory.mktemp("headers"))
    except cpp_library.Unavailable as reason:
        pytest.skip(f"there are no headers to build a library with: {reason}")
