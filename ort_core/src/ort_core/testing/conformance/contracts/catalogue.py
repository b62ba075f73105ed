"""The models that the contracts are tested on: common operators, views, several outputs, fused groups, control flow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ort_core.testing.conformance.contracts.cases import Case

FLOATS = ("float", "double", "float16", "bfloat16")
NUMBERS = (*FLOATS, "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8")
SIGNED = (*FLOATS, "int64", "int32", "int16", "int8")
BOOLS = ("bool",)
FLOAT8 = ("float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "float8e8m0")
BITS = ("int4", "uint4", "float4e2m1")
WITH_LITERALS = ("float", "double", "int64", "int32")
"""The types that `onnx.parser` reads constants of as numbers."""
ANY = (*NUMBERS, "bool", "string", "complex64", "complex128")

UNARY = "(T[N, M] x) => (T[N, M] y) {{ y = {} (x) }}"
BINARY = "(T[N, M] a, T[N, M] b) => (T[N, M] y) {{ y = {} (a, b) }}"
COMPARE = "(T[N, M] a, T[N, M] b) => (bool[N, M] y) {{ y = {} (a, b) }}"


def _unary(name: str, compute: Any, elements: tuple[str, ...] = FLOATS, **settings: Any) -> Case:
    return Case(name, UNARY.format(name), compute, elements, **settings)


def _binary(name: str, compute: Any, elements: tuple[str, ...] = NUMBERS, **settings: Any) -> Case:
    return Case(name, BINARY.format(name), compute, elements, **settings)


def _softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x.astype(np.float64) - x.max(-1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def _conv(x: np.ndarray) -> np.ndarray:
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=2)
    weight = np.arange(18, dtype=x.dtype).reshape(2, 3, 3) / 8 - 1
    return np.asarray(np.einsum("nclk,ock->nol", windows, weight))


def _countdown(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sums = [x, x + x, x + x + x]
    return sums[2] + x, np.stack([value * x for value in sums])


ELEMENTWISE = (
    _binary("Add", lambda a, b: a + b, chains=True),
    _binary("Sub", lambda a, b: a - b, SIGNED, chains=True),
    _binary("Mul", lambda a, b: a * b, chains=True),
    _binary("Div", lambda a, b: a / b, FLOATS, low=0.5, high=3.0),
    _binary("Max", np.maximum, chains=True),
    _binary("Min", np.minimum, chains=True),
    _unary("Relu", lambda x: np.maximum(x, 0), SIGNED, chains=True),
    _unary("Neg", lambda x: -x, SIGNED, chains=True),
    _unary("Abs", np.abs, SIGNED, chains=True),
    _unary("Tanh", np.tanh, chains=True),
    _unary("Sigmoid", lambda x: 1 / (1 + np.exp(-x)), chains=True),
    _unary("Exp", np.exp, high=1.0),
    _unary("Sqrt", np.sqrt, low=0.5, high=3.0),
    _unary("Floor", np.floor),
    _unary("LeakyRelu", lambda x: np.where(x < 0, x * x.dtype.type(0.01), x), chains=True),
    _unary("Identity", lambda x: x, (*ANY, *FLOAT8, *BITS), exact=True, chains=True),
    _unary("Not", np.logical_not, BOOLS, exact=True),
    _binary("Pow", lambda a, b: a**b, FLOATS, low=0.5, high=3.0),
    _unary("Log", np.log, low=0.5, high=3.0),
    _unary("Clip", lambda x: x, NUMBERS),
    _binary("And", np.logical_and, BOOLS, exact=True),
)

MIXED = (
    Case("Less", COMPARE.format("Less"), np.less, NUMBERS, exact=True),
    Case("Greater", COMPARE.format("Greater"), np.greater, NUMBERS, exact=True),
    Case("Equal", COMPARE.format("Equal"), np.equal, (*NUMBERS, "bool", "string"), exact=True),
    Case(
        "Where",
        "(bool[N, M] c, T[N, M] a, T[N, M] b) => (T[N, M] y) { y = Where (c, a, b) }",
        np.where,
        ANY,
        exact=True,
    ),
    Case("CastToDouble", "(T[N, M] x) => (double[N, M] y) { y = Cast <to = 11> (x) }", np.double, NUMBERS),
    Case("CastToInt", "(T[N, M] x) => (int64[N, M] y) { y = Cast <to = 7> (x) }", np.trunc, SIGNED, exact=True),
    Case("CastToBool", "(T[N, M] x) => (bool[N, M] y) { y = Cast <to = 9> (x) }", np.bool_, NUMBERS, exact=True),
    Case(
        "CastToString", "(T[N, M] x) => (string[N, M] y) { y = Cast <to = 8> (x) }", lambda x: x.astype(str), ("int64",)
    ),
    Case("MatMul", "(T[N, K] a, T[K, M] b) => (T[N, M] y) { y = MatMul (a, b) }", np.matmul, FLOATS),
    Case("BatchMatMul", "(T[C, N, K] a, T[K, M] b) => (T[C, N, M] y) { y = MatMul (a, b) }", np.matmul, FLOATS),
    Case(
        "Gemm",
        "(T[N, K] a, T[M, K] b, T[M] c) => (T[N, M] y) { y = Gemm <transB = 1> (a, b, c) }",
        lambda a, b, c: a @ b.T + c,
        FLOATS,
    ),
    Case(
        "Conv",
        "(float[N, 3, M] x) => (float[N, 2, M] y) <float[2, 3, 3] w = {"
        + ", ".join(str(i / 8 - 1) for i in range(18))
        + "}> { y = Conv <pads = [1, 1]> (x, w) }",
        _conv,
    ),
    Case(
        "LayerNormalization",
        "(T[N, M] x, T[M] w, T[M] b) => (T[N, M] y) { y = LayerNormalization (x, w, b) }",
        lambda x, w, b: (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5) * w + b,
    ),
    Case(
        "MaxPool",
        "(T[N, C, M] x) => (T[N, C, P] y) { y = MaxPool <kernel_shape = [2], pads = [0, 1]> (x) }",
        lambda x: np.maximum(x, np.concatenate([x[:, :, 1:], x[:, :, -1:]], 2)),
        FLOATS,
        exact=True,
    ),
    Case("Softmax", "(T[N, M] x) => (T[N, M] y) { y = Softmax <axis = -1> (x) }", _softmax, FLOATS),
    Case(
        "ReduceSum",
        "(T[N, M] x) => (T[N, 1] y) <int64[1] axes = {1}> { y = ReduceSum (x, axes) }",
        lambda x: x.sum(1, keepdims=True),
        ("float", "double", "int64", "int32"),
    ),
    Case(
        "ReduceMean",
        "(T[N, M] x) => (T[M] y) <int64[1] axes = {0}> { y = ReduceMean <keepdims = 0> (x, axes) }",
        lambda x: x.sum(0) / len(x),
        ("float", "double"),
    ),
    Case(
        "ArgMax",
        "(T[N, M] x) => (int64[N, 1] y) { y = ArgMax <axis = 1> (x) }",
        lambda x: x.argmax(1)[:, None],
        exact=True,
    ),
)

VIEWS = (
    Case(
        "Transpose", "(T[N, M] x) => (T[M, N] y) { y = Transpose <perm = [1, 0]> (x) }", np.transpose, ANY, exact=True
    ),
    Case(
        "Reshape",
        "(T[N, M] x) => (T[P] y) <int64[1] s = {-1}> { y = Reshape (x, s) }",
        lambda x: x.reshape(-1),
        ANY,
        exact=True,
    ),
    Case(
        "Unsqueeze",
        "(T[N, M] x) => (T[N, 1, M] y) <int64[1] a = {1}> { y = Unsqueeze (x, a) }",
        lambda x: x[:, None],
        ANY,
        exact=True,
    ),
    Case(
        "Slice",
        "(T[N, M] x) => (T[N, P] y) <int64[1] b = {4}, int64[1] e = {0}, int64[1] a = {1}, int64[1] s = {-2}>"
        " { y = Slice (x, b, e, a, s) }",
        lambda x: x[:, 4:0:-2],
        ANY,
        exact=True,
    ),
    Case(
        "Concat",
        "(T[N, M] a, T[K, M] b) => (T[P, M] y) { y = Concat <axis = 0> (a, b) }",
        lambda a, b: np.concatenate([a, b]),
        ANY,
        exact=True,
    ),
    Case(
        "Split",
        "(T[N, M] x) => (T[N, P] y, T[N, Q] z) { y, z = Split <axis = 1, num_outputs = 2> (x) }",
        lambda x: (x[:, : (x.shape[1] + 1) // 2], x[:, (x.shape[1] + 1) // 2 :]),
        ANY,
        exact=True,
    ),
    Case(
        "Gather",
        "(T[N, M] x, int64[K] i) => (T[K, M] y) { y = Gather (x, i) }",
        lambda x, i: x[i],
        ANY,
        fixed={"i": lambda sizes: np.arange(sizes["K"], dtype=np.int64) % max(sizes["N"], 1)},
        exact=True,
    ),
    Case(
        "Expand",
        "(T[1, M] x) => (T[3, M] y) <int64[2] s = {3, 1}> { y = Expand (x, s) }",
        lambda x: np.repeat(x, 3, 0),
        ANY,
        exact=True,
    ),
)

GRAPHS = (
    Case(
        "AddConstant",
        "(T[N, 3] x) => (T[N, 3] y) <T[3] w = {1, 2, 3}> { y = Add (x, w) }",
        lambda x: x + np.arange(1, 4).astype(x.dtype),
        WITH_LITERALS,
    ),
    Case("AddRow", "(T[N, M] a, T[M] b) => (T[N, M] y) { y = Add (a, b) }", lambda a, b: a + b, NUMBERS),
    Case("AddTwice", "(T[N, M] x) => (T[N, M] y) { y = Add (x, x) }", lambda x: x + x, NUMBERS),
    Case(
        "Dense",
        "(T[N, K] x, T[K, M] w, T[M] b) => (T[N, M] y) { p = MatMul (x, w) s = Add (p, b) y = Relu (s) }",
        lambda x, w, b: np.maximum(x @ w + b, 0),
        FLOATS,
    ),
    Case(
        "DenseAndSum",
        "(T[N, K] x, T[K, M] w, T[M] b) => (T[N, M] y, T[N, M] s) { p = MatMul (x, w) s = Add (b, p) y = Relu (s) }",
        lambda x, w, b: (np.maximum(x @ w + b, 0), x @ w + b),
        FLOATS,
    ),
    Case(
        "TwoOutputs",
        "(T[N, M] x) => (T[N, M] y, T[N, M] z) { y = Relu (x) z = Add (y, x) }",
        lambda x: (np.maximum(x, 0), np.maximum(x, 0) + x),
    ),
    Case(
        "TwoViews",
        "(T[N, M] x) => (T[N, M] y, T[N, M] z) { y = Identity (x) z = Identity (x) }",
        lambda x: (x, x),
        exact=True,
    ),
    Case(
        "ConstantResult",
        "(T[N] x) => (T[2] y, T[N] z) <T[2] c = {5, 7}> { y = Identity (c) z = Identity (x) }",
        lambda x: (np.array([5.0, 7.0]), x),
        exact=True,
    ),
    Case(
        "Diamond",
        "(T[N, M] x) => (T[N, M] y) { a = Add (x, x) b = Mul (a, x) c = Add (a, b) y = Add (c, a) }",
        lambda x: 4 * x + 2 * x * x,
    ),
)

CONTROL_FLOW = (
    Case(
        "If",
        "(bool c, T[N] x) => (T[N] y) { y = If (c) <then_branch = t () => (T[N] r) { r = Add (x, x) }, "
        "else_branch = e () => (T[N] s) { s = Mul (x, x) }> }",
        lambda c, x: x + x if c else x * x,
    ),
    Case(
        "Loop",
        "(T[N] x) => (T[N] y, T[3, N] steps) <int64 n = {3}, bool go = {1}> { y, steps = Loop (n, go, x) <body = b "
        "(int64 i, bool c, T[N] v) => (bool k, T[N] w, T[N] seen) { k = Identity (c) w = Add (v, x) seen = Mul (v, x) }> }",
        _countdown,
    ),
    Case(
        "Scan",
        "(T[N] x, T[3, N] rows) => (T[N] y, T[3, N] sums) { y, sums = Scan <num_scan_inputs = 1, body = b "
        "(T[N] s, T[N] row) => (T[N] t, T[N] u) { t = Add (s, row) u = Mul (t, x) }> (x, rows) }",
        lambda x, rows: (x + rows.sum(0), (x + rows.cumsum(0)) * x),
    ),
)

CASES = (*ELEMENTWISE, *MIXED, *VIEWS, *GRAPHS, *CONTROL_FLOW)


def each_case(*cases: Case) -> pytest.MarkDecorator:
    """Parametrises a test over cases (all by default), each with the first element type that the provider takes."""
    return pytest.mark.parametrize("case", [parameter(case) for case in cases or CASES], indirect=True)


def parameter(case: Case, *more: Any) -> Any:
    """A case, and further arguments, as one parameter that is marked with the case's operator."""
    operator = case.operator
    marks = () if operator is None else (pytest.mark.ort_operator(operator),)
    return pytest.param(case, *more, marks=marks, id="-".join([case.name, *map(str, more)]))
