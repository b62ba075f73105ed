"""The digits example: its accuracy claim, its samples, its files, its script and the commands of its README."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import ort_core
from ort_core.cli import main

FOLDER = Path(__file__).parents[2] / "examples" / "digits"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ ort-core (.*)$", README, re.MULTILINE)


@pytest.fixture(scope="module")
def session():
    return ort_core.InferenceSession(str(FOLDER / "digits.onnx"))


@pytest.fixture(scope="module")
def split():
    with np.load(FOLDER / "test_split.npz") as archive:
        return archive["images"], archive["labels"]


@pytest.fixture
def train(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("train")
    for name in ("train", "cnn"):
        sys.modules.pop(name, None)


def to_input(images: np.ndarray) -> np.ndarray:
    return images[:, None].astype(np.float32) / np.float32(255)


def read_png(path: Path) -> np.ndarray:
    with pytest.importorskip("PIL.Image").open(path) as image:
        return np.asarray(image)


def test_accuracy_is_the_stated_one(session, split):
    images, labels = split
    digit, probabilities = session.run(None, {"image": to_input(images)})
    right = int((digit == labels).sum())
    stated = session.get_modelmeta().custom_metadata_map["test_accuracy"]
    assert f"{right / len(labels):.4f}" == stated
    assert f"**{right / len(labels) * 100:.2f} %**" in README
    assert f"{right} of {len(labels)}" in README
    assert right / len(labels) >= 0.985
    np.testing.assert_array_equal(probabilities.argmax(axis=1), digit)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("digit", range(10))
def test_every_sample_is_predicted_right(digit, session, split):
    pixels = read_png(FOLDER / "samples" / f"{digit}.png")
    assert pixels.dtype == np.uint8
    assert pixels.shape == (8, 8)
    assert any(np.array_equal(pixels, image) for image in split[0][split[1] == digit])
    predicted, probabilities = session.run(None, {"image": to_input(pixels[None])})
    assert predicted.tolist() == [digit]
    assert probabilities[0, digit] > 0.9


def test_session_declares_inputs_and_outputs(session):
    described = [(v.name, v.type, v.shape) for v in (*session.get_inputs(), *session.get_outputs())]
    assert described == [
        ("image", "tensor(float)", ["N", 1, 8, 8]),
        ("digit", "tensor(int64)", ["N"]),
        ("probabilities", "tensor(float)", ["N", 10]),
    ]


@pytest.mark.parametrize("batch", [0, 1, 7])
def test_batch_size_is_free(batch, session, split):
    digit, probabilities = session.run(None, {"image": to_input(split[0][:batch])})
    assert digit.shape == (batch,)
    assert probabilities.shape == (batch, 10)


def test_committed_files_are_small():
    assert (FOLDER / "digits.onnx").stat().st_size < 200_000
    assert (FOLDER / "test_split.npz").stat().st_size < 50_000


def test_test_split_is_the_scripts_and_disjoint_from_training(train, split):
    pytest.importorskip("sklearn")
    train_part, test_part = train.load_splits()
    np.testing.assert_array_equal(test_part.images, split[0])
    np.testing.assert_array_equal(test_part.labels, split[1])
    assert len(train_part.labels) + len(test_part.labels) == 1797
    seen = {image.tobytes() for image in train_part.images}
    assert not any(image.tobytes() in seen for image in test_part.images)


def test_script_exports_the_structure_of_the_committed_model(train):
    committed = onnx.load(FOLDER / "digits.onnx")
    layers = train.build_network(np.random.default_rng(1))
    exported = train.to_onnx(layers, {p.key: p.value for p in committed.metadata_props})
    for model in (committed, exported):
        for weight in model.graph.initializer:
            weight.ClearField("raw_data")
    assert exported == committed


def test_exported_model_computes_what_the_network_computes(train, tmp_path, split):
    layers = train.build_network(np.random.default_rng(1))
    onnx.save(train.to_onnx(layers, {}), tmp_path / "m.onnx")
    images = to_input(split[0][:20])
    (probabilities,) = ort_core.InferenceSession(str(tmp_path / "m.onnx")).run(["probabilities"], {"image": images})
    expected = sys.modules["cnn"].softmax(train.forward(layers, images))
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4, atol=1e-6)


def test_gradients_agree_with_finite_differences(train):
    rng = np.random.default_rng(2)
    layers = train.build_network(rng)
    for layer in layers:
        layer.params = {name: array.astype(np.float64) for name, array in layer.params.items()}
    images, labels = rng.random((4, 1, 8, 8)), np.array([3, 1, 4, 1])
    train.backward(layers, train.forward(layers, images), labels)
    gradients = [dict(layer.grads) for layer in layers]
    for layer, grads in zip(layers, gradients, strict=True):
        for name, array in layer.params.items():
            index = tuple(rng.integers(0, size) for size in array.shape)
            losses = []
            for step in (1e-5, -1e-5):
                array[index] += step
                losses.append(train.backward(layers, train.forward(layers, images), labels))
                array[index] -= step
            assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(grads[name][index], rel=1e-3, abs=1e-6)


def test_script_learns(train, capsys):
    pytest.importorskip("sklearn")
    train_part, test_part = train.load_splits()
    assert train.accuracy(train.train(train_part, epochs=2), test_part) > 0.85
    assert "epoch  2" in capsys.readouterr().out


def test_readme_has_commands():
    assert len(COMMANDS) >= 4


@pytest.mark.parametrize("command", COMMANDS)
def test_readme_commands_work(command, tmp_path, monkeypatch, capsys):
    shutil.copytree(FOLDER, tmp_path / "digits", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path / "digits")
    assert main(shlex.split(command)) == 0
    out = capsys.readouterr().out
    digits = [int(digit) for digit in re.findall(r"samples/(\d)\.png", command)]
    assert str(digits) in out
    if "--json" not in command and len(digits) == 1 and "--output" in command:
        table = re.search(r"^output  type .*?(?=^```)", README, re.MULTILINE | re.DOTALL)
        assert table is not None
        assert out.startswith(table[0])


def test_readme_python_prints_the_accuracy(monkeypatch):
    monkeypatch.chdir(FOLDER)
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code[1], "README.md", "exec"), {})
    assert f"prints `{printed.getvalue().strip()}`" in README
