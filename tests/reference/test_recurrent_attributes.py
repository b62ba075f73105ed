"""What `onnx.reference` ignores in recurrent layers: lengths, activations, clipping, peepholes, coupled gates."""

import numpy as np
import pytest
from reference_helpers import f32, noise, run, run_all

from ort_core.errors import InvalidGraph, RuntimeException

HIDDEN = 3
LAYERS = [("RNN", 1), ("GRU", 3), ("LSTM", 4)]


def weights(gates: int, directions: int = 1) -> list[np.ndarray]:
    return [
        noise(directions, gates * HIDDEN, 2, seed=1),
        noise(directions, gates * HIDDEN, HIDDEN, seed=2),
        noise(directions, 2 * gates * HIDDEN, seed=3),
    ]


@pytest.mark.parametrize(("op_type", "gates"), LAYERS)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_each_sequence_is_run_for_its_own_length(op_type: str, gates: int, direction: str) -> None:
    x = noise(5, 3, 2)
    parameters = weights(gates, 2 if direction == "bidirectional" else 1)
    lengths = np.int32([5, 2, 0])
    settings = {"hidden_size": HIDDEN, "direction": direction, "outputs": 2}
    if op_type == "RNN" and direction == "bidirectional":
        settings["activations"] = ["Tanh", "Tanh"]
    y, final = run_all(op_type, x, *parameters, lengths, **settings)
    for batch, length in enumerate(lengths.tolist()):
        alone_y, alone_final = run_all(op_type, x[:length, batch : batch + 1], *parameters, **settings)
        np.testing.assert_allclose(y[:length, :, batch], alone_y[:, :, 0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(final[:, batch], alone_final[:, 0], rtol=1e-5, atol=1e-6)
        assert not y[length:, :, batch].any()


def test_activations_take_their_parameters_in_order() -> None:
    x, w, r = f32(-2, 4).reshape(1, 2, 1), np.ones((2, 1, 1), np.float32), np.zeros((2, 1, 1), np.float32)
    y = run(
        "RNN", x, w, r, hidden_size=1, direction="bidirectional",
        activations=["LeakyRelu", "affine"], activation_alpha=[0.5, 3.0], activation_beta=[1.0],
    )  # fmt: skip
    assert y[0, 0].ravel().tolist() == [-1, 4]
    assert y[0, 1].ravel().tolist() == [-5, 13]


@pytest.mark.parametrize(
    ("name", "alpha", "beta", "expected"),
    [
        ("Relu", None, None, [0, 2]),
        ("Sigmoid", None, None, [0.11920292, 0.88079708]),
        ("HardSigmoid", None, None, [0.1, 0.9]),
        ("ThresholdedRelu", [1.5], None, [0, 2]),
        ("ScaledTanh", [2.0], [0.5], [-1.5231883, 1.5231883]),
        ("Elu", [0.5], None, [-0.43233236, 2]),
        ("Softsign", None, None, [-2 / 3, 2 / 3]),
        ("Softplus", None, None, [0.126928, 2.126928]),
    ],
)
def test_activation_functions(name, alpha, beta, expected) -> None:
    x, w, r = f32(-2, 2).reshape(1, 2, 1), np.ones((1, 1, 1), np.float32), np.zeros((1, 1, 1), np.float32)
    y = run("RNN", x, w, r, hidden_size=1, activations=[name], activation_alpha=alpha, activation_beta=beta)
    np.testing.assert_allclose(y.ravel(), expected, rtol=1e-5, atol=1e-6)


def test_clip_bounds_what_goes_into_activations() -> None:
    x, w, r = f32(-9, 9).reshape(1, 2, 1), np.ones((1, 1, 1), np.float32), np.zeros((1, 1, 1), np.float32)
    y = run("RNN", x, w, r, hidden_size=1, activations=["Relu"], clip=2.5)
    assert y.ravel().tolist() == [0, 2.5]


def test_peepholes_and_coupled_gates_change_the_cell_as_written() -> None:
    x = np.zeros((1, 1, 1), np.float32)
    w, r = np.zeros((1, 4, 1), np.float32), np.zeros((1, 4, 1), np.float32)
    cell, peepholes = f32(2).reshape(1, 1, 1), f32(1, 0, -1)[None]
    none = [None, None, None]

    def sigmoid(v: float) -> float:
        return 1 / (1 + np.exp(-v))

    _, _, c = run_all("LSTM", x, w, r, *none, cell, peepholes, hidden_size=1, outputs=3)
    np.testing.assert_allclose(c.item(), sigmoid(-2) * 2, rtol=1e-6)
    _, _, c = run_all("LSTM", x, w, r, *none, cell, peepholes, hidden_size=1, outputs=3, input_forget=1)
    np.testing.assert_allclose(c.item(), (1 - sigmoid(2)) * 2, rtol=1e-6)


def test_gru_resets_before_or_after_the_product() -> None:
    x, h = np.zeros((1, 1, 1), np.float32), f32(1).reshape(1, 1, 1)
    w, r = np.zeros((1, 3, 1), np.float32), f32(0, 0, 1).reshape(1, 3, 1)
    b = f32(0, 0, 0, 0, 0, 1)[None]
    for linear, inner in ((0, 0.5 * 1 + 1), (1, 0.5 * (1 + 1))):
        y = run("GRU", x, w, r, b, None, h, hidden_size=1, linear_before_reset=linear)
        np.testing.assert_allclose(y.item(), 0.5 * np.tanh(inner) + 0.5, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_outputs_have_the_type_of_the_input(dtype) -> None:
    inputs = [v.astype(dtype) for v in (noise(3, 2, 2), *weights(4))]
    assert {o.dtype for o in run_all("LSTM", *inputs, hidden_size=HIDDEN, outputs=3)} == {np.dtype(dtype)}


def test_unknown_activation_is_found_when_binding() -> None:
    with pytest.raises(InvalidGraph, match="activation 'gelu' is unknown"):
        run("RNN", noise(1, 1, 2), *weights(1), hidden_size=HIDDEN, activations=["gelu"])


def test_too_few_activations_are_found_when_binding() -> None:
    with pytest.raises(InvalidGraph, match="6 activations are needed"):
        run("LSTM", noise(1, 1, 2), *weights(4, 2), direction="bidirectional", activations=["Tanh"])


@pytest.mark.parametrize("lengths", [np.int32([3]), np.int32([1, 9]), np.int32([1, -1])])
def test_senseless_lengths_are_refused(lengths) -> None:
    with pytest.raises(RuntimeException, match="sequence_lens must hold 2 lengths from 0 to 4"):
        run("GRU", noise(4, 2, 2), *weights(3), lengths, hidden_size=HIDDEN)


def test_hidden_size_that_contradicts_the_weights_is_refused() -> None:
    with pytest.raises(RuntimeException, match="hidden_size is 7"):
        run("GRU", noise(4, 2, 2), *weights(3), hidden_size=7)


def test_no_steps_return_the_initial_state() -> None:
    y, final = run_all("RNN", np.zeros((0, 1, 2), np.float32), *weights(1), None, noise(1, 1, HIDDEN), outputs=2)
    assert y.shape == (0, 1, 1, HIDDEN)
    assert final.tolist() == noise(1, 1, HIDDEN).tolist()
