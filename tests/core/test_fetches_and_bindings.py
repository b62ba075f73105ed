"""What is fetched and where it goes: subsets, bound buffers on host and device, memory that nobody else shares."""

from __future__ import annotations

import gc
import random

import numpy as np
import pytest
from core_helpers import (
    DEVICE,
    NAME,
    REFERENCE,
    ScriptedProvider,
    X,
    f32,
    info,
    kernels,
    model,
    node,
    plugin_of,
    registered,
    session,
)
from random_models import random_case

import ort_core as ort
from ort_core.errors import InvalidArgument, RuntimeException
from ort_core.providers.kernel import kernel
from ort_core.run.results import share_memory
from ort_core.testing import fake_device

OPS = [
    "Add",
    "Sub",
    "Mul",
    "Neg",
    "Abs",
    "Less",
    "Greater",
    "Not",
    "And",
    "Identity",
    "Relu",
    "Cast",
    "ReduceSum",
    "Concat",
]
ASYNC = "disable_synchronize_execution_providers"


def check(got, want):
    np.testing.assert_array_equal(got, want, strict=True)


def device_value(array):
    return ort.OrtValue.ortvalue_from_numpy(array, "fake", 0)


def split(rng, count=None):
    return {"ops": ",".join(rng.sample(OPS, count or rng.randint(1, len(OPS))))}


# -- which outputs


@pytest.mark.parametrize("seed", range(40))
def test_any_choice_of_outputs_gives_what_the_full_run_gives(seed):
    rng = random.Random(seed)
    case = random_case(1000 + seed)
    feeds = case.feeds(seed)
    expected = dict(zip(case.outputs, case.expected(feeds), strict=True))
    providers, optimize = (DEVICE, split(rng)), rng.random() < 0.5
    with fake_device(seed=seed, delay=(0.0, 20e-6)), session(case.model, providers, optimize=optimize) as opened:
        for _ in range(6):
            names = rng.choices(case.outputs, k=rng.randint(1, len(case.outputs) + 1))
            for name, got in zip(names, opened.run(names, feeds), strict=True):
                check(got, expected[name])


@kernel("Bad", domain="t")
def bad(x):
    raise ValueError("must not run")


@pytest.mark.parametrize("device", [False, True])
def test_nodes_that_no_fetched_output_needs_do_not_run(device):
    nodes = [
        node("Neg", ["x"], ["n"]),
        node("Bad", ["n"], ["b"], domain="t"),
        node("Abs", ["n"], ["y"]),
        node("Add", ["b", "n"], ["z"]),
        node("Bad", ["y"], ["unused"], domain="t"),
    ]
    data = model(nodes, outputs=["y", "z"])
    providers = [DEVICE] if device else []
    with fake_device(), kernels(bad) as name, session(data, *providers, name, REFERENCE) as opened:
        for _ in range(2):
            np.testing.assert_array_equal(opened.run(["y"], {"x": X})[0], np.abs(X))
            with pytest.raises(RuntimeException, match=r"Bad_b.*must not run"):
                opened.run(["z"], {"x": X})


def test_outputs_that_are_an_input_a_constant_or_asked_for_twice():
    data = model([node("Neg", ["x"], ["y"])], outputs=["x", "c", "y"], constants={"c": f32(4, 5, 6)})
    x = X.copy()
    with session(data, REFERENCE) as opened:
        for _ in range(2):
            results = opened.run(["y", "x", "c", "x", "y", "c"], {"x": x})
            for got, want in zip(results, [-X, X, [4, 5, 6], X, -X, [4, 5, 6]], strict=True):
                np.testing.assert_array_equal(got, want)
            for got in results:
                got[...] = 77
            np.testing.assert_array_equal(x, X)


# -- bound outputs


@pytest.mark.parametrize("seed", range(60))
def test_outputs_bound_anywhere_hold_the_results(seed):
    """Host and device buffers, new memory on host and device, inputs on either, for outputs of every kind."""
    rng = random.Random(seed)
    case = random_case(2000 + seed, nodes=25)
    feeds = case.feeds(seed)
    expected = dict(zip(case.outputs, case.expected(feeds), strict=True))
    with fake_device(seed=seed, delay=(0.0, 20e-6)) as control:
        with session(case.model, (DEVICE, split(rng)), REFERENCE, optimize=rng.random() < 0.5) as opened:
            for _ in range(3):
                binding = opened.io_binding()
                for name, array in feeds.items():
                    if rng.random() < 0.5:
                        binding.bind_cpu_input(name, array)
                    else:
                        binding.bind_ortvalue_input(name, device_value(array))
                names = rng.sample(case.outputs, rng.randint(1, len(case.outputs)))
                targets = {}
                for name in names:
                    want = expected[name]
                    how = rng.choice(["cpu", "fake", "host buffer", "device buffer"])
                    if how.endswith("buffer") and want.size:
                        scratch = np.zeros(want.shape, want.dtype)
                        target = (
                            device_value(scratch)
                            if how == "device buffer"
                            else ort.OrtValue.ortvalue_from_numpy(scratch)
                        )
                        targets[name] = (target, target.data_ptr())
                        binding.bind_ortvalue_output(name, target)
                    else:
                        binding.bind_output(name, "fake" if how == "fake" else "cpu")
                opened.run_with_iobinding(binding)
                for name, value, copy in zip(names, binding.get_outputs(), binding.copy_outputs_to_cpu(), strict=True):
                    check(copy, expected[name])
                    if name in targets:
                        target, address = targets[name]
                        assert value.data_ptr() == target.data_ptr() == address
                        check(target.numpy(), expected[name])
                for name, array in case.feeds(seed).items():
                    np.testing.assert_array_equal(feeds[name], array)
                del binding, targets, value
                target = None
        del opened
        control.check_no_leaks()


