from __future__ import annotations

import traceback
from typing import TypeVar

import numpy as np
import pytest

from ort_core.errors import Fail, InvalidArgument, InvalidGraph, OutOfMemory, RuntimeException
from ort_core.errors import NotImplemented as NoKernel
from ort_core.ir.types import ElementType
from ort_custom_ops import BFloat16, Bool, Float32, Int64, Maybe, String, op
from ort_custom_ops.testing import run_op
from tests.custom_ops.operator_helpers import DOMAIN, session, strings

T = TypeVar("T")
X = np.ones((2, 3), np.float32)
ONE = "g (float[N,M] x) => (z) { z = ops.Bad(x) }"


def returning(value, annotation=Float32):
    @op(DOMAIN)
    def Bad(x: Float32) -> annotation:
        return value

    return Bad


def failing(error):
    @op(DOMAIN)
    def Bad(x: Float32) -> Float32:
        raise error

    return Bad


class OwnError(LookupError):
    pass


def test_exception_reaches_the_caller_with_its_traceback_and_the_nodes_name():
    text = "g (float[N,M] x) => (float[A,B] z) { t = Neg(x) [layer_bad] z = ops.Bad(t) }"
    with session(text, failing(OwnError("no such thing"))) as made, pytest.raises(RuntimeException) as caught:
        made.run(None, {"x": X})
    message = str(caught.value)
    assert "node 'layer_bad' (test.ops::Bad" in message
    assert "Bad() (test_operator_errors.py, line" in message
    assert "raised OwnError: no such thing. Its inputs were (tensor(float) [2, 3])" in message
    cause = caught.value.__cause__
    assert type(cause) is OwnError
    assert traceback.extract_tb(cause.__traceback__)[-1].line == "raise error"


def test_session_goes_on_after_an_exception():
    @op(DOMAIN)
    def Bad(x: Float32) -> Float32:
        if x[0, 0] < 0:
            raise ValueError("negative")
        return x

    with session("g (float[N,M] x) => (float[A,B] z) { z = ops.Bad(x) }", Bad) as made:
        with pytest.raises(RuntimeException, match="negative"):
            made.run(None, {"x": -X})
        assert made.run(None, {"x": X})[0].tolist() == X.tolist()


def test_own_errors_pass_and_memory_errors_keep_their_class():
    with pytest.raises(InvalidArgument, match=r"^just this$"):
        run_op(failing(InvalidArgument("just this")), X)
    with pytest.raises(OutOfMemory, match=r"Bad\(\).*raised MemoryError"):
        run_op(failing(MemoryError("4 GB")), X)
    with pytest.raises(RuntimeException, match="raised NotImplementedError"):
        run_op(failing(NotImplementedError()), X)
    with pytest.raises(KeyboardInterrupt):
        run_op(failing(KeyboardInterrupt()), X)


@pytest.mark.parametrize(
    ("value", "annotation", "got", "expected", "remedy"),
    [
        (X.astype(np.float64), Float32, "tensor(double) [2, 3]", "tensor(float)", ".astype(np.float32)"),
        (X, BFloat16, "tensor(float) [2, 3]", "tensor(bfloat16)", ".astype(ml_dtypes.bfloat16)"),
        (X, Bool, "tensor(float) [2, 3]", "tensor(bool)", ".astype(np.bool)"),
        (X, String, "tensor(float) [2, 3]", "tensor(string)", ".astype(object)"),
        (1.5, Int64, "float 1.5", "tensor(int64)", "correct the annotation"),
        (2**70, Int64, f"int {2**70}", "tensor(int64)", "correct the annotation"),
        ("a", Float32, "str 'a'", "tensor(float)", "correct the annotation"),
        (3, String, "int 3", "tensor(string)", "correct the annotation"),
        (None, Float32, "None", "tensor(float)", "correct the annotation"),
        ([X, X], Float32, "a list of 2 (tensor(float) [2, 3])", "tensor(float)", "Make it an array"),
        (X, list[Float32], "tensor(float) [2, 3]", "seq(tensor(float))", "correct the annotation"),
        ([X, None], list[Float32], "a list of 2 (tensor(float) [2, 3], None)", "seq(tensor(float))", "correct the"),
        ([X.astype(int)], list[Float32], "a list of 1 (tensor(int64) [2, 3])", "seq(tensor(float))", "correct the"),
        (X.astype(int), Maybe[Float32], "tensor(int64) [2, 3]", "optional(tensor(float))", "correct the"),
        (strings("a", 3)[None], String, "ndarray of object [1, 2]", "tensor(string)", "Every element must be a str"),
        (strings(b"a")[None], String, "ndarray of object [1, 1]", "tensor(string)", "decode bytes"),
        (np.array([[b"a"]]), String, "tensor(string) [1, 1]", "tensor(string)", "np.char.decode"),
        (np.ma.array(X, mask=X > 0), Float32, "MaskedArray of float32 [2, 3]", "tensor(float)", ".filled(value)"),
        (X.astype(">f4"), Float32, "ndarray of >f4 [2, 3]", "tensor(float)", ".astype(np.float32)"),
        ({"a": 1}, Float32, "dict {'a': 1}", "tensor(float)", "correct the annotation"),
        ((X, X), Float32, "tuple (array(", "tensor(float)", "correct the annotation"),
    ],
)
def test_wrong_result_names_operator_node_output_got_and_expected(value, annotation, got, expected, remedy):
    text = ONE.replace("(z)", f"({_declared(annotation)} z)")
    with session(text, returning(value, annotation)) as made, pytest.raises(RuntimeException) as caught:
        made.run(None, {"x": X})
    message = str(caught.value)
    assert message.startswith("node 'z' (test.ops::Bad")
    assert "Bad() (test_operator_errors.py, line" in message
    assert f"returned {got}" in message
    assert "for output 0 'z'" in message
    assert f"expected {expected}" in message
    assert remedy in message


