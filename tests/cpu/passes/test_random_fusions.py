"""Random graphs of what exporters write, with constants, axes and uses that are sometimes others than fusions expect."""

from __future__ import annotations

import collections

import numpy as np
import onnx
import onnx.reference
import pytest
from fusion_helpers import native_session, ops
from onnx import TensorProto, helper, numpy_helper

from ort_core.optimize.pipeline import run_passes
from ort_core.options import SessionOptions
from ort_core.prepare import prepare
from ort_provider_cpu.passes import find_passes

SEEDS = range(120)
_SMOOTH = ("Relu", "Tanh", "Sigmoid", "Abs", "Neg", "Softplus", "HardSwish", "Gelu", "Erf", "Mish")


class _Maker:
    """Adds snippets; every value has a concrete array, and symbolic leading sizes in what the model declares."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.arrays: dict[str, np.ndarray] = {}
        self.feeds: dict[str, np.ndarray] = {}
        for i, shape in enumerate([(2, 3, 8), (2, 3, 8), (2, 3, 4)]):
            self.feeds[f"x{i}"] = self.arrays[f"x{i}"] = self.rng.standard_normal(shape).astype(np.float32)

    def op(self, op_type: str, *inputs: str, **attributes: object) -> str:
        name = f"v{len(self.nodes)}"
        node = helper.make_node(op_type, inputs, [name], **attributes)
        graph = helper.make_graph([node], "one", [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)])
        graph.input.extend(helper.make_tensor_value_info(i, self._kind(i), None) for i in dict.fromkeys(inputs))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)
        with np.errstate(all="ignore"):
            (self.arrays[name],) = onnx.reference.ReferenceEvaluator(model).run(
                None, {i: self.arrays[i] for i in inputs}
            )
        self.nodes.append(node)
        return name

    def _kind(self, name: str) -> int:
        return helper.np_dtype_to_tensor_dtype(self.arrays[name].dtype)

    def constant(self, array: object) -> str:
        name = f"c{len(self.constants)}"
        self.arrays[name] = np.asarray(array)
        self.constants.append(numpy_helper.from_array(self.arrays[name], name))
        return name

    def number(self, value: float) -> str:
        """The number, or now and then another one or one of more dimensions."""
        chance = self.rng.random()
        if chance < 0.04:
            value = value * 1.25 + 0.125
        array = np.float32(value)
        return self.constant(array.reshape((1,) * int(self.rng.integers(1, 3))) if chance > 0.96 else array)

    def pick(self, size: int | None = None) -> str:
        names = [n for n, a in self.arrays.items() if n[0] in "xv" and a.shape[:2] == (2, 3) and a.ndim == 3]
        names = [n for n in names if size is None or self.arrays[n].shape[-1] == size] or ["x0"]
        return names[-1 - int(min(self.rng.exponential(2), len(names) - 1))]

    def either(self, op_type: str, left: str, right: str) -> str:
        return self.op(op_type, *((left, right) if self.rng.random() < 0.5 else (right, left)))

    def weights(self, *shape: int) -> str:
        return self.constant((self.rng.standard_normal(shape) / 3).astype(np.float32))


def _gelu(m: _Maker) -> str:
    x = m.pick()
    e = m.op("Erf", m.op("Div", x, m.number(np.sqrt(2))))
    return m.either("Mul", m.either("Mul", x, m.either("Add", e, m.number(1))), m.number(0.5))


def _silu(m: _Maker) -> str:
    x = m.pick()
    return m.either("Mul", m.pick(m.arrays[x].shape[-1]) if m.rng.random() < 0.1 else x, m.op("Sigmoid", x))


def _hard_swish(m: _Maker) -> str:
    x = m.pick()
    c = m.op("Clip", m.op("Add", x, m.number(3)), m.constant(np.float32(0)), m.constant(np.float32(6)))
    return m.op("Div", m.either("Mul", x, c), m.number(6))


def _axes(m: _Maker) -> str:
    return m.constant(np.array([m.rng.choice([-1, 2, 1], p=[0.7, 0.2, 0.1])], np.int64))


def _layer_norm(m: _Maker) -> str:
    x = m.pick()
    size, axes = m.arrays[x].shape[-1], _axes(m)
    d = m.op("Sub", x, m.op("ReduceMean", x, axes))
    q = m.op("Pow", d, m.number(2)) if m.rng.random() < 0.5 else m.op("Mul", d, d)
    s = m.op("Sqrt", m.either("Add", m.op("ReduceMean", q, axes), m.number(1e-5)))
    return m.either("Add", m.either("Mul", m.op("Div", d, s), m.weights(size)), m.weights(size))


def _rms_norm(m: _Maker) -> str:
    x = m.pick()
    s = m.op("Sqrt", m.op("Add", m.op("ReduceMean", m.op("Mul", x, x), _axes(m)), m.number(1e-5)))
    return m.either("Mul", m.op("Div", x, s), m.weights(m.arrays[x].shape[-1]))


def _linear(m: _Maker) -> str:
    x = m.pick()
    y = m.op("MatMul", x, m.weights(m.arrays[x].shape[-1], int(m.rng.choice([4, 8]))))
    return m.either("Add", y, m.weights(m.arrays[y].shape[-1])) if m.rng.random() < 0.7 else y


def _scaled(m: _Maker) -> str:
    x = _linear(m)
    return m.either("Mul", x, m.weights(m.arrays[x].shape[-1]))


def _gated(m: _Maker) -> str:
    x = m.pick()
    size = m.arrays[x].shape[-1]
    gate, up = m.op("MatMul", x, m.weights(size, 8)), m.op("MatMul", x, m.weights(size, 8))
    return m.either("Mul", m.op(str(m.rng.choice(_SMOOTH)), gate), up)


def _residual(m: _Maker) -> str:
    x = m.pick()
    return m.either("Add", x, m.pick(m.arrays[x].shape[-1]))


def _pointwise(m: _Maker) -> str:
    return m.op(str(m.rng.choice(_SMOOTH)), m.pick())


def _attention(m: _Maker) -> str:
    heads = m.constant(np.array([0, 0, 2, 4], np.int64))
    q, k, v = (m.op("Reshape", m.pick(8), heads) for _ in range(3))
    q, v = (m.op("Transpose", t, perm=[0, 2, 1, 3]) for t in (q, v))
    s = m.op("MatMul", q, m.op("Transpose", k, perm=[0, 2, 3, 1]))
    s = m.op("Mul", s, m.number(0.5))
    if m.rng.random() < 0.5:
        s = m.op("Add", s, m.weights(*((3, 3) if m.rng.random() < 0.5 else (2, 1, 1, 3))))
    y = m.op("MatMul", m.op("Softmax", s, axis=int(m.rng.choice([-1, 3, 2], p=[0.6, 0.3, 0.1]))), v)
    return m.op("Reshape", m.op("Transpose", y, perm=[0, 2, 1, 3]), m.constant(np.array([0, 0, 8], np.int64)))


def _turned(m: _Maker) -> str:
    x = m.op("Transpose", m.pick(), perm=[0, 2, 1])
    y = m.op(str(m.rng.choice(_SMOOTH)), x)
    return m.op("Transpose", y, perm=[0, 2, 1] if m.rng.random() < 0.8 else [1, 2, 0])


_SNIPPETS = (
    *(
        _gelu,
        _silu,
        _hard_swish,
        _layer_norm,
        _rms_norm,
        _linear,
        _linear,
        _scaled,
        _gated,
        _residual,
        _residual,
        _pointwise,
    ),
    *(_attention, _turned),
)


def _model(seed: int) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    m = _Maker(seed)
    for _ in range(int(m.rng.integers(3, 9))):
        m.rng.choice(_SNIPPETS)(m)
    names = [n.output[0] for n in m.nodes]
    used = {i for n in m.nodes for i in n.input}
    kept = [n for n in names if n not in used or m.rng.random() < 0.02]
    declared = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, [str(m.rng.choice(["N", f"N{i}"])), "S", a.shape[-1]])
        for i, (n, a) in enumerate(m.feeds.items())
    ]
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in kept]
    graph = helper.make_graph(m.nodes, "g", declared, outputs, m.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10), m.feeds


@pytest.mark.parametrize("seed", SEEDS)
def test_fused_graphs_give_the_same_results(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_CORE_DEBUG", "1")
    model, feeds = _model(seed)
    session = native_session(model)
    with np.errstate(all="ignore"):
        expected = onnx.reference.ReferenceEvaluator(model).run(None, feeds)
    for left, right in zip(expected, session.run(None, feeds), strict=True):
        assert left.shape == right.shape
        scale = max(1.0, float(np.nanmax(np.abs(left), initial=0.0)))
        np.testing.assert_allclose(right, left, rtol=1e-3, atol=1e-4 * scale)


def test_generator_makes_what_fuses() -> None:
    made: collections.Counter[str] = collections.Counter()
    for seed in SEEDS:
        prepared = prepare(_model(seed)[0].SerializeToString(), SessionOptions())
        run_passes(prepared.model, find_passes(), prepared.passes)
        made.update(ops(prepared.model))
    wanted = {
        "FusedMatMul",
        "GatedMatMul",
        "MultiMatMul",
        "FusedAttention",
        "LayerNormalization",
        "RMSNormalization",
        "Chain",
    }
    assert min(made[op] for op in (*wanted, "SkipLayerNormalization", "Swish", "Gelu")) > 2
