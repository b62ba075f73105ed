from __future__ import annotations

from typing import Any, TypeVar

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from ort_core.ir.types import ElementType, MapType, OptionalType, SequenceType, TensorType
from ort_custom_ops import (
    AnyFloat,
    AnyNumber,
    BFloat16,
    Float32,
    Float64,
    Int64,
    Maybe,
    String,
    Tensor,
    annotations,
    op,
)
from ort_custom_ops.testing import check_op, run_op
from tests.custom_ops.operator_helpers import DOMAIN, FLOAT, INT64, infer, reason, strings, tensor

T = TypeVar("T")
F = TypeVar("F", Float32, Float64)
N = TypeVar("N", bound=AnyNumber)
S = TypeVar("S", bound=np.floating)

ANNOTATIONS = {
    annotation.__metadata__[0]: annotation
    for annotation in vars(annotations).values()
    if isinstance(getattr(annotation, "__metadata__", (None,))[0], frozenset)
}


def sample(element):
    if element is ElementType.STRING:
        return strings("a", "", "äß\U0001f600")
    if element is ElementType.BOOL:
        return np.array([True, False, True])
    if element is ElementType.FLOAT8E8M0:
        return np.array([1, 2, 4]).astype(element.dtype)
    return np.array([1, 0, 1] if element.name.startswith("U") else [-1, 0, 1]).astype(element.dtype)


@op(DOMAIN)
def Reverse(x: T) -> T:
    return x[::-1]


@pytest.mark.parametrize("element", ElementType, ids=lambda e: e.name)
def test_every_element_type_goes_in_and_out_unchanged(element):
    annotation = ANNOTATIONS[frozenset({element})]

    @op(DOMAIN)
    def Typed(x: annotation) -> annotation:
        assert x.dtype == element.dtype
        return x[::-1]

    values = sample(element)
    result = check_op(Typed, values)
    assert result.dtype == element.dtype
    assert result.tolist() == values[::-1].tolist()
    assert check_op(Reverse, values).tolist() == values[::-1].tolist()


@pytest.mark.parametrize("element", [ElementType.BFLOAT16, ElementType.FLOAT8E4M3FN, ElementType.INT4], ids=str)
def test_extension_types_are_arrays_of_ml_dtypes(element):
    @op(DOMAIN)
    def Double(x: T) -> T:
        return x + x

    x = np.array([1, 2, 3]).astype(element.dtype)
    assert (check_op(Double, x) == x + x).all()


def test_scalars_and_empty_tensors():
    assert check_op(Reverse, np.zeros((0, 3), np.float32)).shape == (0, 3)

    @op(DOMAIN)
    def Total(x: Float32) -> Float32:
        return x.sum()

    @op(DOMAIN)
    def Count(x: Tensor) -> Int64:
        return x.size

    @op(DOMAIN)
    def Name(x: Tensor) -> String:
        return str(x.dtype)

    x = np.ones((2, 3), np.float32)
    assert check_op(Total, x).shape == ()
    assert check_op(Count, x).dtype == np.int64
    assert check_op(Name, x).item() == "float32"


def test_numpy_strings_become_str_objects():
    @op(DOMAIN)
    def Shout(x: String) -> String:
        return np.char.add(x.astype(str), "!")

    assert check_op(Shout, strings("a", "straße")).tolist() == ["a!", "straße!"]


def test_type_variable_is_one_type_in_a_node():
    @op(DOMAIN)
    def Add(a: F, b: F) -> F:
        return a + b

    assert infer(Add, tensor(FLOAT), tensor(FLOAT)) == tensor(FLOAT)
    assert infer(Add, tensor(ElementType.DOUBLE), tensor(ElementType.DOUBLE)) == tensor(ElementType.DOUBLE)
    assert reason(Add, [tensor(FLOAT), tensor(ElementType.DOUBLE)]) == (
        "input 1 'b' is tensor(double), expected tensor(float), as F is in another input"
    )
    assert "expected tensor(F: float | double)" in reason(Add, [tensor(INT64), tensor(INT64)])
    assert infer(Add, None, tensor(FLOAT)) == tensor(FLOAT)


