"""Decorated kernels: results of every kind, failures, and what their messages say."""

from __future__ import annotations

import re

import ml_dtypes
import numpy as np
import pytest
from core_helpers import DEVICE, X, f32, info, kernels, model, node, op, run_op, session
from onnx import TensorProto

import ort_core as ort
from ort_core.errors import Fail, OrtError, OutOfMemory, RuntimeException
from ort_core.ir.types import ElementType
from ort_core.providers.kernel import kernel
from ort_core.testing import fake_device


def returning(value):
    return op(lambda x: value)


# -- results


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(2.5), 2.5),
        (2.5, 2.5),
        (2, 2.0),
        (True, 1.0),
        (np.array(2.5, np.float32), 2.5),
        (np.zeros((0, 3), np.float32), np.zeros((0, 3))),
    ],
)
def test_scalars_become_tensors_of_the_declared_type(value, expected):
    (y,) = run_op(returning(value), outputs=[info("y", None)])
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, expected)
    assert type(y) is np.ndarray


@pytest.mark.parametrize(
    ("kind", "value"),
    [(TensorProto.UINT8, 300), (TensorProto.INT64, 2.5), (TensorProto.INT32, float("nan")), (TensorProto.INT8, -129)],
)
def test_a_number_that_does_not_fit_the_declared_type_is_refused(kind, value):
    with pytest.raises(RuntimeException, match=r"Op_y.*'y'"):
        run_op(returning(value), outputs=[info("y", None, kind)])


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (np.zeros(3), r"tensor\(double\) \[3\]"),
        (np.zeros(3, np.int64), r"tensor\(int64\)"),
        (np.zeros(3, ">f4"), r"\[3\]"),
        (np.zeros(3, np.longdouble), "longdouble|float128"),
        (np.zeros(3, "datetime64[s]"), "datetime64"),
        ([1.0, 2.0], "list"),
        ("text", "str"),
        (None, "None"),
        (object(), "object"),
        (np.float64(1), r"double"),
        (np.ma.masked_array(X, [0, 1, 0]), "MaskedArray"),
        ({}, "dict"),
    ],
)
def test_a_wrong_result_names_node_operator_provider_and_both_types(value, got):
    with pytest.raises(RuntimeException) as caught:
        run_op(returning(value))
    text = str(caught.value)
    for part in ("TestExecutionProvider", "'Op_y'", "t::Op", "'y'", r"tensor(float)"):
        assert part in text
    assert re.search(got, text), text


def test_none_is_no_result_even_if_the_type_of_the_output_is_unknown():
    nodes = [node("Op", ["x"], ["t"], domain="t"), node("Op", ["t"], ["y"], domain="t")]
    with pytest.raises(RuntimeException, match=r"Op_t.*None"):
        run_op(returning(None), nodes)


def test_strings_of_numpy_and_python_become_object_arrays():
    texts = info("y", None, TensorProto.STRING)
    for value in (np.array(["a", "bc"]), np.array(["a", "bc"], object), np.str_("a"), "a"):
        (y,) = run_op(returning(value), outputs=[texts])
        assert y.dtype == object
        assert y.reshape(-1)[0] == "a"
        assert type(y.reshape(-1)[0]) is str


def test_subclasses_of_arrays_become_plain_arrays():
    """As with matrices of numpy, whose `a * b` is another product."""

    class Odd(np.ndarray):
        def __mul__(self, other):
            return np.matmul(self, other)

    f = op(lambda x: np.array([[1, 2], [3, 4]], np.float32).view(Odd))
    nodes = [node("Op", ["x"], ["a"], domain="t"), node("Mul", ["a", "a"], ["y"])]

    @kernel("Mul")
    def mul(a, b):
        return a * b

    data = model(nodes, outputs=[info("y", None)])
    with kernels(f, mul) as name, session(data, name) as opened:
        (y,) = opened.run(None, {"x": X})
    assert type(y) is np.ndarray
    np.testing.assert_array_equal(y, [[1, 4], [9, 16]])


