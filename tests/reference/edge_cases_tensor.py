"""Edge cases of arithmetic, reductions, indexing and layout."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from onnx import TensorProto
from parity_batch import EdgeCase, edge, element
from reference_helpers import f32, i64, noise, strings

NAN, INF = np.nan, np.inf
BOOL, INT64 = TensorProto.BOOL, TensorProto.INT64
FLOAT, INT32 = TensorProto.FLOAT, TensorProto.INT32
X = noise(3, 4)
SPECIAL = f32(NAN, 1, -1, INF, -INF, 0, -0.0, 5, -7.5)
OTHER = f32(1, NAN, 2, INF, INF, 0, 0, 3, 2)


def integer_arithmetic() -> Iterator[EdgeCase]:
    for dtype in (np.int8, np.int32, np.int64, np.uint8, np.uint32, np.uint64):
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        a, b = np.array([7, high, low, 5, 0, 100], dtype), np.array([2, 2, 3, 5, 9, 7], dtype)
        for op_type in ("Add", "Sub", "Mul", "Div", "Mod", "Max", "Min"):
            yield edge(op_type, a, b)
        yield edge("Clip", a, np.array(10, dtype), np.array(3, dtype))
        yield edge("Pow", np.array([2, 3, 0, 4], dtype), f32(0.5, 2, 0, 1.5))
        if low:
            a, b = np.array([-7, 7, -7, 7, low + 1, low], dtype), np.array([2, -2, -2, 2, 2, 2], dtype)
            yield edge("Div", a, b)
            yield edge("Mod", a, b)
            yield edge("Mod", a[:4], b[:4], fmod=1)
            yield edge("Abs", a)
            yield edge("Neg", a)
    for direction in ("LEFT", "RIGHT"):
        for amount in (np.uint8([1, 3, 0, 7]), np.uint8([8, 64, 100, 255])):
            yield edge("BitShift", np.uint8([1, 255, 128, 3]), amount, direction=direction)


def special_numbers() -> Iterator[EdgeCase]:
    for op_type in ("Max", "Min"):
        yield edge(op_type, SPECIAL, OTHER)
        yield edge(op_type, OTHER, SPECIAL, OTHER)
    yield edge("Mod", SPECIAL, OTHER, fmod=1)
    yield edge("Pow", SPECIAL, OTHER)
    yield edge("Clip", SPECIAL, np.array(2, np.float32), np.array(1, np.float32))
    yield edge("Round", f32(0.5, 1.5, 2.5, -0.5, -1.5, NAN, INF))
    yield edge("Softmax", f32([1, INF, 2], [NAN, 1, 2], [1000, 1, 2]))
    for op_type in (
        "Relu",
        "Sign",
        "Erf",
        "Reciprocal",
        "Softplus",
        "Elu",
        "Selu",
        "Celu",
        "Mish",
        "Gelu",
        "HardSwish",
    ):
        yield edge(op_type, SPECIAL)
    for positive in (0, 1):
        yield edge("IsInf", SPECIAL, types=(BOOL,), detect_positive=positive, detect_negative=1 - positive)


def reductions() -> Iterator[EdgeCase]:
    data, empty = f32([1, 2], [3, 4.5]), np.zeros((2, 0, 3), np.float32)
    for op_type in (
        "ReduceMax", "ReduceMin", "ReduceMean", "ReduceSum", "ReduceLogSumExp", "ReduceL1", "ReduceL2", "ReduceProd",
        "ReduceLogSum", "ReduceSumSquare",
    ):  # fmt: skip
        yield edge(op_type, data, opset=20)
        yield edge(op_type, data, i64(), opset=20)
        yield edge(op_type, data, i64(), opset=20, noop_with_empty_axes=1)
        yield edge(op_type, data, i64(-1, 0), opset=20, keepdims=0)
        yield edge(op_type, np.array(3, np.float32), opset=20)
        yield edge(op_type, empty, i64(0), opset=20)
        if op_type != "ReduceMean":
            yield edge(op_type, empty, i64(1), opset=20)
            yield edge(op_type, empty, opset=20, keepdims=0)
    for last in (0, 1):
        for op_type in ("ArgMax", "ArgMin"):
            yield edge(op_type, f32([1, 1, 5], [5, 5, 1]), types=(INT64,), axis=-1, select_last_index=last)
    for largest in (0, 1):
        yield edge("TopK", f32([1, 1, 1], [2, 3, 3]), i64(2), types=(FLOAT, INT64), axis=0, largest=largest)
        yield edge("TopK", f32(2, INF, -INF, 2), i64(3), types=(FLOAT, INT64), largest=largest)
        yield edge("TopK", f32(2, 1), i64(0), types=(FLOAT, INT64), largest=largest)
    for exclusive in (0, 1):
        for reverse in (0, 1):
            yield edge("CumSum", X, np.array(-1), exclusive=exclusive, reverse=reverse)


def slices() -> Iterator[EdgeCase]:
    for start, end, axis, step in (
        (1, 1000, 0, 1), (-1, -1000, 1, -1), (-1, -(2**63), 1, -1), (2**62, -(2**63), 0, -2), (0, 2**63 - 1, -1, 2**62),
        (3, 0, 1, -2), (0, 0, 0, 1), (-100, 2, 0, 1), (-9, -9, 1, -1),
    ):  # fmt: skip
        yield edge("Slice", X, i64(start), i64(end), i64(axis), i64(step))
    yield edge("Slice", X, np.int32([-1]), np.int32([-(2**31)]), np.int32([1]), np.int32([-1]))
    yield edge("Slice", X, i64(0, 0), i64(1, 1), i64(0, 0))
    yield edge("Slice", X, i64(0), i64(1), i64(0), i64(0))
    for parts in (2, 3, 4):
        yield edge("Split", noise(7, 2), types=(FLOAT,) * parts, num_outputs=parts)
    yield edge("Split", noise(7, 2), i64(3, 0, 4), types=(FLOAT,) * 3)
    yield edge("Split", noise(7, 2), i64(3, 3), types=(FLOAT,) * 2)


def shapes() -> Iterator[EdgeCase]:
    for repeats in (i64(0, 2), i64(2, 1), i64(2), i64(2, -1)):
        yield edge("Tile", X, repeats)
    for shape in (i64(2, 1, 4), i64(0, 3, 1), i64(3), i64(2, 1, 1)):
        yield edge("Expand", noise(3, 1), shape)
    for shape in (i64(0, -1), i64(-1, 0), i64(5, -1), i64(-1, -1), i64(-2, 6), i64(0, 0, 0)):
        yield edge("Reshape", X, shape)
    yield edge("Reshape", np.zeros((0, 3), np.float32), i64(0, 5), allowzero=1)
    for k in (0, 1, -1, 3, -3, 2**62, -(2**62)):
        for upper in (0, 1):
            yield edge("Trilu", noise(2, 3, 4), np.array(k), upper=upper)
    for mode in ("constant", "reflect", "edge", "wrap"):
        yield edge("Pad", X, i64(1, 0, 2, 1), mode=mode)
        yield edge("Pad", X, i64(-1, 1, 0, -1), mode=mode)
        yield edge("Pad", X, i64(-1, 2), None, i64(-1), mode=mode)
    yield edge("Pad", X, i64(-3, 0, 0, 0))
    yield edge("Pad", X, i64(-4, 0, 0, 0))
    for lengths in (i64(1, 4, 2), i64(0, 4, 2), i64(5, 4, 2)):
        yield edge("ReverseSequence", noise(3, 4, 2), lengths, time_axis=1, batch_axis=0)
    yield edge("ReverseSequence", noise(4, 3, 2), i64(1, 4, 2), time_axis=0, batch_axis=1)
    yield edge("Transpose", X, perm=[0])
    yield edge("Transpose", X, perm=[0, 0])
    yield edge("EyeLike", X, k=-5)
    yield edge("EyeLike", X, k=2, dtype=INT64, types=(INT64,))


def indexing() -> Iterator[EdgeCase]:
    for indices in (i64(-1, 0, 2), i64(-4), i64(3), np.array(1), np.zeros((0, 2), np.int64)):
        yield edge("Gather", X, indices)
    yield edge("GatherElements", X, i64([-1, 0, 1, -3]))
    yield edge("GatherElements", X, i64([3, 0, 1, -3]))
    yield edge("GatherND", X, i64([-1, -1], [0, 2]))
    yield edge("GatherND", noise(2, 3, 4), i64([[1], [0]], [[0], [-1]]), batch_dims=1)
    for reduction in ("none", "add", "mul", "max", "min"):
        for dtype in (np.float32, np.int32, np.uint8, np.int64):
            data, updates = np.arange(12).reshape(3, 4).astype(dtype), np.array([[9, 2, 30, 4]], dtype)
            yield edge("ScatterElements", data, i64([3, 0, 1]), updates[:, :3], axis=1, reduction=reduction, opset=18)
            yield edge("ScatterND", data, i64([0], [-1]), np.repeat(updates, 2, 0), reduction=reduction, opset=18)
    for axis in (-1, 0, 1, -2):
        yield edge("OneHot", i64([-1, 0], [3, 2]), np.array(3), f32(5, 7), axis=axis, types=(FLOAT,))
    yield edge("OneHot", i64(-4, 3, -3), np.array([3]), f32(0, 1), types=(FLOAT,))
    for ordered in (0, 1):
        yield edge("Unique", f32(2, 1, 1, 3), types=(FLOAT, INT64, INT64, INT64), sorted=ordered)
        yield edge("Unique", f32([1, 0], [1, 0], [2, 3]), types=(FLOAT, INT64, INT64, INT64), sorted=ordered, axis=0)
        yield edge("Unique", strings("b", "a", "b"), types=(8, INT64, INT64, INT64), sorted=ordered)
    yield edge("Compress", X, np.array([True, False]), axis=1)
    yield edge("Compress", X, np.array([True, False, True]))
    yield edge("NonZero", f32([NAN, 0], [1, -0.0]), types=(INT64,))
    yield edge("Range", np.array(10), np.array(1), np.array(-3))
    yield edge("Range", np.array(2**53 + 1), np.array(2**53 + 5), np.array(1))
    yield edge("Range", np.array(1), np.array(10), np.array(0))


def einsums() -> Iterator[EdgeCase]:
    a, b = noise(2, 3), noise(3, 4)
    for equation, inputs in (
        ("ij,jk->ik", (a, b)), ("ij,jk", (a, b)), ("ij->", (a,)), ("ii->i", (noise(3, 3),)), ("ii", (noise(3, 3),)),
        ("...ij,...jk->...ik", (noise(2, 2, 3), noise(2, 3, 4))), ("i,j,k->kji", (noise(2), noise(3), noise(4))),
        ("bi,bi->b", (a, noise(1, 3))), ("ij,ij->ij", (noise(2, 1), a)), ("ji", (a,)), ("bA,bA->A", (a, a)),
        (" i j , j k -> i k ", (a, b)), ("ij,jk->iz", (a, b)), ("i.j->ij", (a,)), ("ijk->i", (a,)), ("...i->...", (a,)),
        ("i...", (a,)), ("ab,bc,cd->ad", (a, noise(3, 2), noise(2, 5))), ("iij->j", (noise(3, 3, 2),)),
        ("i->ii", (noise(3),)), ("ij,jk,", (a, b)), ("i-j", (a,)),
    ):  # fmt: skip
        yield edge("Einsum", *inputs, equation=equation)
    yield edge("Einsum", np.arange(6).reshape(2, 3), np.arange(12).reshape(3, 4), equation="ij,jk->ik")


def casts() -> Iterator[EdgeCase]:
    numbers = [NAN, INF, -INF, 300, -1, -1.5, 1e10, -1e10, 3e19, 2.5, -200.7, 70000]
    for dtype in (np.float32, np.float64):
        for target in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.bool_):
            to = element(np.zeros(0, target))
            yield edge("Cast", np.array(numbers, dtype), to=to, types=(to,))
        yield edge("Cast", np.array([0.1, 1e30, 16777216, 1 / 3, -0.0, *numbers[:3]], dtype), to=8, types=(8,))
    yield edge("Cast", np.array([True, False]), to=8, types=(8,))
    yield edge("Cast", np.int8([-3, 100]), to=8, types=(8,))
    yield edge("Cast", strings("1.5", "nan", "-INF", "+inf", "1e-3", " 3 "), to=FLOAT, types=(FLOAT,))
    yield edge("Cast", strings("100", "-7", "9223372036854775807"), to=INT64, types=(INT64,))
    yield edge("Cast", strings("300"), to=TensorProto.INT8, types=(TensorProto.INT8,))
    yield edge("Cast", strings("abc"), to=FLOAT, types=(FLOAT,))


def tensor_cases() -> Iterator[EdgeCase]:
    for family in (
        integer_arithmetic, special_numbers, reductions, slices, shapes, indexing, einsums, casts,
    ):  # fmt: skip
        yield from family()
