"""Transforms, windows and losses against numpy and the reference provider."""

import numpy as np
import pytest
from onnx import TensorProto
from parity_session import FLOATS, REJECTIONS, assert_close, assert_parity, run_native

LENGTHS = [1, 2, 3, 4, 5, 8, 12, 16, 17, 30, 31, 37, 64, 74, 100, 400, 1013]
"""Powers of two, products of small primes, and lengths with large prime factors."""


def random(*shape, dtype=np.float32):
    return np.random.default_rng([*shape]).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=str)
def test_dft_of_any_length_and_back(length, dtype):
    x = random(3, length, 2, dtype=dtype)
    tolerance = 1e-4 if dtype == np.float32 else 1e-10
    (y,) = run_native("DFT", [x])
    expected = np.fft.fft(x[..., 0] + 1j * x[..., 1])
    assert_close(y, np.stack([expected.real, expected.imag], -1).astype(dtype), tolerance)
    (back,) = run_native("DFT", [y], inverse=1)
    assert_close(back, x, tolerance)


@pytest.mark.parametrize("length", LENGTHS[1:])
def test_one_sided_dft_and_back(length):
    x = random(2, length, 1, dtype=np.float64)
    (y,) = run_native("DFT", [x], onesided=1)
    expected = np.fft.rfft(x[..., 0])
    assert_close(y, np.stack([expected.real, expected.imag], -1), 1e-10)
    (back,) = run_native("DFT", [y, np.array(length)], onesided=1, inverse=1)
    assert_close(back, x, 1e-10)


@pytest.mark.parametrize("axis", [0, 1, 2, -2, -3])
@pytest.mark.parametrize("length", [None, 4, 9])
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("flags", [{}, {"inverse": 1}, {"onesided": 1}], ids=str)
def test_dft_along_any_axis_cuts_or_pads(axis, length, parts, flags):
    inputs = [random(5, 6, 7, parts), None if length is None else np.array(length), np.array(axis)]
    assert_parity("DFT", inputs, constants=[i for i in (1, 2) if inputs[i] is not None], tolerance=1e-4, **flags)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_dft_of_every_type(dtype):
    assert_parity("DFT", [random(2, 12, 1).astype(dtype)], tolerance=1e-4)


@pytest.mark.parametrize("onesided", [0, 1])
@pytest.mark.parametrize("window", [None, 16], ids=str)
@pytest.mark.parametrize("length", [None, 16], ids=str)
def test_stft_transforms_windowed_frames(onesided, window, length):
    inputs = [random(2, 50, 1), np.array(7), None if window is None else random(window)]
    inputs += [] if length is None else [np.array(length)]
    constants = [i for i in (1, 3) if i < len(inputs)]
    assert_parity("STFT", inputs, constants=constants, tolerance=1e-4, onesided=onesided)


@pytest.mark.parametrize("op", ["HannWindow", "HammingWindow", "BlackmanWindow"])
@pytest.mark.parametrize("periodic", [0, 1])
@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16])
def test_windows_of_cosines(op, periodic, dtype):
    assert_parity(op, [np.array(11)], types={0: dtype}, periodic=periodic, output_datatype=dtype)


def test_mel_weights_are_triangles():
    scalars = [np.array(8), np.array(16), np.array(8192)]
    edges = [np.array(0, np.float32), np.array(4096, np.float32)]
    assert_parity("MelWeightMatrix", [*scalars, *edges], types={0: TensorProto.FLOAT})


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignore", [{}, {"ignore_index": 2}, {"ignore_index": -5}], ids=str)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_losses_of_classes(reduction, weighted, ignore, dtype):
    for shape in [(6, 5), (2, 5, 3, 4)]:
        target = np.random.default_rng(0).integers(0, 5, (shape[0], *shape[2:]))
        if ignore.get("ignore_index") == -5:
            target.reshape(-1)[1] = -5
        weights = [np.abs(random(5)).astype(dtype)] if weighted else []
        inputs = [random(*shape).astype(dtype), target, *weights]
        assert_parity("NegativeLogLikelihoodLoss", inputs, tolerance=1e-4, reduction=reduction, **ignore)
        for outputs in ((0,), (0, 1)):
            assert_parity(
                "SoftmaxCrossEntropyLoss", inputs, outputs=outputs, tolerance=1e-4, reduction=reduction, **ignore
            )


@pytest.mark.parametrize("op", ["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"])
@pytest.mark.parametrize("target", [-1, 5])
def test_classes_that_are_not_there_are_rejected(op, target):
    with pytest.raises(REJECTIONS, match=f"target {target}"):
        run_native(op, [random(1, 5), np.array([target])])


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("DFT", [random(2, 4, 1), np.array(0)]),
        ("DFT", [random(2, 4, 1), np.array(-(2**62))]),
        ("DFT", [random(2, 4, 1), None, np.array(2)]),
        ("DFT", [random(2, 4, 3)]),
        ("STFT", [random(1, 8, 1), np.array(0), None, np.array(4)]),
        ("STFT", [random(1, 8, 1), np.array(1), None, np.array(9)]),
        ("HannWindow", [np.array(-3)]),
    ],
)
def test_wrong_signals_are_rejected(op, inputs):
    with pytest.raises(REJECTIONS):
        run_native(op, inputs, types={0: TensorProto.FLOAT})
