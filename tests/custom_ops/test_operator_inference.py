from __future__ import annotations

from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ort_core.errors import Fail, InvalidArgument, InvalidGraph
from ort_core.ir.graph import Value
from ort_core.ir.tensors import ArrayWeight
from ort_core.ir.types import ElementType, OptionalType, SequenceType, TensorType
from ort_custom_ops import Float32, Float64, InputInfo, Int64, Maybe, Tensor, UnknownDim, op
from ort_custom_ops.testing import check_op
from tests.custom_ops.operator_helpers import DOMAIN, FLOAT, INT64, infer, session, tensor

T = TypeVar("T")


def shaped(shapes, *inputs, n_inputs=None, **attributes):
    """What a `shapes` argument gives for two inputs `x`, `y` (the second optional) and the attributes `k` and `size`."""

    @op(DOMAIN, shapes=shapes)
    def Shaped(x: Float32, y: Float32 | None = None, *, k: int = 2, size: list[int] = [1]) -> Float32:  # noqa: B006
        raise AssertionError

    types = [None if i is None else TensorType(FLOAT, i if i != "?" else None) for i in inputs]
    return infer(Shaped, *types, **attributes).shape


@pytest.mark.parametrize(
    ("shapes", "inputs", "expected"),
    [
        ("x", [("N", 3)], ("N", 3)),
        ("x", ["?"], None),
        ("y", [(1,), (2, None)], (2, None)),
        ("y", [(1,)], None),
        ("broadcast", [("N", 1), (5,)], ("N", 5)),
        ("broadcast", [("N", 1)], ("N", 1)),
        ("broadcast", [("N", 3), (1, "N", 1)], (1, "N", 3)),
        ("broadcast", [("N",), ("M",)], (None,)),
        ("broadcast", [("N",), "?"], None),
        ("broadcast", [(), (0, 1)], (0, 1)),
        ("(N, C), (C) -> (C, N)", [("B", 3), ("D",)], (3, "B")),
        ("(N, C), (C) -> (C, N)", [("B", "C1"), (4,)], (4, "B")),
        ("(N, C), ? -> (N, C)", [("B", 3)], ("B", 3)),
        ("(H, W), (...) -> (2*H, W+1, H*W)", [(2, 3)], (4, 4, 6)),
        ("(H, W), (...) -> (2*H, W//2, ?)", [("H", 7)], (None, 3, None)),
        ("(..., N), (...) -> (..., N, k)", [(2, "B", 5)], (2, "B", 5, 2)),
        ("(..., N), (..., N) -> (...)", [("B", 5), (4, 1, 5)], (4, "B")),
        ("(N), ? -> (k)", ["?"], (2,)),
        ("(..., N), ? -> (..., N)", ["?"], None),
        ("(N, 3), ? -> ()", [(4, "M")], ()),
        ("(?, N), ? -> (N)", [(4, 6)], (6,)),
        ("? , ? -> ?", [(4, 6)], None),
    ],
    ids=str,
)
def test_shapes_argument(shapes, inputs, expected):
    assert shaped(shapes, *inputs) == expected


def test_integer_attributes_are_sizes():
    assert shaped("(N), ? -> (N, k)", ("B",), k=7) == ("B", 7)
    assert shaped("(N), ? -> (N - k)", (9,), k=7) == (2,)
    assert shaped("(N), ? -> (size[0], size[1] * 2, size[2])", (9,), size=[4, 5]) == (4, 10, None)


@pytest.mark.parametrize(
    ("shapes", "inputs", "message"),
    [
        ("(N, C), (C) -> (N)", [(2, 3), (4,)], r"input 1 has shape \[4\], expected \(C\) with C = 3"),
        ("(N, C), ? -> (N)", [(2, 3, 4)], r"input 0 has shape \[2, 3, 4\], expected \(N, C\)"),
        ("(N, 3), ? -> (N)", [(2, 4)], r"input 0 has shape \[2, 4\], expected \(N, 3\)"),
        ("(..., A, B), ? -> (A)", [(2,)], r"expected \(\.\.\., A, B\)"),
        ("(N), ? -> (N-3)", [(2,)], "the size 'N-3' of an output is -1"),
        ("broadcast", [(2,), (3,)], r"shapes \[2\], \[3\] do not broadcast"),
        ("(..., A), (..., A) -> (...)", [(2, 1), (3, 1)], "do not broadcast"),
    ],
    ids=str,
)
def test_inputs_that_contradict_the_shapes_argument(shapes, inputs, message):
    with pytest.raises(InvalidGraph, match=rf"node 'the_node' \(test.ops::Shaped\): .*{message}"):
        shaped(shapes, *inputs)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ("z", r"Use 'broadcast', the name of an input \(x, y\)"),
        ("(N) -> (N)", "has 1 inputs, the operator has 2"),
        ("(N), (N) -> (N), (N)", "has 2 outputs, the operator has 1"),
        ("(N), (N) -> N", "'N' is outside of parentheses"),
        ("(N), (N) -> (f(N))", "outside of parentheses|cannot read"),
        ("(N), (N) -> (N**2)", r"cannot read the size 'N\*\*2'"),
        ("(N), (N) -> (N N)", "cannot read the size"),
        ("(N+1), (N) -> (N)", "only outputs are computed"),
        ("(..., ...), (N) -> (N)", "twice"),
    ],
)
def test_mistakes_in_the_shapes_argument(shapes, message):
    with pytest.raises(InvalidArgument, match=message):
        shaped(shapes, (1,))