def _declared(annotation):
    """The type of an output in ONNX text, of rank 2 if it is a tensor."""
    from ort_custom_ops.annotation_reader import read_pattern

    text = str(read_pattern(annotation, ""))
    return (
        text.removeprefix("tensor(").removesuffix(")") + "[A,B]"
        if text.startswith("tensor")
        else text.replace("tensor(float)", "float[]")
    )


def test_wrong_number_of_results():
    @op(DOMAIN)
    def Bad(x: Float32) -> tuple[Float32, Float32]:
        return (x,) if x.size == 6 else x

    message = r"Bad\(\) .* returned {}, expected a tuple of 2 values for the outputs 'a', 'b'"
    with session("g (float[N,M] x) => (float[A,B] a, float[C,D] b) { a, b = ops.Bad(x) }", Bad) as made:
        with pytest.raises(RuntimeException, match=message.format("1 values")):
            made.run(None, {"x": X})
        with pytest.raises(RuntimeException, match=message.format(r"tensor\(float\) \[1, 3\]")):
            made.run(None, {"x": X[:1]})


def test_wrong_rank():
    @op(DOMAIN, shapes="(N, M) -> (N)")
    def Bad(x: Float32) -> Float32:
        return x

    with (
        session("g (float[N,M] x) => (float[A] z) { z = ops.Bad(x) }", Bad) as made,
        pytest.raises(
            RuntimeException,
            match=r"returned tensor\(float\) \[2, 3\] for output 0 'z', expected tensor\(float\) \[N\]",
        ),
    ):
        made.run(None, {"x": X})


def test_constructor_that_fails_stops_the_session():
    @op(DOMAIN)
    class Bad:
        def __init__(self, *, path: str) -> None:
            raise FileNotFoundError(path)

        def __call__(self, x: Float32) -> Float32:
            return x

    with pytest.raises(Fail, match=r"node 'z' .*Bad\(\) .*could not be made: FileNotFoundError: nowhere") as caught:
        session('g (float[N,M] x) => (float[A,B] z) { z = ops.Bad<path = "nowhere">(x) }', Bad)
    assert isinstance(caught.value.__cause__, FileNotFoundError)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "g (double[N] x) => (float[A] z) { z = ops.Scale(x) }",
            "input 0 'x' is tensor\\(double\\) \\[N\\], expected tensor\\(float\\)",
        ),
        ("g (float[N] x) => (float[A] z) { z = ops.Scale(x, x) }", "it has 2 inputs, 1 are expected"),
        ("g (float[N] x) => (float[A] z) { z = ops.Scale<size = 3>(x) }", "it has no attribute 'size'"),
        ("g (float[N] x) => (float[A] z) { z, y = ops.Scale(x) }", "it has 2 outputs, the operator has 1"),
        (
            "g (float[N] x) => (float[A] z) { z = ops.Scale<factor = 3>(x) }",
            "attribute 'factor' is INT, expected FLOAT",
        ),
    ],
)
def test_node_that_does_not_fit_is_refused_when_the_session_is_made(text, message):
    @op(DOMAIN)
    def Scale(x: Float32, *, factor: float = 1.0) -> Float32:
        return x

    with pytest.raises((InvalidGraph, NoKernel, Fail), match=message):
        session(text, Scale)


def test_result_is_converted_where_nothing_is_lost():
    def result(value, annotation):
        return run_op(returning(value, annotation), X)

    assert result(3, Int64).dtype == np.int64
    assert result(0.1, Float32) == np.float32(0.1)
    assert result(True, Bool).dtype == np.bool_
    assert result(np.float32(2), Float32).shape == ()
    assert result("a", String).item() == "a"
    assert result(X.T, Float32).flags.c_contiguous
    assert result(2, BFloat16).dtype == ElementType.BFLOAT16.dtype
    assert [a.dtype for a in result([1.0, np.array([2], np.float32)], list[Float32])] == [np.float32] * 2
    assert result((X, X), list[Float32])[1].tolist() == X.tolist()