def test_too_few_results_are_refused_and_too_many_are_dropped():
    nodes = [node("Op", ["x"], ["y", "z"], domain="t")]
    for value in (X, (X,), [X, X], ()):
        with pytest.raises(RuntimeException, match=r"Op_y.*returned [01] values, the node has 2"):
            run_op(returning(value), nodes, outputs=["y", "z"])
    assert len(run_op(returning((X, X, X)), nodes, outputs=["y", "z"])) == 2
    assert len(run_op(returning((X, X)), outputs=["y"])) == 1


def test_absent_outputs_may_be_anything():
    nodes = [node("Op", ["x"], ["", "y", ""], domain="t")]
    np.testing.assert_array_equal(run_op(returning((None, X, object())), nodes)[0], X)


@pytest.mark.parametrize("optimize", [False, True])
def test_results_that_are_inputs_views_or_constants_are_the_callers_own(optimize):
    """Writing to a result changes neither feeds, other results, nor what the next run returns."""

    @op
    def f(x, w):
        return x, x[::-1], w, w[1:], x

    outputs = [info(n, None) for n in "abcde"]
    data = model([node("Op", ["x", "w"], list("abcde"), domain="t")], outputs=outputs, constants={"w": f32(5, 6, 7)})
    x = X.copy()
    expected = [X, X[::-1], f32(5, 6, 7), f32(6, 7), X]
    with kernels(f) as name, session(data, name, optimize=optimize) as opened:
        for _ in range(3):
            results = opened.run(None, {"x": x})
            for got, want in zip(results, expected, strict=True):
                np.testing.assert_array_equal(got, want)
                assert got.flags.c_contiguous
                assert got.flags.writeable
                got[...] = 99
            np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize(
    "view", [lambda x: x.T, lambda x: x[:, ::2], lambda x: np.broadcast_to(x[0], (2, 4)), lambda x: x[::-1]]
)
def test_kernels_get_contiguous_inputs_whatever_earlier_kernels_return(view):
    seen = []

    @op
    def f(x):
        return view(x)

    @kernel("After", domain="t")
    def after(x):
        seen.append(x.flags.c_contiguous)
        return x + 0

    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    nodes = [node("Op", ["x"], ["a"], domain="t"), node("After", ["a"], ["y"], domain="t")]
    data = model(nodes, inputs=[info("x", (2, 4))], outputs=[info("y", None)])
    with kernels(f, after) as name, session(data, name) as opened:
        np.testing.assert_array_equal(opened.run(None, {"x": x})[0], view(x))
    assert seen == [True]


def test_a_view_goes_to_a_device_in_row_major_order():
    @op
    def f(x):
        return x.T

    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    nodes = [node("Op", ["x"], ["a"], domain="t"), node("Add", ["a", "a"], ["y"])]
    data = model(nodes, inputs=[info("x", (2, 3))], outputs=[info("y", None)])
    with fake_device(), kernels(f) as name, session(data, name, DEVICE) as opened:
        np.testing.assert_array_equal(opened.run(None, {"x": x})[0], 2 * x.T)


def test_read_only_results_can_be_written_by_the_caller():
    fixed = f32(7, 8, 9)
    fixed.flags.writeable = False
    (y,) = run_op(returning(fixed))
    y[0] = 0
    assert fixed[0] == 7