def test_last_group_stands_for_all_of_a_variadic_input():
    @op(DOMAIN, shapes="(N, C) -> (N)")
    def Many(*xs: Float32) -> Float32:
        raise AssertionError

    assert infer(Many, tensor(FLOAT, "N", 3), tensor(FLOAT, 4, 3)) == tensor(FLOAT, 4)
    with pytest.raises(InvalidGraph, match="input 1"):
        infer(Many, tensor(FLOAT, 2, 3), tensor(FLOAT, 4, 3))


@op(DOMAIN)
def Tile(x: T, repeats: Int64, like: Tensor | None = None, *, axis: int = 0, label: str = "") -> T:
    return np.repeat(x, repeats.item(), axis)


@Tile.infer_types
def _(x: InputInfo, repeats: InputInfo, *, axis: int):
    shape = list(x.shape)
    shape[axis] = shape[axis] * repeats.value.item()
    return shape


def constant(array):
    value = Value("c", TensorType(ElementType.from_dtype(array.dtype), array.shape))
    value.const = ArrayWeight(array)
    return value


def test_inference_function_sees_shapes_constants_and_the_attributes_that_it_names():
    three = constant(np.array(3))
    assert infer(Tile, tensor(FLOAT, 2, "N"), three) == tensor(FLOAT, 6, "N")
    assert infer(Tile, tensor(INT64, 2, "N"), three, axis=1, label="z") == tensor(INT64, 2, None)


def test_what_is_unknown_ends_inference_quietly():
    assert infer(Tile, tensor(FLOAT, 2, 2), tensor(INT64)) == tensor(FLOAT)
    assert infer(Tile, tensor(FLOAT), constant(np.array(3))) == tensor(FLOAT)
    assert check_op(Tile, np.ones((2, 2), np.float32), np.array(2), axis=1).shape == (2, 4)


def with_rule(rule, returns=Float32):
    @op(DOMAIN)
    def Ruled(x: Float32, more: Float32 | None = None) -> returns:
        raise AssertionError

    Ruled.infer_types(rule)
    return Ruled


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (lambda x: (x.shape[0] + 1, 2), (None, 2)),
        (lambda x: x, ("N", 4)),
        (lambda x: (x.shape[1] // 2, x.shape[0]), (2, "N")),
        (lambda x: x.shape[::-1], (4, "N")),
        (lambda x: ("B", None, np.int64(3)), ("B", None, 3)),
        (lambda x: (-x.shape[0] % 2, 7 - x.shape[0]), (None, None)),
        (lambda x: (1,) if x.shape[0] == x.shape[0] else (2,), (1,)),
        (lambda x: (1,) if x.shape[0] == 4 else (2,), None),
        (lambda x: (1,) if x.shape[0] > 4 else (2,), None),
        (lambda x: (len(range(x.shape[0])),), None),
        (lambda x: (int(x.shape[0] * 0.5),), None),
        (lambda x: (x.ndim,), (2,)),
        (lambda x: (x.element.bits,), (32,)),
        (lambda x: TensorType(FLOAT, x.shape), ("N", 4)),
        (lambda x: None, None),
        (lambda *inputs: (len(inputs), sum(i is None for i in inputs)), (2, 1)),
    ],
)
def test_shapes_that_an_inference_function_may_return(rule, expected):
    assert infer(with_rule(rule), tensor(FLOAT, "N", 4)) == TensorType(FLOAT, expected)


