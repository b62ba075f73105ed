"""The models that mutants are made of: ONNX's own cases, random models, small benchmark models and some made by hand."""

from __future__ import annotations

import functools
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
from onnx import TensorProto, helper

from tests.fuzz.mutant import Base

ROOT = Path(__file__).parent.parent.parent
_BENCHMARKS = ("lstm", "mlp_tiny", "scaler_logreg")
_MODEL_BYTES = 40_000
_FEED_BYTES = 200_000
_RANDOM_MODELS = 120

sys.path[:0] = [str(ROOT / "tests" / folder) for folder in ("core", "optimize")]


@functools.cache
def load_corpus() -> tuple[Base, ...]:
    """Every base, in an order that does not change."""
    cases = [b for b in _onnx_cases() if len(b.model) < _MODEL_BYTES and _size(b.feeds) < _FEED_BYTES]
    groups = (
        (cases, 0.55),
        (_random_models(), 0.15),
        (_random_graphs(), 0.1),
        (_hand_made(), 0.17),
        (_benchmarks(), 0.03),
    )
    return tuple(b for bases, share in groups for b in _shared(list(bases), share))


def _shared(bases: list[Base], share: float) -> Iterator[Base]:
    """The bases of a group, which together are so likely."""
    return (base._replace(share=share / len(bases)) for base in bases)


def _onnx_cases() -> Iterator[Base]:
    from ort_core.testing.conformance.onnx_cases import load_cases

    for name, case in sorted(load_cases().items()):
        graph = onnx.ModelProto.FromString(case.model).graph
        constants = {t.name for t in graph.initializer}
        names = [i.name for i in graph.input if i.name not in constants]
        for data in case.data[:1]:
            yield Base(name, case.model, dict(zip(names, data.inputs, strict=False)))


def _random_models() -> Iterator[Base]:
    from random_models import Generator

    for seed in range(_RANDOM_MODELS):
        case = Generator(seed, 12).case()
        yield Base(f"control flow {seed}", case.model, case.feeds(seed))


def _random_graphs() -> Iterator[Base]:
    from random_graphs import random_model

    for seed in range(_RANDOM_MODELS):
        proto, feeds = random_model(seed)
        yield Base(f"data flow {seed}", proto.SerializeToString(), feeds[0])


def _benchmarks() -> Iterator[Base]:
    from benchmarks.models import feeds, materialize

    with tempfile.TemporaryDirectory() as folder:
        for name in _BENCHMARKS:
            data = materialize(name, folder).read_bytes()
            if len(data) < 8 * _MODEL_BYTES:
                yield Base(name, data, feeds(name, length=4))


_TEXTS = {
    "functions": """<ir_version: 10, opset_import: ["" : 21, "loc" : 1]>
        g (float[N,3] x) => (float[N,3] y) { a = loc.F<alpha = 0.5>(x) y = loc.G(a) }
        <domain: "loc", opset_import: ["" : 21, "loc" : 1]> F<alpha>(u) => (v) { v = LeakyRelu<alpha: float = @alpha>(u) }
        <domain: "loc", opset_import: ["" : 21, "loc" : 1]> G(u) => (v) { t = loc.F<alpha = 2.0>(u) v = Add(t, u) }""",
    "loop": """<ir_version: 10, opset_import: ["" : 21]>
        g (float[2] x, int64 n) => (float[2] y, float[M,2] scans) <bool go = {1}> {
            y, scans = Loop(n, go, x) <body = b (int64 i, bool g, float[2] s) => (bool h, float[2] t, float[2] u) {
                h = Identity(g) t = Add(s, x) u = Neg(s) }> }""",
    "branches": """<ir_version: 10, opset_import: ["" : 21]>
        g (float[N,2] x, bool c) => (float[N,2] y) { y = If(c) <
            then_branch = t () => (float[N,2] a) { a = Relu(x) },
            else_branch = e () => (float[N,2] b) { d = Neg(x) b = If(c) <
                then_branch = t2 () => (float[N,2] f) { f = Abs(d) },
                else_branch = e2 () => (float[N,2] k) { k = Add(d, x) }> }> }""",
    "shapes": """<ir_version: 10, opset_import: ["" : 21]>
        g (float[N,4] x) => (float[A,B] y) <int64[1] two = {2}, int64[1] zero = {0}> {
            s = Shape(x) n = Gather(s, zero) m = Mul(n, two) r = Concat<axis = 0>(m, two) y = Reshape(x, r) }""",
    "quantised": """<ir_version: 10, opset_import: ["" : 21]>
        g (float[2,4] x) => (float[2,4] y)
        <float scale = {0.1}, uint8 zero = {128}, float[4] scales = {1, 2, 3, 4}, int8[4] zeros = {0, 1, 2, 3}> {
            q = QuantizeLinear(x, scale, zero) d = DequantizeLinear(q, scale, zero)
            r = QuantizeLinear<axis = 1>(d, scales, zeros) y = DequantizeLinear<axis = 1>(r, scales, zeros) }""",
    "containers": """<ir_version: 10, opset_import: ["" : 21]>
        g (seq(float[N]) s, optional(float[N]) o, int64 i) => (float[M] y, bool has, int64 n) {
            y = SequenceAt(s, i) has = OptionalHasElement(o) n = SequenceLength(s) }""",
    "strings": """<ir_version: 10, opset_import: ["" : 21]>
        g (string[N] x) => (string[N] y, bool[N] m, string[A] u) <string[1] end = {"z"}> {
            y = StringConcat(x, end) m = RegexFullMatch<pattern = "[a-z]+z">(y) u = Unique(x) }""",
}  # fmt: skip


def _hand_made() -> Iterator[Base]:
    rng = np.random.default_rng(1)
    arrays: dict[str, dict[str, Any]] = {
        "functions": {"x": rng.standard_normal((2, 3), np.float32)},
        "loop": {"x": np.ones(2, np.float32), "n": np.array(3)},
        "branches": {"x": rng.standard_normal((3, 2), np.float32), "c": np.array(False)},
        "shapes": {"x": np.ones((3, 4), np.float32)},
        "quantised": {"x": rng.standard_normal((2, 4), np.float32)},
        "containers": {"s": [np.ones(2, np.float32), np.zeros(3, np.float32)], "o": np.ones(2, np.float32), "i": np.array(1)},
        "strings": {"x": np.array(["a", "b", "a"], object)},
    }  # fmt: skip
    for name, text in _TEXTS.items():
        yield Base(name, onnx.parser.parse_model(text).SerializeToString(), arrays[name])
    yield _sparse()


def _sparse() -> Base:
    """Dense and sparse weights, one of them large enough to stay in the file."""
    values = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    sparse = helper.make_sparse_tensor(values, helper.make_tensor("", TensorProto.INT64, [2], [1, 5]), [2, 3])
    large = helper.make_tensor("large", TensorProto.FLOAT, [3, 200], random.Random(1).randbytes(2400), raw=True)
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["a"]), helper.make_node("MatMul", ["a", "large"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [large],
    )
    graph.sparse_initializer.append(sparse)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return Base("sparse", model.SerializeToString(), {"x": np.ones((2, 3), np.float32)})


def _size(value: Any) -> int:
    if isinstance(value, dict | list):
        return sum(_size(v) for v in (value.values() if isinstance(value, dict) else value))
    return getattr(value, "nbytes", 0)
