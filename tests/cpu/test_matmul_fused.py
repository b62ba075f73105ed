"""The products that graph passes make: FusedMatMul, GatedMatMul and MultiMatMul."""

import itertools
import math

import numpy as np
import onnx
import pytest
from onnx import helper
from product_session import REJECTIONS, assert_close, random, run_product

import ort_core
from ort_core.errors import NotImplemented as NotImplementedByProvider

erf = np.vectorize(math.erf)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


ACTIVATIONS = {
    "none": lambda x, a, b: x,
    "relu": lambda x, a, b: np.maximum(x, 0),
    "clip": np.clip,
    "leaky_relu": lambda x, a, b: np.where(x < 0, a * x, x),
    "sigmoid": lambda x, a, b: sigmoid(x),
    "tanh": lambda x, a, b: np.tanh(x),
    "silu": lambda x, a, b: x * sigmoid(a * x),
    "hard_sigmoid": lambda x, a, b: np.clip(a * x + b, 0, 1),
    "hard_swish": lambda x, a, b: x * np.clip(a * x + b, 0, 1),
    "gelu_erf": lambda x, a, b: x * (1 + erf(x / np.sqrt(2))) / 2,
    "gelu_tanh": lambda x, a, b: x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2,
    "elu": lambda x, a, b: np.where(x < 0, a * np.expm1(x), x),
    "softplus": lambda x, a, b: np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0),
    "mish": lambda x, a, b: x * np.tanh(np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    for m, k, n in [(1, 20, 40), (5, 30, 3), (20, 1100, 70)]:
        x, w, bias = random(m, k), random(k, n, seed=1), random(n, seed=2)
        for constants in ((1,), ()):
            actual = run_product(
                "FusedMatMul", x, w, bias, constants=constants, domain="ort.cpu", alpha=0.25, activation=name,
                activation_alpha=0.2, activation_beta=0.6,
            )  # fmt: skip
            exact = ACTIVATIONS[name](0.25 * (x.astype(np.float64) @ w) + bias, np.float32(0.2), np.float32(0.6))
            assert_close(actual, exact, k)


def test_transpositions_bias_and_residual():
    for (batch, m, n, k), a, b in itertools.product([((), 9, 20, 30), ((2, 3), 7, 70, 16)], (0, 1), (0, 1)):
        x = random(*batch, *((k, m) if a else (m, k)))
        bias, residual = random(n, seed=2), random(*batch, m, n, seed=3)
        for stack in ((), batch):
            w = random(*stack, *((n, k) if b else (k, n)), seed=1)
            left, right = (np.swapaxes(x, -1, -2) if a else x), (np.swapaxes(w, -1, -2) if b else w)
            product = left.astype(np.float64) @ right
            for with_bias, with_residual, constants in itertools.product((0, 1), (0, 1), ((), (1,))):
                actual = run_product(
                    "FusedMatMul", x, w, bias if with_bias else None, residual if with_residual else None,
                    constants=constants, domain="ort.cpu", transA=a, transB=b, activation="relu",
                )  # fmt: skip
                assert_close(actual, np.maximum(product + with_bias * bias + with_residual * residual, 0), k)


@pytest.mark.parametrize("rows", [1, 5, 300])
def test_operand_that_is_also_the_residual(rows):
    w = random(96, 96, seed=1)
    nodes = [
        helper.make_node("Relu", ["input"], ["x"]),
        helper.make_node("FusedMatMul", ["x", "w", "", "x"], ["y"], domain="ort.cpu"),
    ]
    tensor = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "residual",
        [helper.make_tensor_value_info("input", tensor, [None, 96])],
        [helper.make_tensor_value_info("y", tensor, [None, 96])],
        [onnx.numpy_helper.from_array(w, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("ort.cpu", 1)])
    session = ort_core.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = random(rows, 96)
    (actual,) = session.run(None, {"input": x})
    x = np.maximum(x, 0).astype(np.float64)
    assert_close(actual, x @ w + x, 96)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("low_memory", [False, True])
def test_gated_products(threads, low_memory):
    for shape, n in [((1, 64), 100), ((2, 9, 40), 33), ((150, 1100), 200), ((1, 500), 2000), ((0, 8), 5)]:
        x, gate, up = random(*shape), random(shape[-1], n, seed=1), random(shape[-1], n, seed=2)
        actual = run_product(
            "GatedMatMul", x, gate / 8, up, constants=(1, 2), domain="ort.cpu", threads=threads, low_memory=low_memory,
            activation="silu", activation_alpha=1.0,
        )  # fmt: skip
        x = x.astype(np.float64)
        expected = ACTIVATIONS["silu"](x @ (gate / 8), 1, 0) * (x @ up)
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("low_memory", [False, True])
@pytest.mark.parametrize("biased", [0, 1])
def test_products_with_several_matrices(threads, low_memory, biased):
    for shape, sizes in [
        ((1, 64), (64, 16, 16)),
        ((2, 30, 64), (100, 70)),
        ((1, 600), (900, 300, 300)),
        ((40, 90), (3, 200)),
    ]:
        x = random(*shape)
        matrices = [random(shape[-1], n, seed=i + 1) for i, n in enumerate(sizes)]
        biases = [random(n, seed=i + 10) for i, n in enumerate(sizes)] if biased else []
        outputs = run_product(
            "MultiMatMul", x, *matrices, *biases, outputs=len(sizes), constants=range(1, len(sizes) + 1), threads=threads,
            low_memory=low_memory, domain="ort.cpu", biases=biased,
        )  # fmt: skip
        for i, actual in enumerate(outputs):
            assert_close(actual, x.astype(np.float64) @ matrices[i] + (biases[i] if biased else 0), shape[-1])


def test_wrong_operands_are_rejected():
    x, w = random(3, 4), random(4, 5)
    wrong = [
        ("FusedMatMul", (x, w), {"activation": "swoosh"}),
        ("FusedMatMul", (x, w, random(4)), {}),
        ("FusedMatMul", (x, w, None, random(4, 5)), {}),
        ("FusedMatMul", (x, w), {"transB": 1}),
        ("GatedMatMul", (x, w, random(4, 6)), {}),
        ("GatedMatMul", (random(3, 5), w, w), {}),
        ("MultiMatMul", (x, w, random(5, 5)), {"outputs": 2}),
        ("MultiMatMul", (x, w, random(4)), {"biases": 1}),
    ]
    for op, inputs, attributes in wrong:
        with pytest.raises((*REJECTIONS, NotImplementedByProvider)):
            run_product(op, *inputs, domain="ort.cpu", **attributes)