def twice() -> bytes:
    """Three outputs that the optimiser finds to be one value, which a later node reads as well."""
    nodes = [
        node("Mul", ["x", "x"], ["v"]),
        *[node("Identity", ["v"], [n]) for n in ("a", "b")],
        node("Neg", ["a"], ["z"]),
    ]
    return model(nodes, outputs=["a", "b", "v", "z"])


@pytest.mark.parametrize("provider", [DEVICE, REFERENCE])
@pytest.mark.parametrize("where", ["host host", "device device", "host device", "device host"])
def test_one_value_bound_to_two_buffers(provider, where):
    first, second = where.split()
    make = {"host": ort.OrtValue.ortvalue_from_numpy, "device": device_value}
    with fake_device(), session(twice(), provider, REFERENCE, optimize=True) as opened:
        targets = {"a": make[first](np.zeros(3, np.float32)), "b": make[second](np.zeros(3, np.float32))}
        binding = opened.io_binding()
        binding.bind_cpu_input("x", X)
        for name, target in targets.items():
            binding.bind_ortvalue_output(name, target)
        binding.bind_output("v")
        binding.bind_output("z")
        opened.run_with_iobinding(binding)
        for target in targets.values():
            np.testing.assert_array_equal(target.numpy(), X * X)
        v, z = binding.copy_outputs_to_cpu()[2:]
        np.testing.assert_array_equal(v, X * X)
        np.testing.assert_array_equal(z, -X * X)


def test_a_result_does_not_share_the_buffer_bound_to_another_one():
    with fake_device(), session(twice(), DEVICE, REFERENCE, optimize=True) as opened:
        target = device_value(np.zeros(3, np.float32))
        binding = opened.io_binding()
        binding.bind_ortvalue_input("x", device_value(X))
        binding.bind_ortvalue_output("a", target)
        for name in ("b", "v"):
            binding.bind_output(name, "fake")
        opened.run_with_iobinding(binding)
        target.update_inplace(np.zeros(3, np.float32))
        for other in binding.get_outputs()[1:]:
            np.testing.assert_array_equal(other.numpy(), X * X)


@pytest.mark.parametrize("place", ["host", "fake"])
@pytest.mark.parametrize("provider", [DEVICE, REFERENCE])
def test_an_output_may_be_written_over_an_input(place, provider):
    """Every node sees the old contents: y = x + x goes over x, which z = x * y reads too."""
    nodes = [node("Add", ["x", "x"], ["y"]), node("Mul", ["x", "y"], ["z"])]
    data = model(nodes, outputs=["y", "z", "x"])
    make = device_value if place == "fake" else ort.OrtValue.ortvalue_from_numpy
    with fake_device(), session(data, provider, REFERENCE) as opened:
        x = make(X.copy())
        want = X.copy()
        for _ in range(3):
            binding = opened.io_binding()
            binding.bind_ortvalue_input("x", x)
            binding.bind_ortvalue_output("y", x)
            binding.bind_output("z")
            binding.bind_output("x", "fake" if place == "fake" else "cpu")
            opened.run_with_iobinding(binding)
            _, z, old = binding.copy_outputs_to_cpu()
            np.testing.assert_array_equal(z, 2 * want * want)
            np.testing.assert_array_equal(old, want)
            want = 2 * want
            np.testing.assert_array_equal(x.numpy(), want)


