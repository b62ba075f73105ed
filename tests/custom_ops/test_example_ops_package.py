"""The example package of operators as it would be installed, without pip: its sources and its entry points on the path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "examples" / "ort-ops-example"

RUN = """
import sys
import numpy as np
import onnx.parser
import ort_core as ort

def loaded(): return sorted(m for m in sys.modules if m.startswith("ort_ops_example."))

def model(text): return onnx.parser.parse_model(text).SerializeToString()

plain = model('<ir_version: 10, opset_import: ["": 21]> g (float[N] x) => (float[N] y) { y = Neg(x) }')
ort.InferenceSession(plain).close()
print(loaded())
published = model('''<ir_version: 10, opset_import: ["": 21, "example.text": 1, "example.vision": 1]>
g (string[N] x, uint8[H,W,3] image) => (string[N] y, float[A,B,C] boxed) {
    y = example.text.NormalizeText(x)
    boxed, scale, offsets = example.vision.Letterbox<size = [8, 8]>(image)
}''')
with ort.InferenceSession(published) as session:
    y, boxed = session.run(None, {"x": np.array(["  A  b"], object), "image": np.zeros((4, 8, 3), np.uint8)})
    print(y.tolist(), boxed.shape, [tuple(o.shape) for o in session.get_outputs()])
print(loaded())
"""
EXPECTED = """[]
['a b'] (3, 8, 8) [('N',), (3, 8, 8)]
['ort_ops_example.text', 'ort_ops_example.vision']
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the metadata of the package as pip would install it."""
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    folder = tmp_path_factory.mktemp("site")
    metadata = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    return folder


def _python(site, *arguments):
    paths = [str(site), str(ROOT / "src"), *filter(None, sys.path)]
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=site,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )


def test_models_that_name_its_domains_run_and_others_do_not_import_it(site):
    done = _python(site, "-W", "error", "-c", RUN)
    assert done.stdout == EXPECTED, done.stderr


def test_its_own_tests_pass(site):
    config = str(ROOT / "pyproject.toml")
    done = _python(site, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", config, str(ROOT / "tests"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_allow_list_of_plugins_holds_for_it(site, monkeypatch):
    monkeypatch.setenv("ORT_CORE_DISABLE_PLUGINS", "1")
    done = _python(site, "-W", "error", "-c", RUN)
    assert "example.text::NormalizeText" in done.stderr
