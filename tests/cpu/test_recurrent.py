"""LSTM, GRU and RNN: every attribute against the reference provider."""

import itertools

import numpy as np
import pytest
from parity_session import FLOATS, REJECTIONS, assert_parity, run_native

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
ACTIVATIONS = {"LSTM": 3, "GRU": 2, "RNN": 1}
NAMES = ["Relu", "Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu", "Softsign", "Softplus"]


def layer(
    op, *, steps=5, batch=3, features=7, hidden=20, direction="forward", layout=0, dtype=np.float32, rest=(), seed=0
):
    """The inputs of a layer; `rest` names the optional ones: b, lengths, h, c, p."""
    rng = np.random.default_rng(seed)
    gates, directions = GATES[op] * hidden, 2 if direction == "bidirectional" else 1

    def random(*shape):
        return (rng.standard_normal(shape) * 0.4).astype(dtype)

    state = (batch, directions, hidden) if layout else (directions, batch, hidden)
    optional = {
        "b": lambda: random(directions, 2 * gates),
        "lengths": lambda: rng.integers(0, steps + 1, batch).astype(np.int32),
        "h": lambda: random(*state),
        "c": lambda: random(*state),
        "p": lambda: random(directions, 3 * hidden),
    }
    inputs = [
        random(batch, steps, features) if layout else random(steps, batch, features),
        random(directions, gates, features),
        random(directions, gates, hidden),
        *(make() if name in rest else None for name, make in optional.items()),
    ]
    return inputs if op == "LSTM" else inputs[:6]


def check(op, inputs, *, hidden=20, constants=(1, 2, 3, 7), **attributes):
    outputs = (0, 1, 2) if op == "LSTM" else (0, 1)
    constants = [i for i in constants if i < len(inputs) and inputs[i] is not None]
    assert_parity(op, inputs, outputs=outputs, constants=constants, tolerance=1e-4, hidden_size=hidden, **attributes)


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("layout", [0, 1])
@pytest.mark.parametrize("rest", [(), ("b", "h", "c"), ("b", "lengths"), ("lengths", "h", "p")], ids=str)
def test_layers_scan_in_every_direction_and_layout(op, direction, layout, rest):
    check(op, layer(op, direction=direction, layout=layout, rest=rest), direction=direction, layout=layout)


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("constants", [(), (1, 2, 3, 7)], ids=["fed", "constant"])
def test_weights_are_constant_or_fed_in_every_float_type(op, dtype, constants):
    check(op, layer(op, dtype=dtype, rest=("b", "h", "c", "p")), constants=constants)


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize(("batch", "hidden"), list(itertools.product([1, 2, 26], [1, 16, 70])))
@pytest.mark.parametrize("threads", [1, 4])
def test_any_size_is_divided_among_threads(op, batch, hidden, threads):
    inputs = layer(op, batch=batch, hidden=hidden, direction="bidirectional", rest=("b",))
    check(op, inputs, hidden=hidden, direction="bidirectional", threads=threads)


@pytest.mark.parametrize("hidden", [64, 256])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
@pytest.mark.parametrize("rest", [("b",), ("b", "lengths")], ids=str)
def test_long_sequences_in_parallel(hidden, direction, rest):
    inputs = layer("LSTM", steps=40, batch=2, hidden=hidden, features=64, direction=direction, rest=rest)
    check(
        "LSTM",
        [x / 4 if i in (1, 2) else x for i, x in enumerate(inputs)],
        hidden=hidden,
        direction=direction,
        threads=2,
    )


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=str)
def test_every_activation_takes_its_parameters(op, name, dtype):
    names = (["Sigmoid", name, "Tanh"] if op == "LSTM" else ["Sigmoid", name])[: ACTIVATIONS[op]]
    if op == "RNN":
        names = [name]
    inputs = layer(op, dtype=dtype, rest=("b",))
    for parameters in ({}, {"activation_alpha": [0.3], "activation_beta": [0.4]}):
        check(op, inputs, activations=names, **parameters)


@pytest.mark.parametrize("op", GATES)
def test_clip_bounds_what_enters_the_gates(op):
    check(op, layer(op, rest=("b", "p")), clip=0.3)


@pytest.mark.parametrize("linear_before_reset", [0, 1])
@pytest.mark.parametrize("activations", [None, ["HardSigmoid", "Softsign"]], ids=str)
def test_gru_resets_before_or_after_its_product(linear_before_reset, activations):
    attributes = {} if activations is None else {"activations": activations}
    check("GRU", layer("GRU", rest=("b", "h", "lengths")), linear_before_reset=linear_before_reset, **attributes)


def test_lstm_couples_input_and_forget_gates():
    check("LSTM", layer("LSTM", rest=("b", "c", "p")), input_forget=1)


@pytest.mark.parametrize("op", GATES)
def test_wrong_layers_are_rejected(op):
    inputs = layer(op)
    too_long = [*inputs[:4], np.array([5, 6, 1], np.int32)]
    wrong_w = [inputs[0], inputs[1][:, :, :-1], inputs[2]]
    for wrong, attributes in [
        (too_long, {}),
        (wrong_w, {}),
        (inputs[:3], {"hidden_size": 19}),
        (inputs[:3], {"direction": "sideways"}),
        (inputs[:3], {"activations": ["Tanh"] * 7}),
        (inputs[:3], {"activations": ["Unknown"] * ACTIVATIONS[op]}),
    ]:
        with pytest.raises(REJECTIONS):
            run_native(op, wrong, **{"hidden_size": 20, **attributes})
