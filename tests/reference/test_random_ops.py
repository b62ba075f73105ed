import numpy as np
import pytest
from reference_helpers import OPSETS, f32, make_node

import ort_core
from ort_core import random as ort_random
from ort_core.errors import InvalidArgument
from ort_core.reference_ops import bind


@pytest.fixture(autouse=True)
def _no_process_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort_random, "_process_seed", None)


def normal(name: str = "noise", **attributes):
    return bind(make_node("RandomNormal", shape=[4], name=name, **attributes), OPSETS)


def test_consecutive_runs_draw_new_numbers() -> None:
    call = normal(seed=1.0)
    assert not np.array_equal(call()[0], call()[0])


def test_seed_attribute_repeats_the_numbers_of_a_new_binding() -> None:
    assert np.array_equal(normal(seed=1.0)()[0], normal(seed=1.0)()[0])
    assert not np.array_equal(normal(seed=1.0)()[0], normal(seed=2.5)()[0])


def test_without_seeds_bindings_differ() -> None:
    assert not np.array_equal(normal()()[0], normal()()[0])


def test_process_seed_repeats_the_numbers_of_each_node() -> None:
    ort_core.set_seed(7)
    first = [normal("a")()[0], normal("b")()[0]]
    ort_core.set_seed(7)
    second = [normal("a")()[0], normal("b")()[0]]
    assert np.array_equal(first, second)
    assert not np.array_equal(first[0], first[1])


def test_process_seed_does_not_touch_what_is_bound_already() -> None:
    call, same = normal(seed=3.0), normal(seed=3.0)
    call()
    ort_core.set_seed(7)
    same()
    assert np.array_equal(call()[0], same()[0])


def test_negative_process_seed_is_taken() -> None:
    ort_core.set_seed(-1)
    assert normal()()[0].shape == (4,)


@pytest.mark.parametrize("seed", [1.5, "1", None, True])
def test_process_seed_must_be_an_integer(seed) -> None:
    with pytest.raises(InvalidArgument, match="set_seed takes an integer"):
        ort_core.set_seed(seed)


def test_process_seed_may_be_a_numpy_integer() -> None:
    ort_core.set_seed(np.int64(3))
    assert normal()()[0].shape == (4,)


@pytest.mark.parametrize("code", [1, 10, 11, 16])
def test_attribute_dtype_is_the_output_type(code: int) -> None:
    assert normal(dtype=code)()[0].dtype == ort_core.ir.types.ElementType(code).dtype


def test_like_variants_take_shape_and_type_of_the_input() -> None:
    x = np.zeros((2, 3), np.float64)
    for op in ("RandomNormalLike", "RandomUniformLike"):
        result = bind(make_node(op, x), OPSETS)(x)[0]
        assert (result.shape, result.dtype) == ((2, 3), np.float64)
        assert bind(make_node(op, x, dtype=1), OPSETS)(x)[0].dtype == np.float32


def test_distributions_have_the_parameters_asked_for() -> None:
    n = bind(make_node("RandomNormal", shape=[20000], mean=3.0, scale=2.0, seed=1.0), OPSETS)()[0]
    assert (abs(n.mean() - 3) < 0.1, abs(n.std() - 2) < 0.1) == (True, True)
    u = bind(make_node("RandomUniform", shape=[20000], low=-1.0, high=3.0, seed=1.0), OPSETS)()[0]
    assert (u.min() >= -1, u.max() < 3, abs(u.mean() - 1) < 0.1) == (True, True, True)


def test_bernoulli_draws_at_the_rate_of_its_input() -> None:
    p = np.full(20000, 0.25, np.float32)
    draws = bind(make_node("Bernoulli", p, dtype=9, seed=1.0), OPSETS)(p)[0]
    assert draws.dtype == bool
    assert abs(draws.mean() - 0.25) < 0.02


def test_multinomial_draws_classes_at_their_rates() -> None:
    logits = np.log(f32(0.2, 0.8))[None]
    draws = bind(make_node("Multinomial", logits, sample_size=20000, dtype=7, seed=1.0), OPSETS)(logits)[0]
    assert (draws.shape, draws.dtype) == ((1, 20000), np.int64)
    assert abs(draws.mean() - 0.8) < 0.02


def test_multinomial_never_draws_an_impossible_class() -> None:
    logits = f32(-np.inf, 0, -np.inf)[None]
    assert set(bind(make_node("Multinomial", logits, sample_size=99), OPSETS)(logits)[0].ravel()) == {1}


def test_dropout_in_training_scales_what_it_keeps() -> None:
    x = np.ones(1000, np.float32)
    inputs = (x, np.array(0.25, np.float32), np.array(True))
    y, mask = bind(make_node("Dropout", *inputs, outputs=2, seed=5), OPSETS)(*inputs)
    assert np.array_equal(y, np.where(mask, np.float32(1 / 0.75), 0).astype(np.float32))
    assert abs(mask.mean() - 0.75) < 0.05


def test_dropout_for_inference_passes_its_input_on() -> None:
    x = f32(1, 2)
    y, mask = bind(make_node("Dropout", x, outputs=2), OPSETS)(x)
    assert y.tolist() == [1, 2]
    assert mask.all()


def test_dropout_seed_gives_the_numbers_of_the_onnx_test_data() -> None:
    x = np.ones(8, np.float32)
    inputs = (x, np.array(0.5, np.float32), np.array(True))
    _, mask = bind(make_node("Dropout", *inputs, outputs=2, seed=0), OPSETS)(*inputs)
    assert np.array_equal(mask, np.random.RandomState(0).uniform(0, 1, 8) >= 0.5)
