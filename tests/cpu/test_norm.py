"""Normalisations against double precision."""

import ml_dtypes
import numpy as np
import pytest
from movement_session import REJECTIONS, assert_same, run_node

from ort_provider_cpu import _native

FLOATS = [np.dtype(t) for t in (np.float32, np.float64, np.float16, ml_dtypes.bfloat16)]
ELEMENT = {"float32": 1, "float16": 10, "float64": 11, "bfloat16": 16}


def float32(value):
    """The attribute as the model holds it."""
    return float(np.float32(value))


def random(shape, dtype, seed=0, mean=0.0, scale=1.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale + mean).astype(dtype)


def assert_near(actual, expected, dtype, factor=8.0):
    assert actual.dtype == dtype
    assert actual.shape == expected.shape
    eps = float(ml_dtypes.finfo(dtype).eps)
    np.testing.assert_allclose(actual.astype(np.float64), expected, rtol=eps * factor, atol=eps * factor)


def normalized(x, axes, epsilon=1e-5):
    """The mean, 1 / sqrt(variance + epsilon), and x normalised with them."""
    mean = x.mean(axis=axes, keepdims=True)
    inverse = 1 / np.sqrt(x.var(axis=axes, keepdims=True) + float32(epsilon))
    return mean, inverse, (x - mean) * inverse


def wide(*arrays):
    return [a.astype(np.float64) for a in arrays]


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("shape", [(6,), (3, 17), (2, 3, 64), (2, 2, 3, 5), (1, 768)])
def test_layer_normalization_over_the_last_axes(shape, dtype):
    x = random(shape, dtype, mean=0.5)
    for axis in range(-1, len(shape) - 1):
        rest = shape[axis:]
        scale, bias = random(rest, dtype, 1), random(rest, dtype, 2)
        axes = tuple(range(axis % len(shape), len(shape)))
        wide_x, wide_scale, wide_bias = wide(x, scale, bias)
        mean, inverse, y = normalized(wide_x, axes, 1e-3)
        actual = run_node("LayerNormalization", x, scale, bias, axis=axis, epsilon=1e-3, outputs=3, threads=2)
        assert_near(actual[0], y * wide_scale + wide_bias, dtype, 16)
        assert_near(actual[1], mean, np.dtype(np.float32))
        assert_near(actual[2], inverse, np.dtype(np.float32), 16)
        assert_near(run_node("LayerNormalization", x, scale, axis=axis, epsilon=1e-3), y * wide_scale, dtype, 16)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize(
    "scale_shape", [(), (1,), (6,), (5, 1), (5, 6), (4, 1, 1), (4, 5, 6), (1, 1, 6), (4, 1, 6)], ids=str
)
def test_scales_broadcast(scale_shape, dtype):
    x, scale, bias = random((4, 5, 6), dtype), random(scale_shape, dtype, 1), random(scale_shape[1:], dtype, 2)
    wide_x, wide_scale, wide_bias = wide(x, scale, bias)
    for axis, axes in ((-1, (2,)), (1, (1, 2)), (0, (0, 1, 2))):
        expected = normalized(wide_x, axes)[2]
        actual = run_node("LayerNormalization", x, scale, bias, axis=axis)
        assert_near(actual, expected * wide_scale + wide_bias, dtype, 16)
        rms = wide_x / np.sqrt((wide_x**2).mean(axis=axes, keepdims=True) + float32(1e-5))
        assert_near(run_node("RMSNormalization", x, scale, axis=axis), rms * wide_scale, dtype, 16)


def test_a_large_mean_costs_no_more_than_its_rounding():
    x = random((3, 4096), np.float32, mean=1000)
    actual = run_node("LayerNormalization", x, np.ones(4096, np.float32))
    expected = normalized(x.astype(np.float64), 1)[2]
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


def test_moments_have_the_type_of_stash_type():
    x, scale = random((3, 8), np.float32), np.ones(8, np.float32)
    _, mean, inverse = run_node("LayerNormalization", x, scale, outputs=3, stash_type=16)
    expected = normalized(x.astype(np.float64), 1)
    assert_near(mean, expected[0], np.dtype(ml_dtypes.bfloat16))
    assert_near(inverse, expected[1], np.dtype(ml_dtypes.bfloat16))


@pytest.mark.parametrize("x_type", FLOATS, ids=str)
@pytest.mark.parametrize("scale_type", FLOATS, ids=str)
def test_rms_normalization_gives_the_type_of_the_scale(x_type, scale_type):
    x, scale = random((3, 4, 70), x_type), random((70,), scale_type, 1)
    wide_x, wide_scale = wide(x, scale)
    expected = wide_x / np.sqrt((wide_x**2).mean(axis=-1, keepdims=True) + float32(1e-5)) * wide_scale
    assert_near(run_node("RMSNormalization", x, scale), expected, scale_type, 16)


