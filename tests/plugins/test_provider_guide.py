"""The code of docs/writing-a-provider.md, run as written."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import numpy as np
import onnx.parser
import pytest

import ort_core as ort
from ort_core.providers import hooks, registry
from ort_core.providers.options import check_options_class, parse_options

GUIDE = Path(__file__).parents[2] / "docs" / "writing-a-provider.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)
NAME = "XyzExecutionProvider"
MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[N] x, float low) => (float[N] y) { a = Add (x, x) b = LeakyRelu <alpha = 0.5> (a) y = Clip (b, low) }
"""


def block(text: str) -> str:
    (found,) = [code for _, code in BLOCKS if text in code]
    return found


def execute(code: str) -> dict[str, object]:
    scope: dict[str, object] = {"__name__": __name__}
    exec(compile(code, str(GUIDE), "exec", dont_inherit=True), scope)
    return scope


@pytest.fixture
def guide(empty_site):
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads(block("[project]"))["project"]
    package = empty_site.path / "ort_provider_xyz"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text(block("class XyzPlugin"))
    (package / "kernels.py").write_text(block("class XyzProvider"))
    for name in [m for m in sys.modules if m.startswith("ort_provider_xyz")]:
        del sys.modules[name]
    empty_site.install(project["name"], version=project["version"], groups=project["entry-points"])
    return empty_site


def test_provider_of_the_guide_is_available_and_runs(guide):
    assert NAME in registry.get_available_providers()
    model = onnx.parser.parse_model(MODEL).SerializeToString()
    with ort.InferenceSession(model, providers=[NAME], on_provider_error="raise") as session:
        assert session.get_providers()[0] == NAME
        (y,) = session.run(None, {"x": np.array([-4, 3], np.float32), "low": np.array(-1, np.float32)})
    np.testing.assert_array_equal(y, [-1, 6])


def test_options_of_the_guide_are_accepted():
    plugin = execute(block("class XyzOptions"))["ConfiguredPlugin"]()
    assert check_options_class(plugin.options) is None
    options = parse_options(plugin.options, {"device_id": "1", "precision": "fast", "cache": "c"}, NAME)
    assert (options.device_id, options.precision, options.cache) == (1, "fast", Path("c"))


def test_hook_of_the_guide_is_called(site, capsys):
    module = types.SimpleNamespace(**execute(block("ort_core_run_finished")))
    hooks.register_hooks(module, "guide")
    try:
        hooks.notify_run_finished(hooks.run_observers(), hooks.RunEvent("session", ("y",)))
    finally:
        hooks.unregister_hooks("guide")
    assert "('y',)" in capsys.readouterr().out
