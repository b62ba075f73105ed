"""The Python code of docs/custom-ops.md, run as written."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import onnx.parser
import pytest

import ort_core as ort
from ort_custom_ops.testing import check_op, make_model

GUIDE = Path(__file__).parents[2] / "docs" / "custom-ops.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)


def block(text):
    (found,) = [code for _, code in BLOCKS if text in code]
    return found


def execute(code, **scope):
    scope["__name__"] = __name__
    exec(compile(code, str(GUIDE), "exec", dont_inherit=True), scope)
    return scope


@pytest.fixture(scope="module")
def scale():
    return execute(block("def Scale("))["Scale"]


def test_function_runs_and_registers(scale, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = np.ones((2, 3), np.float32)
    (tmp_path / "model.onnx").write_bytes(make_model(scale, x, factor=2.0))
    session = execute(block("options.register_custom_ops(Scale)"), Scale=scale)["session"]
    assert session.run(None, {"x0": x})[0].tolist() == (2 * x).tolist()
    assert scale(x, factor=2.0).tolist() == (2 * x).tolist()


def test_class_of_the_guide():
    lookup = execute(block("class Lookup:"))["Lookup"]
    tokens = check_op(lookup, np.array(["b a", "a z b"], object), vocabulary=["-", "a", "b"])
    assert [t.tolist() for t in tokens] == [[2, 1, 1, 0, 2], [2, 3]]


def test_inference_function_of_the_guide():
    repeat = execute(block("@Repeat.infer_types"))["Repeat"]
    assert check_op(repeat, np.ones((2, 2)), np.array(3), axis=1).shape == (2, 6)


def test_test_of_the_guide(scale):
    execute(block("def test_scale"), Scale=scale, np=np)["test_scale"]()


def test_project_of_the_guide_publishes_its_domain():
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads(block("[project]"))["project"]
    assert project["entry-points"]["ort_core.custom_ops"] == {"my.domain": "my_ops"}


def test_library_of_the_guide(tmp_path, monkeypatch):
    pytest.importorskip("ort_custom_ops._native")
    # Looked up and not imported: it imports real onnxruntime, which stays out of this process.
    if importlib.util.find_spec("onnxruntime_extensions") is None:
        pytest.skip("onnxruntime-extensions is not installed")
    monkeypatch.chdir(tmp_path)
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17, "ai.onnx.contrib": 1]> g (string[N] x) => (string[N] y) '
        "{ y = ai.onnx.contrib.StringUpper(x) }"
    )
    (tmp_path / "with_tokenizer.onnx").write_bytes(model.SerializeToString())
    code = block("from onnxruntime_extensions import get_library_path")
    code = code.replace("from onnxruntime_extensions import get_library_path", "")
    session = execute(code, ort=ort, get_library_path=_library_path)["session"]
    assert session.run(None, {"x": np.array(["ab"], object)})[0].tolist() == ["AB"]


def _library_path():
    spec = importlib.util.find_spec("onnxruntime_extensions")
    (found,) = Path(spec.origin).parent.glob("_extensions_pydll*.so")
    return str(found)
