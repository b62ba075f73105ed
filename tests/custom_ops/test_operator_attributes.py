from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from ort_core.errors import InvalidArgument, InvalidGraph
from ort_core.ir.attributes import Attribute, AttributeKind
from ort_core.ir.types import ElementType
from ort_custom_ops import Float32, op
from ort_custom_ops.testing import check_op, run_op
from tests.custom_ops.operator_helpers import DOMAIN, FLOAT, bind, infer, reason, strings, tensor

X = np.zeros(2, np.float32)
UNSET = object()


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


def given(annotation, value=UNSET, default=UNSET):
    """What an operator gets for its attribute `a`, through a model."""
    seen = []
    if default is UNSET:

        @op(DOMAIN)
        def Take(x: Float32, *, a: annotation) -> Float32:
            seen.append(a)
            return x

    else:

        @op(DOMAIN)
        def Take(x: Float32, *, a: annotation = default) -> Float32:
            seen.append(a)
            return x

    run_op(Take, X, **({} if value is UNSET else {"a": value}))
    return seen[-1]


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, -(2**63), -(2**63)),
        (float, 0.1, float(np.float32(0.1))),
        (float, 2, 2.0),
        (str, "äß\U0001f600", "äß\U0001f600"),
        (str, "", ""),
        (bytes, b"\x00\xff", b"\x00\xff"),
        (bool, True, True),
        (bool, False, False),
        (list[int], [1, 2], [1, 2]),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[int, int], (3, 4), (3, 4)),
        (Sequence[int], [5], (5,)),
        (list[float], [0.5, 1], [0.5, 1.0]),
        (list[str], ["a", "é"], ["a", "é"]),
        (list[bool], [True, False], [True, False]),
        (list[int], [], []),
        (Literal["linear", "nearest"], "linear", "linear"),
        (Literal[1, 2], 2, 2),
        (list[Literal["a", "b"]], ["b", "a"], ["b", "a"]),
        (Color, Color.BLUE, Color.BLUE),
        (Color, "red", Color.RED),
        (ElementType, ElementType.BFLOAT16, ElementType.BFLOAT16),
        (list[Color], ["red"], [Color.RED]),
        (int | None, 3, 3),
    ],
    ids=str,
)
def test_attributes_of_every_kind_come_back_as_python_values(annotation, value, expected):
    result = given(annotation, value)
    assert result == expected
    assert type(result) is type(expected)


def test_tensor_attributes():
    table = np.arange(6, dtype=np.int64).reshape(2, 3)
    assert given(np.ndarray, table).tolist() == table.tolist()
    assert given(NDArray[np.float16], table.astype(np.float16)).dtype == np.float16
    half = table.astype(ElementType.BFLOAT16.dtype)
    assert given(np.ndarray, half).dtype == half.dtype
    assert given(np.ndarray, strings("a", "b")).tolist() == ["a", "b"]
    first, second = given(list[np.ndarray], [table, X])
    assert (first.tolist(), second.tolist()) == (table.tolist(), X.tolist())
    assert not given(np.ndarray, table).flags.writeable


@pytest.mark.parametrize("default", [3, 0.5, "no", True, [1, 2], (0.5, 1.0), ["a"], None], ids=repr)
def test_default_is_used_and_gives_the_type_where_there_is_no_annotation(default):
    if default is not None:

        @op(DOMAIN)
        def Untyped(x: Float32, *, a=default) -> Float32:
            assert a == default
            return x

        check_op(Untyped, X)
        check_op(Untyped, X, a=default)
    assert given(int | None, default=None) is None


def test_missing_unknown_and_wrong_attributes_are_declined():
    @op(DOMAIN)
    def Tune(
        x: Float32, *, size: int, mode: Literal["a", "b"] = "a", pads: tuple[int, int] = (0, 0), on: bool = True
    ) -> Float32:
        return x

    def why(**attributes):
        return reason(Tune, [tensor(FLOAT)], **attributes)

    assert why() == "the required attribute 'size' is missing"
    assert why(size=Attribute(AttributeKind.FLOAT, 1.0)) == "attribute 'size' is FLOAT, expected INT"
    assert why(size=1, other=Attribute(AttributeKind.INT, 1)) == (
        "it has no attribute 'other'; its attributes are: size, mode, pads, on"
    )
    assert (
        why(size=1, mode=Attribute(AttributeKind.STRING, b"c")) == "attribute 'mode' is 'c', expected one of 'a', 'b'"
    )
    assert why(size=1, pads=Attribute(AttributeKind.INTS, (1, 2, 3))) == "attribute 'pads' has 3 items, expected 2"
    assert why(size=1, on=Attribute(AttributeKind.INT, 2)) == "attribute 'on' is 2, expected bool"
    assert why(size=1, mode="b", pads=(1, 2)) is None
    with pytest.raises(InvalidGraph, match=r"node 'the_node' \(test.ops::Tune\): the required attribute 'size'"):
        infer(Tune, tensor(FLOAT))
    with pytest.raises(InvalidArgument, match="attribute 'size': got 'x', expected int"):
        run_op(Tune, X, size="x")
    with pytest.raises(InvalidArgument, match="attribute 'pads': got '12', expected tuple"):
        run_op(Tune, X, size=1, pads="12")
    with pytest.raises(InvalidArgument, match="has no attribute 'sise'"):
        run_op(Tune, X, sise=1)


def test_enum_attribute_refuses_what_is_no_member():
    @op(DOMAIN)
    def Paint(x: Float32, *, color: Color = Color.RED) -> Float32:
        return x

    attribute = Attribute(AttributeKind.STRING, b"green")
    assert (
        reason(Paint, [tensor(FLOAT)], color=attribute) == "attribute 'color' is 'green', expected one of 'red', 'blue'"
    )


def test_reference_to_an_attribute_of_a_function_leaves_shapes_open():
    @op(DOMAIN, shapes="(N) -> (size)")
    def Resize(x: Float32, *, size: int) -> Float32:
        return np.zeros(size, np.float32)

    assert infer(Resize, tensor(FLOAT, 3), size=Attribute(AttributeKind.INT, None, "outer")) == tensor(FLOAT)
    assert infer(Resize, tensor(FLOAT, 3), size=7) == tensor(FLOAT, 7)


def test_empty_list_of_another_kind_is_an_empty_list():
    @op(DOMAIN)
    def Take(x: Float32, *, names: list[str]) -> Float32:
        assert names == []
        return x

    assert reason(Take, [tensor(FLOAT)], names=Attribute(AttributeKind.INTS, ())) is None
    assert bind(Take, tensor(FLOAT), names=Attribute(AttributeKind.FLOATS, ()))(X).tolist() == [0, 0]
