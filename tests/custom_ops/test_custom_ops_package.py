"""What `import ort_custom_ops` gives and costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ort_custom_ops

HEAVY = ("onnx", "ml_dtypes", "importlib.metadata", "ort_custom_ops._native", "ort_core.session")


@pytest.mark.parametrize("name", [n for n in ort_custom_ops.__all__ if n != "load_library"])
def test_every_exported_name_is_there(name):
    assert getattr(ort_custom_ops, name) is not None
    assert name in dir(ort_custom_ops)


def test_names_that_do_not_exist_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'Float33'"):
        _ = ort_custom_ops.Float33


@pytest.mark.parametrize("code", ["import ort_custom_ops", "from ort_custom_ops import Float32, BFloat16, op"])
def test_import_is_light(code):
    code = f"import sys; {code}; print(*(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_decorated_operators_type_check(tmp_path):
    api = pytest.importorskip("mypy.api")
    source = tmp_path / "authors_module.py"
    source.write_text(SOURCE)
    out, errors, _ = api.run(["--strict", "--cache-dir", str(tmp_path / "cache"), str(source)])
    assert [line.split(": ", 1)[1] for line in out.splitlines() if "note:" in line] == [
        'note: Revealed type is "numpy.ndarray[tuple[Any, ...], numpy.dtype[Any]]"',
        'note: Revealed type is "authors_module.Counter"',
    ], out + errors
    assert "error: Argument" in out
    assert out.count("error:") == 1


SOURCE = """
from typing import NamedTuple, TypeVar

import numpy as np

from ort_custom_ops import Float32, Float64, InputInfo, Int64, Maybe, String, Tensor, op

T = TypeVar("T", Float32, Float64)


class Pair(NamedTuple):
    first: Float32
    second: String


@op("my.domain", shapes="x")
def Scale(x: T, bias: T | None = None, *, factor: float = 1.0) -> T:
    return x if bias is None else bias


@Scale.infer_types
def _(x: InputInfo) -> InputInfo:
    return x


@op("my.domain")
class Counter:
    def __init__(self, *, start: int = 0) -> None:
        self.start = start

    def __call__(self, x: Int64, more: Maybe[Float32], *rest: Tensor) -> Pair:
        return Pair(x, x)


x = np.ones(3, np.float32)
reveal_type(Scale(x, factor=2.0))
reveal_type(Counter(start=3))
Scale(x, factor="no")
"""