def test_type_variable_with_a_bound_and_through_a_sequence():
    @op(DOMAIN)
    def Join(items: list[N], extra: N) -> N:
        return np.concatenate([*items, extra])

    result = check_op(Join, [np.ones(2, np.int8), np.zeros(1, np.int8)], np.full(1, 7, np.int8))
    assert result.tolist() == [1, 1, 0, 7]
    assert "as N is" in reason(Join, [SequenceType(tensor(INT64)), tensor(FLOAT)])
    assert reason(Join, [SequenceType(tensor(ElementType.STRING)), tensor(FLOAT)])


def test_annotations_of_numpy_are_understood():
    @op(DOMAIN)
    def Mix(
        a: NDArray[np.float32], b: NDArray[S], c: np.ndarray, d: NDArray[Any]
    ) -> tuple[NDArray[S], NDArray[np.int64]]:
        return b, np.zeros(1, np.int64)

    types = [tensor(FLOAT), tensor(ElementType.DOUBLE), tensor(ElementType.STRING), tensor(INT64)]
    assert infer(Mix, *types, n_outputs=2) == [tensor(ElementType.DOUBLE), tensor(INT64)]
    assert reason(Mix, [tensor(FLOAT), tensor(INT64), tensor(FLOAT), tensor(FLOAT)])

    @op(DOMAIN)
    def Bare(a: NDArray, b: NDArray) -> Int64:
        return 0

    assert reason(Bare, [tensor(FLOAT), tensor(ElementType.STRING)]) is None

    @op(DOMAIN)
    def Half(a: NDArray[ml_dtypes.bfloat16]) -> BFloat16:
        return a

    assert infer(Half, tensor(ElementType.BFLOAT16)) == tensor(ElementType.BFLOAT16)


def test_union_of_types_and_sets_of_types():
    @op(DOMAIN)
    def Either(a: Float32 | Int64, b: AnyFloat) -> Int64:
        return np.zeros(1, np.int64)

    assert reason(Either, [tensor(INT64), tensor(ElementType.BFLOAT16)]) is None
    assert reason(Either, [tensor(ElementType.DOUBLE), tensor(FLOAT)]) == (
        "input 0 'a' is tensor(double), expected tensor(float | int64)"
    )


def test_sequences_in_and_out():
    @op(DOMAIN)
    def Split(text: String) -> list[String]:
        return [np.array(item.split(), object) for item in text]

    @op(DOMAIN)
    def Lengths(words: list[String]) -> Int64:
        return np.array([len(w) for w in words])

    parts = check_op(Split, strings("a b c", "d"))
    assert [p.tolist() for p in parts] == [["a", "b", "c"], ["d"]]
    assert check_op(Lengths, parts).tolist() == [3, 1]
    assert infer(Split, tensor(ElementType.STRING)) == SequenceType(tensor(ElementType.STRING))


def test_optional_values_of_onnx():
    @op(DOMAIN)
    def OrZero(x: Maybe[Float32]) -> Float32:
        return np.zeros(1, np.float32) if x is None else x

    @op(DOMAIN)
    def Positive(x: Float32) -> Maybe[Float32]:
        return x if (x > 0).all() else None

    assert infer(Positive, tensor(FLOAT)) == OptionalType(tensor(FLOAT))
    assert check_op(OrZero, np.ones(2, np.float32)).tolist() == [1, 1]
    assert check_op(Positive, np.ones(2, np.float32)).tolist() == [1, 1]
    assert run_op(Positive, -np.ones(2, np.float32)) is None


def test_maps():
    @op(DOMAIN)
    def Count(x: String) -> dict[str, float]:
        return {k: float(n) for k, n in zip(*np.unique(x.astype(str), return_counts=True), strict=True)}

    assert infer(Count, tensor(ElementType.STRING)) == MapType(ElementType.STRING, TensorType(FLOAT))


def test_inputs_are_read_only_and_outputs_of_their_own():
    @op(DOMAIN)
    def Spoil(x: Float32) -> Float32:
        x += 1
        return x

    @op(DOMAIN, writable_inputs=True)
    def Raise(x: Float32, more: list[Float32]) -> Float32:
        x += 1
        more[0] += 1
        more.append(x)
        return x + more[0]

    x = np.zeros(3, np.float32)
    with pytest.raises(Exception, match="read-only"):
        run_op(Spoil, x)
    assert run_op(Raise, x, [x]).tolist() == [2, 2, 2]
    assert x.tolist() == [0, 0, 0]