@pytest.mark.parametrize("op", ["LayerNormalization", "RMSNormalization"])
def test_row_normalization_of_nothing_and_wrong_shapes(op):
    assert run_node(op, np.zeros((0, 4), np.float32), np.ones(4, np.float32)).shape == (0, 4)
    assert run_node(op, np.zeros((4, 0), np.float32), np.ones(0, np.float32)).shape == (4, 0)
    for scale in ((3,), (2, 4, 4), (4, 1)):
        with pytest.raises(REJECTIONS):
            run_node(op, np.zeros((2, 4), np.float32), np.ones(scale, np.float32))
    for axis in (2, -3):
        with pytest.raises(REJECTIONS):
            run_node(op, np.zeros((2, 4), np.float32), np.ones(4, np.float32), axis=axis)


def skip_normalization(arrays, wants_sum, **attributes):
    """The outputs of the provider's own operator, which no model can contain."""
    program = _native.Program(_native.Environment(threads=2))
    present = [a for a in arrays if a is not None]
    slots = iter([program.add_input((ELEMENT[str(a.dtype)], list(a.shape))) for a in present])
    inputs = [-1 if a is None else next(slots) for a in arrays]
    element = ELEMENT[str(arrays[0].dtype)]
    outputs = program.add_node(
        "ort.cpu", "SkipLayerNormalization", "node", attributes, inputs, [(element, None)] * (1 + wants_sum)
    )
    program.finish(outputs, [(element, None)] * len(outputs))
    names = [f"x{i}" for i in range(len(present))]
    runner = program.runner(
        [(name, a.dtype, a.shape) for name, a in zip(names, present, strict=True)],
        [(f"y{i}", arrays[0].dtype) for i in range(len(outputs))],
    )
    return runner.run(list(present), lambda index, shape: np.empty(shape, arrays[0].dtype), 0, None)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("simplified", [0, 1])
@pytest.mark.parametrize("wants_sum", [False, True])
def test_skip_layer_normalization(dtype, simplified, wants_sum):
    for shape in ((5, 33), (2, 3, 64), (700, 40)):
        x, residual = random(shape, dtype), random(shape, dtype, 1)
        for has_bias, has_pre_bias in ((True, True), (False, True), (True, False), (False, False)):
            scale = random(shape[-1:], dtype, 2)
            bias = random(shape[-1:], dtype, 3) if has_bias else None
            pre_bias = random(shape[-1:], dtype, 4) if has_pre_bias else None
            attributes = {"epsilon": ("FLOAT", 1e-3), "simplified": ("INT", simplified)}
            results = skip_normalization([x, residual, scale, bias, pre_bias], wants_sum, **attributes)
            total = sum(wide(x, residual), wide(pre_bias)[0] if has_pre_bias else 0.0)
            if simplified:
                y = total / np.sqrt((total**2).mean(axis=-1, keepdims=True) + float32(1e-3))
            else:
                y = normalized(total, -1, 1e-3)[2]
            y = y * wide(scale)[0] + (wide(bias)[0] if has_bias else 0.0)
            assert_near(np.asarray(results[0]), y, dtype, 32)
            if wants_sum:
                assert_near(np.asarray(results[1]), total, dtype, 8)


IMAGES = [(2, 6, 5, 7), (3, 4, 40), (2, 12, 3, 4, 5), (5, 8), (1, 4, 100, 100)]


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("shape", IMAGES, ids=str)
def test_group_and_instance_normalization(shape, dtype):
    x = random(shape, dtype, mean=0.5)
    channels = shape[1]
    scale, bias = random((channels,), dtype, 1), random((channels,), dtype, 2)
    wide_x, *affine = wide(x, scale, bias)
    wide_scale, wide_bias = (a.reshape(1, -1, *[1] * (len(shape) - 2)) for a in affine)
    for groups in (1, 2, channels):
        grouped = wide_x.reshape(shape[0], groups, -1)
        expected = normalized(grouped, 2, 1e-3)[2].reshape(shape) * wide_scale + wide_bias
        actual = run_node("GroupNormalization", x, scale, bias, num_groups=groups, epsilon=1e-3, threads=2)
        assert_near(actual, expected, dtype, 16)
    if len(shape) > 2:
        assert_near(run_node("InstanceNormalization", x, scale, bias, epsilon=1e-3), expected, dtype, 16)


def test_group_normalization_rejects():
    x, scale = np.zeros((2, 6, 3), np.float32), np.ones(6, np.float32)
    for groups in (0, -1, 4, 7):
        with pytest.raises(REJECTIONS):
            run_node("GroupNormalization", x, scale, scale, num_groups=groups)
    for op, attributes in (("GroupNormalization", {"num_groups": 2}), ("InstanceNormalization", {})):
        assert run_node(op, x[:0], scale, scale, **attributes).shape == (0, 6, 3)
        with pytest.raises(REJECTIONS):
            run_node(op, x, scale[1:], scale, **attributes)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("shape", [*IMAGES, (7, 1), (300, 17)], ids=str)
def test_batch_normalization(shape, dtype):
    x = random(shape, dtype)
    c = shape[1]
    parameters = [random((c,), dtype, i) for i in (1, 2, 3)] + [np.abs(random((c,), dtype, 4)) + dtype.type(0.5)]
    spread = (1, -1, *[1] * (len(shape) - 2))
    scale, bias, mean, variance = (p.reshape(spread) for p in wide(*parameters))
    expected = (wide(x)[0] - mean) / np.sqrt(variance + float32(1e-5)) * scale + bias
    for constants in ((), (1, 2, 3, 4)):
        actual = run_node("BatchNormalization", x, *parameters, threads=2, constants=constants)
        assert_near(actual, expected, dtype, 16)


