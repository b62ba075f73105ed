"""Constants and prepacked weights while a session is created."""

import ctypes
import gc

import numpy as np
import pytest

from ort_core.compile_context import Context
from ort_core.errors import ModelLoadCanceled
from ort_core.ir.graph import Value
from ort_core.ir.tensors import ArrayWeight
from ort_core.progress import Progress
from ort_core.providers.spec import SessionEnv


def constant(number):
    value = Value(f"c{number}")
    value.const = ArrayWeight(np.full(3, number, np.float32))
    return value


def test_a_constant_is_read_once():
    context, value = Context(SessionEnv()), constant(1)
    assert context.constant(value) is context.constant(value)


def test_a_weight_that_is_gone_is_not_taken_for_a_new_one():
    context = Context(SessionEnv())
    held = []
    for number in range(2000):
        value = constant(number)
        held.append(context.constant(value))
        assert held[-1][0] == number
        assert context.prepack(value.const, "plain", lambda number=number: number) == number
        del value
        gc.collect(0)


def test_cancelled_loading_raises():
    flag = ctypes.c_uint32(0)
    context = Context(SessionEnv(), Progress(flag))
    context.check()
    flag.value = 1
    with pytest.raises(ModelLoadCanceled):
        context.check()
