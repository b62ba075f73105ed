"""Trains the digit classifier on scikit-learn's handwritten digits and writes everything in this folder but the code.

Run as `python train.py [FOLDER]`: writes `digits.onnx`, `test_split.npz` and `samples/` into FOLDER (by default, beside
this file). Needs numpy, onnx, scikit-learn and Pillow; takes well under two minutes on one core.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from cnn import Adam, Conv3x3, Dense, Flatten, Layer, MaxPool2x2, Relu, backward, build_network, forward
from onnx import TensorProto, helper, numpy_helper

SEED = 20240
EPOCHS = 60
BATCH = 64
PEAK_LEARNING_RATE = 4e-3
WEIGHT_DECAY = 0.02
TEST_FRACTION = 0.25
OPSET = 18


@dataclass(frozen=True)
class Split:
    """Images [N, 8, 8] as uint8 (0 is background, 255 full ink) and labels [N]."""

    images: np.ndarray
    labels: np.ndarray


def load_splits() -> tuple[Split, Split]:
    """The training and the test part of `sklearn.datasets.load_digits`, each with the same mix of classes."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    labels = digits.target.astype(np.uint8)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_FRACTION, stratify=labels, random_state=SEED, shuffle=True
    )
    return Split(images[train], labels[train]), Split(images[test], labels[test])


def to_input(images: np.ndarray) -> np.ndarray:
    """uint8 images [N, 8, 8] as the model wants them: float32 [N, 1, 8, 8], 0 to 1."""
    return images[:, None].astype(np.float32) / np.float32(255)


def shift(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every image [N, 1, 8, 8] moved by -1, 0 or 1 pixel along each axis, zeros moving in."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (8, 8), axis=(2, 3))
    rows, columns = rng.choice(3, size=(2, len(images)), p=[0.15, 0.7, 0.15])
    return windows[np.arange(len(images)), :, rows, columns]


def batches(split: Split, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """One epoch of shuffled, shifted images and their labels."""
    order = rng.permutation(len(split.labels))
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        yield shift(to_input(split.images[chosen]), rng), split.labels[chosen]


def train(split: Split, epochs: int = EPOCHS) -> list[Layer]:
    """A network trained on `split`, the learning rate falling from its peak to zero along a half cosine."""
    rng = np.random.default_rng(SEED)
    layers = build_network(rng)
    optimiser = Adam(layers, WEIGHT_DECAY)
    total = epochs * -(-len(split.labels) // BATCH)
    for epoch in range(epochs):
        losses = []
        for images, labels in batches(split, rng):
            losses.append(backward(layers, forward(layers, images), labels))
            optimiser.step(PEAK_LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * optimiser.steps / total)))
        if epoch % 10 == 9 or epoch == epochs - 1:
            print(f"epoch {epoch + 1:2}: loss {np.mean(losses):.4f}")
    return layers


def accuracy(layers: Sequence[Layer], split: Split) -> float:
    """The fraction of `split` whose digit is predicted right."""
    return float((forward(layers, to_input(split.images)).argmax(axis=1) == split.labels).mean())


def to_onnx(layers: Sequence[Layer], metadata: dict[str, str]) -> onnx.ModelProto:
    """The network as an ONNX model with outputs `digit` [N] and `probabilities` [N, 10]."""
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    value = "image"
    for index, layer in enumerate(layers):
        last = index == len(layers) - 1
        name = f"{type(layer).__name__.lower()}_{index}"
        inputs = [value]
        attributes: dict[str, Any] = {}
        for key, array in layer.params.items():
            inputs.append(f"{name}.{key}")
            weights.append(numpy_helper.from_array(array, inputs[-1]))
        match layer:
            case Conv3x3():
                op, attributes = "Conv", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
            case Relu():
                op = "Relu"
            case MaxPool2x2():
                op, attributes = "MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}
            case Flatten():
                op = "Flatten"
            case Dense():
                op = "Gemm"
            case _:
                raise TypeError(f"no ONNX operator for {type(layer).__name__}")
        value = "logits" if last else f"{name}_out"
        nodes.append(helper.make_node(op, inputs, [value], name=name, **attributes))
    nodes.append(helper.make_node("ArgMax", [value], ["digit"], name="argmax", axis=1, keepdims=0))
    nodes.append(helper.make_node("Softmax", [value], ["probabilities"], name="softmax", axis=1))
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [
            helper.make_tensor_value_info("digit", TensorProto.INT64, ["N"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10]),
        ],
        weights,
        doc_string="Handwritten digits: image [N, 1, 8, 8], 0 (background) to 1 (ink).",
    )
    model = helper.make_model(
        graph, producer_name="ort-core-example-digits", ir_version=9, opset_imports=[helper.make_opsetid("", OPSET)]
    )
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    return model


def write_samples(split: Split, folder: Path) -> None:
    """The first test image of each digit as an 8x8 grey PNG: `0.png` to `9.png`."""
    from PIL import Image

    folder.mkdir(exist_ok=True)
    for digit in range(10):
        first = np.flatnonzero(split.labels == digit)[0]
        Image.fromarray(split.images[first]).save(folder / f"{digit}.png", optimize=True)


def main(folder: Path) -> None:
    """Trains, measures on the test split and writes the files into `folder`."""
    train_split, test_split = load_splits()
    layers = train(train_split)
    measured = accuracy(layers, test_split)
    wrong = round((1 - measured) * len(test_split.labels))
    print(f"test accuracy {measured:.4f} ({wrong} of {len(test_split.labels)} wrong)")
    metadata = {
        "classes": json.dumps([str(digit) for digit in range(10)]),
        "dataset": "scikit-learn load_digits (UCI Optical Recognition of Handwritten Digits)",
        "input_scaling": "grey level / 255, background 0, ink 1",
        "test_accuracy": f"{measured:.4f}",
        "test_images": str(len(test_split.labels)),
        "train_images": str(len(train_split.labels)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(to_onnx(layers, metadata), folder / "digits.onnx")
    np.savez_compressed(folder / "test_split.npz", images=test_split.images, labels=test_split.labels)
    write_samples(test_split, folder / "samples")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
