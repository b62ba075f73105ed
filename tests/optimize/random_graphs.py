"""Random small models that are full of what the optimiser looks for, valid for the feeds that come with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnx.reference
from onnx import TensorProto, helper, numpy_helper

OPSET = 28
_FLOATS = (np.float32, np.float16, np.float64)


@dataclass
class GraphMaker:
    """Adds random nodes; every value has a concrete array for the first feed, so that only valid nodes are made."""

    rng: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    feeds: dict[str, np.ndarray] = field(default_factory=dict)

    def fresh(self) -> str:
        return f"v{len(self.arrays)}"

    def pick(self, kinds: str) -> str | None:
        names = [n for n, a in self.arrays.items() if a.dtype.kind in kinds and a.size < 4000 and a.ndim < 5]
        return None if not names else names[int(self.rng.integers(len(names)) ** 1)]

    def recent(self, kinds: str) -> str | None:
        names = [n for n, a in self.arrays.items() if a.dtype.kind in kinds and a.size < 4000 and a.ndim < 5]
        return names[-1 - int(min(self.rng.exponential(2), len(names) - 1))] if names else None

    def constant(self, array: Any) -> str:
        array = np.asarray(array)
        name = self.fresh()
        self.arrays[name] = array
        if self.rng.random() < 0.5:
            self.initializers.append(numpy_helper.from_array(array, name))
        else:
            self.nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array)))
        return name

    def ints(self, *items: int) -> str:
        return self.constant(np.array(items, np.int64))

    def add(self, op_type: str, inputs: list[str], n_outputs: int = 1, **attributes: Any) -> str | None:
        outputs = [f"{self.fresh()}{'abc'[i]}" for i in range(n_outputs)]
        node = helper.make_node(op_type, inputs, outputs, **attributes)
        try:
            with np.errstate(all="ignore"):
                results = run_node(node, {n: self.arrays[n] for n in inputs if n})
        except Exception:
            return None
        if any(not isinstance(r, np.ndarray) or r.size > 20_000 for r in results):
            return None
        self.nodes.append(node)
        self.arrays.update(zip(outputs, results, strict=True))
        return outputs[0]


def run_node(node: onnx.NodeProto, feeds: dict[str, np.ndarray]) -> list[Any]:
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in feeds.items()],
        [onnx.ValueInfoProto(name=n) for n in node.output],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    results: list[Any] = onnx.reference.ReferenceEvaluator(model).run(None, feeds)
    return results


def step(make: GraphMaker) -> None:
    rng = make.rng
    choice = STEPS[int(rng.integers(len(STEPS)))]
    choice(make)


def _unary(make: GraphMaker) -> None:
    name = make.recent("f")
    if name:
        make.add(
            str(make.rng.choice(["Relu", "Neg", "Abs", "Identity", "Floor", "Sigmoid", "Sqrt", "Identity"])), [name]
        )


def _neutral(make: GraphMaker) -> None:
    name = make.recent("fi")
    if name is None:
        return
    op = str(make.rng.choice(["Add", "Sub", "Mul", "Div", "Pow"]))
    value = make.rng.choice([0.0, -0.0, 1.0, 1.0, 2.0])
    array = make.arrays[name]
    shape = [(), (1,), (1,) * array.ndim, array.shape, (1,) * (array.ndim + 1)][int(make.rng.integers(5))]
    constant = make.constant(np.full(shape, value).astype(array.dtype))
    if op == "Pow" and array.dtype.kind == "i":
        return
    if op == "Div" and value == 0 and array.dtype.kind == "i":
        return
    pair = [name, constant] if make.rng.random() < 0.7 else [constant, name]
    if op == "Div" and array.dtype.kind == "i" and (make.arrays[pair[1]] == 0).any():
        return
    make.add(op, pair)


def _binary(make: GraphMaker) -> None:
    a, b = make.recent("f"), make.pick("f")
    if a and b and make.arrays[a].dtype == make.arrays[b].dtype:
        make.add(str(make.rng.choice(["Add", "Sub", "Mul", "Max", "Min"])), [a, b])


def _cast(make: GraphMaker) -> None:
    name = make.recent("fib")
    targets = [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BOOL]
    if name is None:
        return
    if make.arrays[name].dtype.kind in "ib":
        targets += [TensorProto.INT64, TensorProto.INT32]
    for _ in range(int(make.rng.integers(1, 4))):
        if name is not None:
            name = make.add("Cast", [name], to=int(make.rng.choice(targets)))


def _transpose(make: GraphMaker) -> None:
    name = make.recent("f")
    if name and make.arrays[name].ndim:
        perm = make.rng.permutation(make.arrays[name].ndim).tolist()
        made = make.add("Transpose", [name], perm=perm)
        if made and make.rng.random() < 0.5:
            make.add("Transpose", [made], perm=np.argsort(perm).tolist())


def _shape_part(make: GraphMaker, name: str, axis: int) -> str | None:
    shape = make.add("Shape", [name])
    if shape is None:
        return None
    kind = int(make.rng.integers(3))
    if kind == 0:
        return make.add("Slice", [shape, make.ints(axis), make.ints(axis + 1), make.ints(0)])
    if kind == 1:
        return make.add("Gather", [shape, make.ints(axis)], axis=0)
    scalar = make.add("Gather", [shape, make.constant(np.array(axis, np.int64))], axis=0)
    return None if scalar is None else make.add("Unsqueeze", [scalar, make.ints(0)])


def _reshape(make: GraphMaker) -> None:
    name = make.recent("f")
    if name is None:
        return
    array = make.arrays[name]
    parts: list[str | None] = []
    left = False
    for axis in range(array.ndim):
        kind = int(make.rng.integers(4))
        if kind == 0 and not left:
            left = True
            parts.append(make.ints(-1))
        elif kind == 1:
            parts.append(make.ints(array.shape[axis]))
        elif kind == 2:
            parts.append(make.ints(0))
        else:
            parts.append(_shape_part(make, name, axis))
    if make.rng.random() < 0.3 and array.ndim > 1 and not left:
        parts = [*parts[:-2], make.ints(-1)]
    present = [p for p in parts if p]
    if present and len(present) == len(parts):
        target = make.add("Concat", present, axis=0)
        if target:
            make.add("Reshape", [name, target])


def _expand(make: GraphMaker) -> None:
    a, b = make.recent("f"), make.pick("f")
    if not a or not b:
        return
    shape = make.add("Shape", [b])
    if shape and make.rng.random() < 0.5:
        minus = make.constant(np.array(-1, np.int64))
        rank = make.arrays[b].ndim
        ones = make.add("ConstantOfShape", [make.ints(rank)], value=numpy_helper.from_array(np.array([1], np.int64)))
        cond = make.add("Equal", [shape, minus])
        if ones and cond:
            shape = make.add("Where", [cond, ones, shape])
    if shape:
        make.add("Expand", [a, shape])


def _unsqueeze(make: GraphMaker) -> None:
    name = make.recent("f")
    if name is None:
        return
    rank = make.arrays[name].ndim
    made = make.add("Unsqueeze", [name, make.ints(int(make.rng.integers(-rank - 1, rank + 1)))])
    if made:
        ones = [i for i, d in enumerate(make.arrays[made].shape) if d == 1]
        op = make.rng.random()
        if op < 0.5:
            make.add("Squeeze", [made, make.ints(int(make.rng.choice(ones)))])
        else:
            make.add("Unsqueeze", [made, make.ints(0)])


def _slice(make: GraphMaker) -> None:
    name = make.recent("fi")
    if name is None or not make.arrays[name].ndim:
        return
    rng = make.rng
    axis = int(rng.integers(make.arrays[name].ndim))
    size = make.arrays[name].shape[axis]
    start, end, step = [(0, 1 << 62, 1), (0, size, 1), (1, 1 << 62, 1), (-1, -(1 << 62), -1), (0, -1, 2)][
        int(rng.integers(5))
    ]
    make.add("Slice", [name, make.ints(start), make.ints(end), make.ints(axis), make.ints(step)])


def _pad(make: GraphMaker) -> None:
    name = make.recent("f")
    if name:
        rank = make.arrays[name].ndim
        pads = make.rng.integers(0, 2, 2 * rank) * int(make.rng.integers(0, 2))
        make.add("Pad", [name, make.ints(*pads.tolist())], mode="constant")


def _tile(make: GraphMaker) -> None:
    name = make.recent("f")
    if name:
        make.add("Tile", [name, make.ints(*[int(make.rng.choice([1, 1, 2])) for _ in range(make.arrays[name].ndim)])])


def _concat(make: GraphMaker) -> None:
    a = make.recent("f")
    if a and make.arrays[a].ndim:
        b = make.pick("f")
        same = b is not None and make.arrays[a].dtype == make.arrays[b].dtype
        names = [a, b] if same and b and make.rng.random() < 0.5 else [a]
        make.add("Concat", names, axis=int(make.rng.integers(make.arrays[a].ndim)))


def _split(make: GraphMaker) -> None:
    name = make.recent("f")
    if name and make.arrays[name].ndim:
        parts = int(make.rng.integers(1, 3))
        make.add("Split", [name], parts, axis=int(make.rng.integers(make.arrays[name].ndim)), num_outputs=parts)


def _constants(make: GraphMaker) -> None:
    make.constant(make.rng.standard_normal((2, 3)).astype(np.float32))
    make.constant(np.arange(3, dtype=np.float32))


def _range(make: GraphMaker) -> None:
    name = make.recent("f")
    if name:
        size = make.add("Size", [name])
        if size:
            zero, one = (make.constant(np.array(i, np.int64)) for i in (0, 1))
            made = make.add("Range", [zero, size, one])
            if made:
                make.add("Cast", [made], to=TensorProto.FLOAT)


def _dropout(make: GraphMaker) -> None:
    name = make.recent("f")
    if name:
        make.add("Dropout", [name])


def _flatten(make: GraphMaker) -> None:
    name = make.recent("f")
    if name:
        make.add("Flatten", [name], axis=int(make.rng.integers(0, make.arrays[name].ndim + 1)))


def _integers(make: GraphMaker) -> None:
    a, b = make.recent("i"), make.pick("i")
    if a and b and make.arrays[a].dtype == make.arrays[b].dtype:
        make.add(str(make.rng.choice(["Add", "Sub", "Mul", "Equal"])), [a, b])


def _matmul(make: GraphMaker) -> None:
    a = make.recent("f")
    if a and make.arrays[a].ndim >= 2 and make.arrays[a].dtype == np.float32:
        weight = make.constant(make.rng.standard_normal((make.arrays[a].shape[-1], 3)).astype(np.float32))
        make.add("MatMul", [a, weight])


def _reduce(make: GraphMaker) -> None:
    name = make.recent("f")
    if name and make.arrays[name].ndim:
        axis = int(make.rng.integers(make.arrays[name].ndim))
        make.add("ReduceMax", [name, make.ints(axis)], keepdims=int(make.rng.integers(2)))


def _if(make: GraphMaker) -> None:
    name = make.recent("f")
    if name is None:
        return
    dynamic = make.pick("b")
    condition = make.constant(np.array(bool(make.rng.integers(2))))
    if dynamic and make.arrays[dynamic].shape == () and make.rng.random() < 0.5:
        condition = dynamic
    suffix = make.fresh()
    then = helper.make_graph(
        [
            helper.make_node("Identity", [name], [f"i{suffix}"]),
            helper.make_node("Constant", [], [f"k{suffix}"], value_float=1.0),
            helper.make_node("CastLike", [f"k{suffix}", f"i{suffix}"], [f"l{suffix}"]),
            helper.make_node("Mul", [f"i{suffix}", f"l{suffix}"], [f"t{suffix}"]),
        ],
        "then",
        [],
        [onnx.ValueInfoProto(name=f"t{suffix}")],
    )
    other = helper.make_graph(
        [helper.make_node("Neg", [name], [f"e{suffix}"])], "else", [], [onnx.ValueInfoProto(name=f"e{suffix}")]
    )
    out = f"{suffix}x"
    array = make.arrays[name]
    make.nodes.append(helper.make_node("If", [condition], [out], then_branch=then, else_branch=other))
    make.arrays[out] = array if make.arrays[condition].item() else -array


STEPS = (
    _unary, _unary, _neutral, _neutral, _neutral, _binary, _binary, _cast, _transpose, _transpose, _reshape, _reshape,
    _reshape, _expand, _expand, _unsqueeze, _unsqueeze, _slice, _slice, _pad, _tile, _concat, _split, _constants, _range,
    _dropout, _flatten, _integers, _matmul, _reduce, _if,
)  # fmt: skip


def random_model(seed: int, count: int = 14) -> tuple[onnx.ModelProto, list[dict[str, np.ndarray]]]:
    """A model and feeds for it; only the first is certain to be valid."""
    rng = np.random.default_rng(seed)
    make = GraphMaker(rng)
    sizes = {"N": int(rng.integers(1, 4)), "M": int(rng.integers(1, 5))}
    declared: list[list[Any]] = [["N", 4], ["N", "M", 2], ["M"], [2, 3]]
    chosen = [declared[int(i)] for i in rng.choice(len(declared), int(rng.integers(1, 4)), replace=False)]
    for index, dims in enumerate(chosen):
        name = f"in{index}"
        array = _sample(rng, [sizes.get(d, d) for d in dims])
        make.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, dims))
        make.arrays[name] = make.feeds[name] = array
    if rng.random() < 0.3:
        default = np.ones((1,), np.float32)
        make.inputs.append(helper.make_tensor_value_info("scale", TensorProto.FLOAT, [1]))
        make.initializers.append(numpy_helper.from_array(default, "scale"))
        make.arrays["scale"] = make.feeds["scale"] = np.full((1,), 3, np.float32)
    for _ in range(count):
        step(make)
    computed = [n for n in make.arrays if any(n in node.output for node in make.nodes)]
    used = {n for node in make.nodes for n in node.input}
    results = [n for n in computed if n not in used or rng.random() < 0.15] or [make.inputs[0].name]
    outputs = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(make.arrays[n].dtype), None) for n in results
    ]
    graph = helper.make_graph(make.nodes, "random", make.inputs, outputs, make.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    return model, [
        make.feeds,
        *(
            _other_feed(rng, make.inputs, sizes)
            for sizes in ({"N": 1, "M": 1}, {"N": 2, "M": 3}, {"N": 0, "M": 2}, {"N": 2, "M": 0})
        ),
    ]


def _sample(rng: np.random.Generator, shape: list[int]) -> np.ndarray:
    array = rng.standard_normal(shape).astype(np.float32)
    flat = array.reshape(-1)
    flat[::4] = -0.0
    flat[3::7] = np.inf
    return array


def _other_feed(
    rng: np.random.Generator, inputs: list[onnx.ValueInfoProto], sizes: dict[str, int]
) -> dict[str, np.ndarray]:
    return {
        info.name: _sample(rng, [sizes.get(d.dim_param, d.dim_value) for d in info.type.tensor_type.shape.dim])
        for info in inputs
    }
