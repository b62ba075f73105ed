from __future__ import annotations

import gc
import threading

import numpy as np
import pytest
from fake_device_helpers import Program, StubContext, get, new, put

from ort_core.ir.types import ElementType
from ort_core.testing.fixtures import fake_device  # noqa: F401 - a fixture

X = np.linspace(-1, 1, 16, dtype=np.float32)


def pipeline(control, executables, array):
    """Copies on one stream, computes on another of the same device, then on the other device."""
    first, second = control.runtime(0), control.runtime(1)
    copying, computing, other = first.new_stream(), first.new_stream(), second.new_stream()
    source = put(first, array, copying)
    computing.wait(copying.record())
    (middle,) = executables[0].run(StubContext(first, computing, donated={0}), [source])
    copying.wait(computing.record())
    del source
    other.wait(computing.record())
    moved = new(second, ElementType.FLOAT, array.shape, other)
    second.copy(middle, moved, other)
    middle.buffer.record_stream(other)
    del middle
    (result,) = executables[1].run(StubContext(second, other), [moved])
    del moved
    return get(second, result, other)


def compile_both(control):
    program = Program().input("x").constant("c", X).node("Add", "x,c", "a").node("Softmax", "a", "b")
    first = program.node("Mul", "b,a", "y").outputs("y").compile(control)
    second = Program().input("x").node("Neg", "x", "a").node("Exp", "a", "y").outputs("y")
    return first, second.compile(control, device_id=1)


def expected(array):
    a = array + X
    return np.exp(-(a * np.exp(a) / np.exp(a).sum()))


def test_a_correct_program_has_no_violation_whatever_the_delays(fake):
    executables = compile_both(fake)
    fake.delay = (0.0, 100e-6)
    for seed in range(60):
        fake.reset(seed)
        array = X * seed
        np.testing.assert_allclose(pipeline(fake, executables, array), expected(array), rtol=1e-4)
        fake.check()
    del executables
    fake.check_no_leaks()


@pytest.mark.parametrize("delay", [(0.0, 0.0), (0.0, 100e-6)])
def test_garbage_collection_at_any_point_neither_blocks_nor_breaks(fake, delay):
    executables = compile_both(fake)
    fake.delay = delay
    errors = []

    def work(number):
        try:
            for i in range(6):
                cycle = [put(fake.runtime(), X)]
                cycle.append(cycle)
                del cycle
                array = X * (number + i)
                np.testing.assert_allclose(pipeline(fake, executables, array), expected(array), rtol=1e-4)
        except BaseException as error:
            errors.append(error)

    threshold = gc.get_threshold()
    gc.set_threshold(5, 2, 2)
    try:
        threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        gc.set_threshold(*threshold)
    assert not any(thread.is_alive() for thread in threads)
    assert not errors
    fake.check()


def test_the_fixture_provides_a_registered_device(fake_device):  # noqa: F811
    from ort_core.providers import registry

    assert registry.plugin(fake_device.name) is fake_device.plugin
