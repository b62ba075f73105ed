"""The native entry of kernels of compiled libraries: what engines call without Python."""

from __future__ import annotations

import numpy as np
import pytest

from ort_core.ir.types import ElementType, TensorType
from tests.custom_ops.library_builder import bind, node_of
from tests.custom_ops.native_engine import call

X = np.array([[1, 2, 3]], np.float32)


def entry(op, inputs, outputs=1, **attributes):
    """A kernel and its native address."""
    kernel = bind(node_of(op, inputs, outputs, attributes))
    return kernel.fn, kernel.native


@pytest.mark.parametrize("op", ["AddOne1", "AddOne31"])
def test_outputs_are_made_in_memory_of_the_engine(op):
    _kernel, native = entry(op, [X])
    for _ in range(3):
        code, _, (y,), _ = call(native, [X])
        assert code == 0
        assert (y == X + 1).all()


def test_memory_of_the_engine_is_zeroed():
    _kernel, native = entry("Zeros", [])
    code, _, (y,), _ = call(native, [])
    assert code == 0
    assert (y == 0).all()


def test_absent_inputs_and_unwanted_outputs():
    _kernel, native = entry("Optionals", [X, None, X], 2)
    code, _, (mask, count), _ = call(native, [X, None, X], [True, True])
    assert (code, mask.item(), count.item()) == (0, 5, 2)
    code, _, (mask, count), _ = call(native, [X, None, X], [False, True])
    assert (code, mask, count.item()) == (0, None, 2)


def test_parallel_loops_run_on_the_engine():
    n, batches = np.array(100), np.array(0)
    _kernel, native = entry("Squares", [n, batches])
    code, _, (y,), loops = call(native, [n, batches])
    assert (code, loops) == (0, [100])
    assert (y == np.arange(100) ** 2).all()


def test_exception_in_a_loop_of_the_engine_is_an_error():
    _kernel, native = entry("Squares", [np.array(-1), np.array(0)])
    code, message, _, _ = call(native, [np.array(-1), np.array(0)])
    assert (code, message) == (9, "step 3 is broken")


@pytest.mark.parametrize(
    "element", [ElementType.INT4, ElementType.UINT2, ElementType.BFLOAT16, ElementType.FLOAT8E8M0], ids=lambda e: e.name
)
def test_small_elements_are_one_a_byte_for_the_engine(element):
    x = np.ones((3, 3), element.dtype)
    kernel = bind(node_of("Identity", [x], 2, output_types=[element, ElementType.INT64]))
    code, _, (y, _), _ = call(kernel.native, [x], [True, True])
    assert code == 0
    assert y.dtype == x.dtype
    assert y.tobytes() == x.tobytes()


@pytest.mark.parametrize(
    ("op", "how", "code", "message"),
    [
        ("Throws1", 0, 6, "the kernel is tired"),
        ("Throws2", 0, 9, "the kernel is tired"),
        ("Throws2", 2, 6, "without making"),
    ],
)
def test_errors_are_codes_with_messages(op, how, code, message):
    _kernel, native = entry(op, [np.array(how)])
    found, text, _, _ = call(native, [np.array(how)])
    assert found == code
    assert message in text
    assert call(native, [np.array(how)], room=4)[1] in (text[:3], text[:4])


def test_messages_are_cut_to_whole_characters_and_are_utf8():
    how = np.array(11)
    _kernel, native = entry("Throws1", [how])
    message = "na\ufffdve \u20ac\U0001f600\ufffd"
    assert call(native, [how])[1] == message
    for room in range(1, 30):
        code, text, _, _ = call(native, [how], room=room)
        assert code == 6
        assert message.startswith(text)
        assert len(text.encode()) < room


def test_refused_memory_is_an_error():
    _kernel, native = entry("AddOne1", [X])
    code, message, _, _ = call(native, [X], refuse=True)
    assert code != 0
    assert "no memory for output 0" in message


def test_wrong_counts_and_types_are_errors():
    _kernel, native = entry("AddOne1", [X])
    assert call(native, [X, X])[0] == 2
    assert call(native, [X], [True, True])[0] == 2
    assert "takes tensor(float)" in call(native, [X.astype(np.int64)])[1]
    assert "input 0 is absent" in call(native, [None])[1]


def test_kernels_that_may_meet_strings_have_no_native_entry():
    assert bind(node_of("Upper", [TensorType(ElementType.STRING)])).native is None
    assert bind(node_of("Identity", [TensorType(ElementType.STRING)], 2)).native is None
    assert bind(node_of("Identity", [X], 2, output_types=[ElementType.FLOAT, ElementType.INT64])).native is not None