def test_batch_normalization_of_mixed_types_and_odd_shapes():
    x = random((3, 4, 5), np.float16)
    ones, zeros = np.ones(4, np.float32), np.zeros(4, np.float32)
    assert_near(run_node("BatchNormalization", x, ones, zeros, zeros, ones), wide(x)[0], np.dtype(np.float16))
    assert run_node("BatchNormalization", x[:0], ones, zeros, zeros, ones).shape == (0, 4, 5)
    assert_near(
        run_node("BatchNormalization", x[0, 0], *(a[:1] for a in (ones, zeros, zeros, ones))),
        wide(x[0, 0])[0],
        x.dtype,
    )
    with pytest.raises(REJECTIONS):
        run_node("BatchNormalization", x, ones, zeros[1:], zeros, ones)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("shape", [(4, 3, 5, 6), (30, 300), (9, 2, 1)], ids=str)
def test_batch_normalization_in_training(shape, dtype):
    x = random(shape, dtype, mean=0.5)
    c = shape[1]
    scale, bias, mean, variance = (np.abs(random((c,), dtype, i)) for i in range(1, 5))
    wide_x, wide_scale, wide_bias, wide_mean, wide_variance = wide(x, scale, bias, mean, variance)
    axes = (0, *range(2, len(shape)))
    spread = (1, -1, *[1] * (len(shape) - 2))
    y, new_mean, new_variance = run_node(
        "BatchNormalization", x, scale, bias, mean, variance, training_mode=1, momentum=0.75, outputs=3
    )
    expected = normalized(wide_x, axes)[2] * wide_scale.reshape(spread) + wide_bias.reshape(spread)
    assert_near(y, expected, dtype, 32)
    assert_near(new_mean, wide_mean * 0.75 + wide_x.mean(axis=axes) * 0.25, dtype)
    assert_near(new_variance, wide_variance * 0.75 + wide_x.var(axis=axes) * 0.25, dtype)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("p", [1, 2])
def test_lp_normalization(p, dtype):
    for shape in ((7,), (3, 40), (2, 5, 6), (2, 3, 700)):
        x = random(shape, dtype)
        for axis in range(-1, len(shape) - 1):
            wide_x = wide(x)[0]
            norm = (np.abs(wide_x) ** p).sum(axis=axis, keepdims=True) ** (1 / p)
            assert_near(run_node("LpNormalization", x, axis=axis, p=p), wide_x / norm, dtype)
    zeros = np.zeros((2, 3), dtype)
    assert_same(run_node("LpNormalization", zeros, p=p), zeros)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("axes", [[0, 2, 3], [1], [3], [0], [2, 3], [0, 1, 2, 3], [-1, 1], [1, 2]], ids=str)
def test_mean_variance_normalization(axes, dtype):
    for shape in ((3, 4, 5, 6), (2, 3, 1, 300)):
        x = random(shape, dtype, mean=2)
        wide_x = wide(x)[0]
        mean = wide_x.mean(axis=tuple(axes), keepdims=True)
        deviation = wide_x.std(axis=tuple(axes), keepdims=True)
        expected = (wide_x - mean) / (deviation + 1e-9)
        # A mean that is rounded to float moves the results by a part of the deviation.
        rounding = 32 * (1 + float(np.max(np.abs(mean) / (deviation + 1e-9)))) if dtype == np.float32 else 32
        assert_near(run_node("MeanVarianceNormalization", x, axes=axes, threads=2), expected, dtype, rounding)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 20])
def test_local_response_normalization(size, dtype):
    for shape, beta in (((2, 7, 3, 4), 0.75), ((1, 6, 1100), 0.6), ((3, 5), 1.0)):
        x = random(shape, dtype)
        squares = wide(x)[0] ** 2
        before, after = (size - 1) // 2, -(-(size - 1) // 2)
        total = np.stack([squares[:, max(0, c - before) : c + after + 1].sum(axis=1) for c in range(shape[1])], axis=1)
        expected = wide(x)[0] / (1.5 + float32(0.3) / size * total) ** float32(beta)
        actual = run_node("LRN", x, size=size, alpha=0.3, beta=beta, bias=1.5)
        assert_near(actual, expected, dtype)


def test_degenerate_local_response_and_lp_normalization():
    x = np.zeros((2, 0, 3), np.float32)
    assert run_node("LRN", x, size=3).shape == x.shape
    assert run_node("LRN", np.ones((1, 2, 3), np.float32), size=2**62).shape == (1, 2, 3)
    assert run_node("LpNormalization", x, axis=1).shape == x.shape
    for op, attributes in (("LRN", {"size": 0}), ("LpNormalization", {"p": 3}), ("LpNormalization", {"axis": 3})):
        with pytest.raises(REJECTIONS):
            run_node(op, np.ones((2, 3, 4), np.float32), **attributes)