def test_an_output_type_is_constrained_by_the_operators_letter():
    @kernel("Cast", types={"T2": {ElementType.INT32}})
    def cast(x, *, to, saturate=1, round_mode="up"):
        return x.astype(ElementType(to).dtype)

    for kind, taken in ((TensorProto.INT32, True), (TensorProto.INT64, False)):
        data = model([node("Cast", ["x"], ["y"], to=kind)], outputs=[info("y", (3,), kind)])
        with kernels(cast) as name, session(data, name) as opened:
            assert (opened.explain().nodes[0].provider == name) is taken
            np.testing.assert_array_equal(opened.run(None, {"x": X})[0], [1, -2, 3])


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, np.float16, np.bool_, np.complex64])
def test_results_of_any_element_type(dtype):
    value = np.ones((2, 2), dtype)
    kind = int(ElementType.from_dtype(dtype))
    (y,) = run_op(returning(value), outputs=[info("y", None, kind)])
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.astype(np.complex64), np.ones((2, 2)))


# -- failures


def test_an_exception_names_node_operator_provider_and_inputs_and_is_chained():
    @op
    def f(x, y=None):
        raise ZeroDivisionError("too thin")

    with pytest.raises(RuntimeException) as caught:
        run_op(f, [node("Op", ["x", ""], ["y"], domain="t")])
    text = str(caught.value)
    for part in ("TestExecutionProvider", "'Op_y'", "t::Op", "tensor(float) [3]", "ZeroDivisionError", "too thin"):
        assert part in text
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_running_out_of_memory_has_its_own_class():
    @op
    def f(x):
        return np.empty(1 << 60, np.float32)

    with pytest.raises(OutOfMemory, match=r"Op_y.*MemoryError"):
        run_op(f)


def test_a_failure_on_inputs_of_a_strange_type_still_names_the_node():
    @op
    def f(x):
        raise ValueError("boom")

    first = kernel("First", domain="t")(lambda x: object())
    nodes = [node("First", ["x"], ["a"], domain="t"), node("Op", ["a"], ["y"], domain="t")]
    text = r"'Op_y'.*object.*boom"
    with kernels(f, first) as name, session(model(nodes), name) as opened, pytest.raises(RuntimeException, match=text):
        opened.run(None, {"x": X})


def test_a_kernel_that_changes_a_constant_is_told():
    @op
    def f(x, w):
        w += 1
        return w

    data = model([node("Op", ["x", "w"], ["y"], domain="t")], constants={"w": f32(1, 1, 1)})
    with kernels(f) as name, session(data, name) as opened:
        for _ in range(2):
            with pytest.raises(RuntimeException, match=r"Op_y.*read-only"):
                opened.run(None, {"x": X})


def test_the_session_goes_on_after_a_failed_run():
    fail = [True, False, True, False]

    @op
    def f(x):
        if fail.pop(0):
            raise ValueError("now and then")
        return x + 1

    with kernels(f) as name, session(model([node("Op", ["x"], ["y"], domain="t")]), name) as opened:
        for _ in range(2):
            with pytest.raises(RuntimeException, match="now and then"):
                opened.run(None, {"x": X})
            np.testing.assert_array_equal(opened.run(None, {"x": X})[0], X + 1)


def test_a_failure_of_prepare_names_provider_and_node():
    @op
    class Broken:
        def prepare(self, node, ctx):
            raise KeyError("weights")

        def run(self, x):
            return x

    with kernels(Broken) as name, pytest.raises(OrtError) as caught:
        session(model([node("Op", ["x"], ["y"], domain="t")]), name).close()
    for part in ("TestExecutionProvider", "Op_y", "KeyError", "weights"):
        assert part in str(caught.value)


def test_termination_is_seen_between_kernels_and_by_the_context():
    options = ort.RunOptions()
    ran = []

    @op
    def f(ctx, x):
        ran.append(1)
        if len(ran) == 2:
            options.terminate = True
            ctx.check()
        return x

    nodes = [node("Op", [a], [b], domain="t") for a, b in ["xa", "ab", "by"]]
    with kernels(f) as name, session(model(nodes), name) as opened:
        with pytest.raises(Fail, match="terminate"):
            opened.run(None, {"x": X}, options)
        assert len(ran) == 2
        options.terminate = False
        ran[:] = [0, 0]
        opened.run(None, {"x": X}, options)
        assert len(ran) == 5