@pytest.mark.parametrize("place", ["host", "fake"])
@pytest.mark.parametrize("computed", [False, True])
def test_two_inputs_are_exchanged_in_place(place, computed):
    inputs = ["x", "w"]
    outputs = ["a", "b"]
    op = "Neg" if computed else "Identity"
    data = model([node(op, ["w"], ["a"]), node(op, ["x"], ["b"])], inputs, outputs)
    make = device_value if place == "fake" else ort.OrtValue.ortvalue_from_numpy
    sign = -1 if computed else 1
    for optimize in (False, True):
        with fake_device(), session(data, DEVICE, REFERENCE, optimize=optimize) as opened:
            x, w = make(f32(1, 2, 3)), make(f32(4, 5, 6))
            binding = opened.io_binding()
            for name, target, output in (("x", x, "a"), ("w", w, "b")):
                binding.bind_ortvalue_input(name, target)
                binding.bind_ortvalue_output(output, target)
            opened.run_with_iobinding(binding)
            np.testing.assert_array_equal(x.numpy(), sign * f32(4, 5, 6))
            np.testing.assert_array_equal(w.numpy(), sign * f32(1, 2, 3))


def test_two_outputs_bound_to_one_buffer_do_not_disturb_a_third():
    nodes = [node("Add", ["x", "x"], ["a"]), node("Neg", ["x"], ["b"]), node("Mul", ["a", "b"], ["c"])]
    with fake_device(), session(model(nodes, outputs=["a", "b", "c"]), DEVICE, REFERENCE) as opened:
        for make in (device_value, ort.OrtValue.ortvalue_from_numpy):
            target = make(np.zeros(3, np.float32))
            binding = opened.io_binding()
            binding.bind_cpu_input("x", X)
            binding.bind_ortvalue_output("a", target)
            binding.bind_ortvalue_output("b", target)
            binding.bind_output("c")
            opened.run_with_iobinding(binding)
            np.testing.assert_array_equal(binding.copy_outputs_to_cpu()[2], -2 * X * X)


def test_an_overwritten_input_is_not_a_stable_address():
    """An engine that replays a captured graph for a `binding_id` would write elsewhere than the caller asked for."""
    seen = []

    def run(ctx, inputs, partition):
        seen.append(ctx.binding_id)
        return [np.add(inputs[0], 1)]

    data = model([node("Neg", ["x"], ["y"])])
    with registered(plugin_of(lambda: ScriptedProvider(run))), session(data, NAME) as opened:
        for target in (np.zeros(3, np.float32), None):
            x = ort.OrtValue.ortvalue_from_numpy(X.copy())
            binding = opened.io_binding()
            binding.bind_ortvalue_input("x", x)
            binding.bind_ortvalue_output("y", x if target is None else ort.OrtValue.ortvalue_from_numpy(target))
            opened.run_with_iobinding(binding)
    assert seen[0] is not None
    assert seen[1] is None


@pytest.mark.parametrize("op", ["Add", "Abs"])
@pytest.mark.parametrize("place", ["host", "fake"])
def test_a_bound_buffer_of_the_right_size_and_wrong_shape_is_refused(op, place):
    """Whether the output is computed on the device or on the host, and wherever the buffer lies."""
    shape = [info("x", ("n", "m"))]
    data = model([node(op, ["x", "x"] if op == "Add" else ["x"], ["y"])], shape, [info("y", ("n", "m"))])
    make = device_value if place == "fake" else ort.OrtValue.ortvalue_from_numpy
    with fake_device(), session(data, (DEVICE, {"ops": "Add"}), REFERENCE) as opened:
        target = make(np.zeros((3, 2), np.float32))
        binding = opened.io_binding()
        binding.bind_cpu_input("x", np.ones((2, 3), np.float32))
        binding.bind_ortvalue_output("y", target)
        with pytest.raises(InvalidArgument, match=r"output 'y'.*\[3, 2\].*\[2, 3\]"):
            opened.run_with_iobinding(binding)
        np.testing.assert_array_equal(target.numpy(), 0)


def test_overlap_is_found_as_by_comparing_all_pairs():
    rng = random.Random(0)
    base = np.zeros(64, np.float32)
    found = set()
    for _ in range(500):

        def piece():
            start = rng.randrange(60)
            return base[start : start + rng.randrange(6)]

        buffers, others = ([piece() for _ in range(rng.randrange(5))] for _ in range(2))
        pairs = [(a, b) for i, a in enumerate(buffers) for b in (*buffers[:i], *others)]
        want = any(np.shares_memory(a, b) for a, b in pairs)
        assert share_memory(buffers, [*others, None, [base]]) is want
        found.add(want)
    assert found == {True, False}


# -- memory of one's own


@pytest.mark.parametrize("seed", range(40))
def test_writing_to_results_changes_neither_feeds_nor_later_results(seed):
    rng = random.Random(seed)
    case = random_case(3000 + seed, nodes=20)
    feeds = case.feeds(seed)
    expected = case.expected(feeds)
    providers, optimize = (DEVICE, split(rng)), rng.random() < 0.5
    with fake_device(seed=seed, delay=(0.0, 20e-6)), session(case.model, providers, optimize=optimize) as opened:
        for _ in range(3):
            results = opened.run(None, feeds)
            for index, got in enumerate(results):
                check(got, expected[index])
                got[...] = ~got if got.dtype == np.bool_ else 55
            for name, array in case.feeds(seed).items():
                np.testing.assert_array_equal(feeds[name], array)


