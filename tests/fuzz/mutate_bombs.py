"""Small models that ask for much: sizes that explode while constants are folded, shapes inferred, or nodes run."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.fuzz.mutant import Mutant, mutation


class Chain:
    """Adds nodes to a graph, of which the last becomes an output."""

    def __init__(self, rng: random.Random, mutant: Mutant) -> None:
        self.rng, self.mutant, self.graph = rng, mutant, mutant.proto.graph
        self.count = len(self.graph.node)
        self.fixed = rng.random() < 0.7
        """Whether numbers are constants rather than inputs."""

    def constant(self, values: Any, dtype: Any = np.int64) -> str:
        name = self._name("k")
        array = np.array(values, dtype)
        if self.fixed or not isinstance(self.mutant.feeds, dict):
            self.graph.initializer.append(numpy_helper.from_array(array, name))
        else:
            code = helper.np_dtype_to_tensor_dtype(array.dtype)
            self.graph.input.append(helper.make_tensor_value_info(name, code, array.shape))
            self.mutant.feeds[name] = array
        return name

    def add(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        name = self._name("v")
        self.graph.node.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def finish(self, name: str, *, whole: bool = False) -> None:
        """Asks for the value, or for something small that depends on it."""
        if not whole and self.rng.random() < 0.5:
            name = self.add(self.rng.choice(["Shape", "Size", "ReduceMax", "Neg"]), [name])
        self.graph.output.append(onnx.ValueInfoProto(name=name))

    def _name(self, start: str) -> str:
        self.count += 1
        return f"bomb_{start}{self.count}"


def bomb(make: Callable[[random.Random, Chain], str]) -> Callable[[random.Random, Chain], str]:
    """Registers what adds nodes to a chain and returns the name of the value to ask for."""

    def apply(rng: random.Random, mutant: Mutant) -> str | None:
        if any(n.output and n.output[0].startswith("bomb") for n in mutant.proto.graph.node):
            return None
        chain = Chain(rng, mutant)
        chain.finish(make(rng, chain))
        return "constant" if chain.fixed else "fed"

    apply.__name__ = make.__name__
    mutation("bombs")(apply)
    return make


BIG = (1 << 10, 1 << 20, 1 << 24, 1 << 31, 1 << 40, (1 << 63) - 1)


@bomb
def constant_of_shape(rng: random.Random, chain: Chain) -> str:
    shape = [rng.choice([1, 2, *BIG]) for _ in range(rng.randint(1, 3))]
    fill = {} if rng.random() < 0.5 else {"value": helper.make_tensor("", 11, [1], [1.0])}
    return chain.add("ConstantOfShape", [chain.constant(shape)], **fill)


@bomb
def expand(rng: random.Random, chain: Chain) -> str:
    return chain.add(
        "Expand", [chain.constant([[1.0]], np.float32), chain.constant([rng.choice(BIG), rng.choice(BIG)])]
    )


@bomb
def tile_tower(rng: random.Random, chain: Chain) -> str:
    value = chain.constant([1.0], np.float32)
    for _ in range(rng.choice([1, 5, 30])):
        value = chain.add("Tile", [value, chain.constant([rng.choice([2, 16, 1 << 16])])])
    return value


@bomb
def count_far(rng: random.Random, chain: Chain) -> str:
    dtype = rng.choice([np.int64, np.int32, np.float32, np.float64, np.int16])
    limit = rng.choice([1 << 20, 1 << 14, 1 << 30, 1 << 62, -5]) if dtype is not np.int16 else 30000
    limit = min(limit, (1 << 31) - 1) if dtype is np.int32 else limit
    delta = (
        rng.choice([1, 1, 0, -1])
        if np.issubdtype(dtype, np.integer)
        else rng.choice([1, 0, 1e-30, float("nan"), float("inf")])
    )
    return chain.add("Range", [chain.constant(0, dtype), chain.constant(limit, dtype), chain.constant(delta, dtype)])


@bomb
def one_hot(rng: random.Random, chain: Chain) -> str:
    depth = chain.constant(rng.choice([-1, 0, *BIG]))
    return chain.add("OneHot", [chain.constant([0, 1, 2]), depth, chain.constant([0, 1], np.float32)])


@bomb
def pad_tower(rng: random.Random, chain: Chain) -> str:
    value = chain.constant([[1.0, 2.0]], np.float32)
    for _ in range(rng.choice([1, 4])):
        pads = [rng.choice([0, 1, 1000, *BIG, -(1 << 62)]) for _ in range(4)]
        value = chain.add(
            "Pad", [value, chain.constant(pads)], mode=rng.choice(["constant", "reflect", "edge", "wrap"])
        )
    return value


@bomb
def resize(rng: random.Random, chain: Chain) -> str:
    data = chain.constant(np.ones((1, 1, 2, 2)), np.float32)
    mode = rng.choice(["nearest", "linear", "cubic"])
    if rng.random() < 0.5:
        return chain.add(
            "Resize",
            [data, "", chain.constant([1, 1, rng.choice([1e4, 1e9, 1e-9, float("inf"), -1]), 1e3], np.float32)],
            mode=mode,
        )
    return chain.add("Resize", [data, "", "", chain.constant([1, 1, rng.choice(BIG), rng.choice(BIG)])], mode=mode)


@bomb
def doubling(rng: random.Random, chain: Chain) -> str:
    """Each node doubles what it reads: by joining, multiplying out, or nesting."""
    op = rng.choice(["Concat", "Einsum", "StringConcat", "SequenceInsert", "Kron"])
    value = chain.constant(
        ["ab"] if op == "StringConcat" else [1.0, 2.0], object if op == "StringConcat" else np.float32
    )
    for _ in range(rng.choice([8, 24, 45])):
        if op == "Concat":
            value = chain.add("Concat", [value, value], axis=0)
        elif op == "StringConcat":
            value = chain.add("StringConcat", [value, value])
        elif op == "SequenceInsert":
            made = chain.add("SequenceConstruct", [value, value])
            value = chain.add("ConcatFromSequence", [made], axis=0)
        else:
            outer = chain.add("Einsum", [value, value], equation="i,j->ij")
            value = chain.add("Reshape", [outer, chain.constant([-1])])
    return value


@bomb
def broadcast(rng: random.Random, chain: Chain) -> str:
    size = rng.choice([1 << 8, 1 << 12, 1 << 17])
    rows, columns = chain.constant(np.ones((size, 1)), np.float32), chain.constant(np.ones((1, size)), np.float32)
    return chain.add(
        rng.choice(["Add", "Mul", "Less", "Pow", "MatMul", "Max", "Where", "Mod", "BitShift"]), [rows, columns]
    )


@bomb
def big_matrix(rng: random.Random, chain: Chain) -> str:
    size = rng.choice([64, 512, 3000])
    value = chain.add("Expand", [chain.constant([[1.0]], np.float32), chain.constant([size, size])])
    op = rng.choice(["MatMul", "Det", "Einsum", "CumSum", "TopK", "Trilu", "NonZero", "Unique"])
    if op == "Einsum":
        return chain.add("Einsum", [value, value, value], equation="ij,kl,mn->")
    more = {"MatMul": [value], "CumSum": [chain.constant(0)], "TopK": [chain.constant([size])]}.get(op, [])
    return chain.add(op, [value, *more])


@bomb
def nested_loops(rng: random.Random, chain: Chain) -> str:
    """Loops in loops over constants, with huge trip counts, that collect or double a value."""
    doubles = rng.random() < 0.5
    trips = rng.choice([3, 40, 1 << 30, (1 << 63) - 1])
    start = chain.constant([1.0], np.float32)

    def loop(level: int) -> onnx.NodeProto:
        body = onnx.GraphProto(name=f"bomb_body{level}")
        carried = f"bomb_s{level}"
        body.input.extend(
            [
                helper.make_tensor_value_info(f"bomb_i{level}", TensorProto.INT64, []),
                helper.make_tensor_value_info(f"bomb_g{level}", TensorProto.BOOL, []),
                helper.make_tensor_value_info(carried, TensorProto.FLOAT, None),
            ]
        )
        body.node.append(helper.make_node("Identity", [f"bomb_g{level}"], [f"bomb_h{level}"]))
        if level:
            body.node.append(loop(level - 1))
        else:
            op = (
                helper.make_node("Concat", [carried, carried], ["bomb_r0"], axis=0)
                if doubles
                else helper.make_node("Neg", [carried], ["bomb_r0"])
            )
            body.node.append(op)
        body.output.extend(
            [
                helper.make_tensor_value_info(f"bomb_h{level}", TensorProto.BOOL, []),
                helper.make_tensor_value_info(f"bomb_r{level}", TensorProto.FLOAT, None),
            ]
        )
        if rng.random() < 0.3:
            body.output.append(helper.make_tensor_value_info(carried, TensorProto.FLOAT, None))
        source = start if level == depth - 1 else f"bomb_s{level + 1}"
        outputs = [f"bomb_r{level + 1}", *[f"bomb_c{level}"] * (len(body.output) - 2)]
        return helper.make_node("Loop", ["bomb_trips", "", source], outputs, body=body)

    depth = rng.choice([1, 2, 3])
    chain.graph.initializer.append(helper.make_tensor("bomb_trips", TensorProto.INT64, [], [trips]))
    chain.graph.node.append(loop(depth - 1))
    return f"bomb_r{depth}"


@bomb
def many_nodes(rng: random.Random, chain: Chain) -> str:
    value = chain.constant([1.0], np.float32)
    for _ in range(rng.choice([100, 2000])):
        value = chain.add(rng.choice(["Neg", "Identity", "Relu", "Transpose", "Abs"]), [value])
    return value


@bomb
def shape_arithmetic(rng: random.Random, chain: Chain) -> str:
    """Sizes that are computed by the model and grow with every step."""
    value = chain.constant([1.0, 2.0, 3.0], np.float32)
    size = chain.add("Shape", [value])
    for _ in range(rng.choice([3, 12, 40])):
        size = chain.add(rng.choice(["Mul", "Mul", "Add", "Sub", "Div"]), [size, size])
    return chain.add(rng.choice(["Expand", "ConstantOfShape", "Reshape"]), [value, size])


@bomb
def windows(rng: random.Random, chain: Chain) -> str:
    op = rng.choice(["HannWindow", "HammingWindow", "BlackmanWindow", "EyeLike", "Multinomial", "RandomNormal"])
    size = rng.choice([-1, 0, *BIG])
    if op == "EyeLike":
        return chain.add(op, [chain.constant(np.ones((3, 1000)), np.float32)], k=size)
    if op == "Multinomial":
        return chain.add(op, [chain.constant([[0.5, 0.5]], np.float32)], sample_size=size)
    if op == "RandomNormal":
        return chain.add(op, [], shape=[size, rng.choice([1, *BIG])])
    return chain.add(op, [chain.constant(size)])


@bomb
def sliding(rng: random.Random, chain: Chain) -> str:
    """Convolution and pooling with huge kernels, pads, strides and dilations."""
    data = chain.constant(np.ones((1, 1, 4, 4)), np.float32)
    settings = {
        name: [rng.choice([0, 1, 2, -1, *BIG]) for _ in range(4 if name == "pads" else 2)]
        for name in rng.sample(["pads", "strides", "dilations"], rng.randint(1, 3))
    }
    op = rng.choice(["MaxPool", "AveragePool", "LpPool", "Conv", "ConvTranspose"])
    if op in {"Conv", "ConvTranspose"}:
        return chain.add(op, [data, chain.constant(np.ones((1, 1, 2, 2)), np.float32)], **settings)
    return chain.add(op, [data], kernel_shape=[rng.choice([1, 2, 0, -1, *BIG]), 2], **settings)


@bomb
def split_many(rng: random.Random, chain: Chain) -> str:
    value = chain.constant([1.0] * 6, np.float32)
    if rng.random() < 0.5:
        pieces = chain.add(
            "SplitToSequence", [value, chain.constant(rng.choice([0, 1, -1, 2, 1 << 62]))], axis=rng.choice([0, 1, -1])
        )
        return chain.add("SequenceAt", [pieces, chain.constant(rng.choice([0, 5, -1, 1 << 62]))])
    return chain.add("Split", [value, chain.constant(rng.choice([[6], [3, 3], [-1, 7], [1 << 62, 6], []]))])