def test_several_outputs_whole_types_and_sequences():
    @op(DOMAIN)
    def Mixed(x: list[T]) -> tuple[T, Float64, list[T], Tensor]:
        raise AssertionError

    @Mixed.infer_types
    def _(x):
        item = x.item
        return item, (item.shape[0],), SequenceType(item.type), TensorType(ElementType.BOOL, ())

    found = infer(Mixed, SequenceType(tensor(FLOAT, 3, 4)), n_outputs=4)
    assert found == [
        tensor(FLOAT, 3, 4),
        tensor(ElementType.DOUBLE, 3),
        SequenceType(tensor(FLOAT, 3, 4)),
        TensorType(ElementType.BOOL, ()),
    ]
    assert infer(Mixed, SequenceType(tensor(FLOAT, 3, 4)), n_outputs=2) == found[:2]
    assert infer(Mixed, Value("x"), n_outputs=2) == [None, tensor(ElementType.DOUBLE)]


@given(st.lists(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3), min_size=1, max_size=3))
def test_broadcast_is_that_of_numpy(shapes):
    @op(DOMAIN, shapes="broadcast")
    def Join(*xs: Float32) -> Float32:
        raise AssertionError

    types = [TensorType(FLOAT, shape) for shape in shapes]
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        with pytest.raises(InvalidGraph, match="do not broadcast"):
            infer(Join, *types)
    else:
        assert infer(Join, *types) == TensorType(FLOAT, expected)


def test_what_is_in_an_optional():
    @op(DOMAIN)
    def Unwrap(x: Maybe[T]) -> T:
        raise AssertionError

    Unwrap.infer_types(lambda x: x.item)
    assert infer(Unwrap, OptionalType(tensor(FLOAT, 2, 3))) == tensor(FLOAT, 2, 3)


def test_mistakes_of_an_inference_function_name_node_and_operator():
    x = tensor(FLOAT, 2)
    with pytest.raises(Fail, match=r"the_node.*its inference function raised ZeroDivisionError") as error:
        infer(with_rule(lambda x: (1 // 0,)), x)
    assert isinstance(error.value.__cause__, ZeroDivisionError)
    with pytest.raises(InvalidArgument, match="returned 3, expected a shape"):
        infer(with_rule(lambda x: 3), x)
    with pytest.raises(InvalidArgument, match=r"returned \(1.5,\), expected a shape"):
        infer(with_rule(lambda x: (1.5,)), x)
    with pytest.raises(InvalidArgument, match="for each of the 2 outputs"):
        infer(with_rule(lambda x: ((1,),), tuple[Float32, Float32]), x, n_outputs=2)
    with pytest.raises(InvalidArgument, match="asks for the attribute 'size'"):
        with_rule(lambda x, *, size: None)


def test_class_has_its_inference_function_as_static_method():
    @op(DOMAIN)
    class Pad:
        def __init__(self, *, width: int) -> None:
            self.width = width

        def __call__(self, x: T) -> T:
            return np.pad(x, self.width)

        @staticmethod
        def infer_types(x, *, width):
            return tuple(d + 2 * width for d in x.shape)

    assert infer(Pad, tensor(FLOAT, 2, "N"), width=1) == tensor(FLOAT, 4, None)
    assert check_op(Pad, np.ones((2, 2)), width=1).shape == (4, 4)


def test_inference_feeds_the_rest_of_the_graph():
    text = "g (float[2,N] x) => (float[A,B] z) { r = Constant<value_int = 3>() t = ops.Tile(x, r) z = Transpose(t) }"
    with session(text, Tile) as made:
        assert made.get_outputs()[0].shape[1] == 6
        assert made.run(None, {"x": np.ones((2, 5), np.float32)})[0].shape == (5, 6)


def test_shape_that_was_promised_is_held_to():
    @op(DOMAIN, shapes="x")
    def Liar(x: Float32) -> Float32:
        return x[:1]

    with session("g (float[N,2] x) => (float[A,B] z) { z = ops.Liar(x) }", Liar) as made:
        assert made.run(None, {"x": np.ones((3, 2), np.float32)})[0].shape == (1, 2)
    with (
        session("g (float[3,2] x) => (float[A,B] z) { z = ops.Liar(x) }", Liar) as made,
        pytest.raises(Exception, match=r"returned tensor\(float\) \[1, 2\] for output 0 'z', expected .* \[3, 2\]"),
    ):
        made.run(None, {"x": np.ones((3, 2), np.float32)})


def test_unknown_dimensions_have_no_truth_value_and_no_number():
    from ort_custom_ops.dims import NotKnown

    n, m = UnknownDim("N"), UnknownDim("M")
    assert n == UnknownDim("N")
    assert hash(n) == hash(UnknownDim("N"))
    assert repr(n + m * 2) == "?"
    for use in (lambda: int(n), lambda: n == m, lambda: bool(n), lambda: n < 3, lambda: n / 2, lambda: [0][n]):
        with pytest.raises(NotKnown):
            use()
    with pytest.raises(TypeError):
        n + "x"