@pytest.mark.parametrize("seed", range(30))
def test_values_on_the_device_belong_to_one_result_only(seed):
    rng = random.Random(seed)
    case = random_case(4000 + seed, nodes=20)
    arrays = case.feeds(seed)
    expected = case.expected(arrays)
    with fake_device(seed=seed, delay=(0.0, 20e-6)) as control:
        with session(case.model, (DEVICE, split(rng, len(OPS))), REFERENCE, optimize=rng.random() < 0.5) as opened:
            makers = rng.choices([device_value, ort.OrtValue.ortvalue_from_numpy], [7, 3], k=len(arrays))
            feeds = {name: make(array) for make, (name, array) in zip(makers, arrays.items(), strict=True)}
            results = opened.run_with_ort_values(None, feeds)
            addresses = [v.data_ptr() for v in (*feeds.values(), *results) if v.numpy().size]
            assert len(set(addresses)) == len(addresses)
            for got, want in zip(results, expected, strict=True):
                check(got.numpy(), want)
                if want.size:
                    got.update_inplace(np.zeros_like(want))
            for got, want in zip(opened.run_with_ort_values(None, feeds), expected, strict=True):
                check(got.numpy(), want)
            for name, value in feeds.items():
                np.testing.assert_array_equal(value.numpy(), arrays[name])
        control.check()


# -- runs that are not waited for


def asynchronous():
    options = ort.RunOptions()
    options.add_run_config_entry(ASYNC, "1")
    return options


def add() -> bytes:
    return model([node("Add", ["x", "x"], ["y"])])


def test_the_result_of_a_pending_run_may_be_fed_to_another_session():
    with fake_device(delay=(1e-3, 2e-3)) as control, session(add(), DEVICE) as first, session(add(), DEVICE) as second:
        for _ in range(5):
            binding = first.io_binding()
            binding.bind_ortvalue_input("x", device_value(X))
            binding.bind_output("y", "fake")
            first.run_with_iobinding(binding, asynchronous())
            (y,) = binding.get_outputs()
            np.testing.assert_array_equal(second.run(None, {"x": y})[0], 4 * X)
        control.check()


def test_the_buffer_of_a_pending_run_may_be_written_by_another_session():
    with fake_device(delay=(1e-3, 2e-3)) as control, session(add(), DEVICE) as first, session(add(), DEVICE) as second:
        target = device_value(np.zeros(3, np.float32))
        for k in range(5):
            for opened, value in ((first, X), (second, k * X)):
                binding = opened.io_binding()
                binding.bind_ortvalue_input("x", device_value(value))
                binding.bind_ortvalue_output("y", target)
                opened.run_with_iobinding(binding, asynchronous())
            np.testing.assert_array_equal(target.numpy(), 2 * k * X)
        control.check()


def test_arrays_may_be_changed_as_soon_as_a_run_returns_that_is_not_waited_for():
    with fake_device(delay=(1e-3, 2e-3)) as control, session(add(), DEVICE) as opened:
        x = X.copy()
        for k in range(5):
            x[...] = k
            binding = opened.io_binding()
            binding.bind_cpu_input("x", x)
            binding.bind_output("y", "fake")
            opened.run_with_iobinding(binding, asynchronous())
            x[...] = 1e9
            np.testing.assert_array_equal(binding.copy_outputs_to_cpu()[0], np.full(3, 2.0 * k))
        control.check()


def test_pending_results_of_every_kind_arrive():
    """Computed, a copy of an input, a constant, and one value twice."""
    nodes = [node("Add", ["x", "x"], ["y"]), node("Identity", ["y"], ["z"]), node("Identity", ["x"], ["i"])]
    data = model(nodes, outputs=["y", "z", "i", "c"], constants={"c": f32(7, 8, 9)})
    for optimize in (False, True):
        with fake_device(delay=(1e-3, 2e-3)) as control, session(data, DEVICE, REFERENCE, optimize=optimize) as opened:
            x = device_value(X)
            binding = opened.io_binding()
            binding.bind_ortvalue_input("x", x)
            for name in "yzic":
                binding.bind_output(name, "fake")
            opened.run_with_iobinding(binding, asynchronous())
            results = binding.get_outputs()
            assert len({v.data_ptr() for v in [x, *results]}) == 5
            del binding, x
            gc.collect()
            for got, want in zip(results, [2 * X, 2 * X, X, f32(7, 8, 9)], strict=True):
                np.testing.assert_array_equal(got.numpy(), want)
            control.check()
