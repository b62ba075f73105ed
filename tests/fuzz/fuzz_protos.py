"""Walking through a model, and values that software tends to get wrong."""

from __future__ import annotations

import collections
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper

INTS = (
    0, 1, -1, 2, 3, -2, 5, 7, 8, 16, -8, 100, 255, 1 << 15, 1 << 20, (1 << 31) - 1, 1 << 31, -(1 << 31), 1 << 32, 1 << 40,
    1 << 62, (1 << 63) - 1, -(1 << 63), -(1 << 63) + 1,
)  # fmt: skip
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e-45, 1e-8, 1e20, 3e38, -3e38, float("inf"), float("-inf"), float("nan"))
TEXTS = (
    b"", b"linear", b"nearest", b"cubic", b"constant", b"reflect", b"wrap", b"mean", b"none", b"SAME_UPPER", b"VALID", b"max",
    b"mul", b"ij,jk->ik", b"ij->ji", b"...", b"i" * 70 + b"->", b"\xff\xfe\x00", b"x" * 5000, b"tanh", b"bilinear", b"[0-9]+",
    b"(((", b"%s%n",
)  # fmt: skip
DIMS = (0, 1, 2, 3, -1, 1 << 31, (1 << 63) - 1, -(1 << 63), 1 << 20)
NAMES = ("", " ", "x", "a/b", "\0", "\n", "ü\u2028", "n" * 3000, "{}%s", "..", "0")
CODES = sorted(v for v in TensorProto.DataType.values() if v)
BAD_CODES = (0, 99, -1, (1 << 31) - 1)
OPERATORS = sorted({s.name for s in onnx.defs.get_all_schemas() if not s.domain})

Graphlike = Any
"""A GraphProto or a FunctionProto."""


def bodies(proto: onnx.ModelProto) -> list[Graphlike]:
    """The main graph first, then functions and subgraphs; the first 200."""
    found: list[Graphlike] = []
    pending: collections.deque[Graphlike] = collections.deque([proto.graph, *proto.functions])
    while pending and len(found) < 200:
        body = pending.popleft()
        found.append(body)
        for node in body.node:
            for attribute in node.attribute:
                pending += [attribute.g] if attribute.HasField("g") else []
                pending += attribute.graphs
    return found


def graphs(proto: onnx.ModelProto) -> list[onnx.GraphProto]:
    return [b for b in bodies(proto) if isinstance(b, onnx.GraphProto)]


def nodes(proto: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for body in bodies(proto) for node in body.node]


def attributes(proto: onnx.ModelProto) -> list[AttributeProto]:
    return [a for node in nodes(proto) for a in node.attribute]


def tensors(proto: onnx.ModelProto) -> list[TensorProto]:
    found = [t for g in graphs(proto) for t in g.initializer]
    found += [s.values for g in graphs(proto) for s in g.sparse_initializer]
    return found + [a.t for a in attributes(proto) if a.type == AttributeProto.TENSOR]


def infos(proto: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    return [v for g in graphs(proto) for part in (g.input, g.output, g.value_info) for v in part]


def tensor_types(proto: onnx.ModelProto) -> Iterator[Any]:
    for info in infos(proto):
        if info.type.HasField("tensor_type"):
            yield info.type.tensor_type


def pick(rng: random.Random, items: Any) -> Any:
    """One of the items, or None."""
    items = list(items)
    return rng.choice(items) if items else None


def visible_names(proto: onnx.ModelProto) -> list[str]:
    """Names of values anywhere in the model."""
    names = [v.name for v in infos(proto)] + [t.name for g in graphs(proto) for t in g.initializer]
    return names + [name for node in nodes(proto) for name in node.output]


def array_for(rng: random.Random, info: onnx.ValueInfoProto) -> np.ndarray | None:
    """A small array of the declared type; None if there is none."""
    type_ = info.type.tensor_type
    if not info.type.HasField("tensor_type") or type_.elem_type not in CODES:
        return None
    dims = [d.dim_value if d.HasField("dim_value") else rng.choice((0, 1, 2, 3)) for d in type_.shape.dim]
    if any(d < 0 or d > 4096 for d in dims) or len(dims) > 16 or np.prod(dims, dtype=object) > 1 << 16:
        return None
    return random_array(rng, type_.elem_type, dims)


def random_array(rng: random.Random, code: int, dims: list[int]) -> np.ndarray:
    """Small numbers of an element type."""
    values = np.random.default_rng(rng.getrandbits(32)).integers(-4, 5, dims)
    if code == TensorProto.STRING:
        return values.astype(str).astype(object)
    with np.errstate(all="ignore"):
        return np.asarray(values.astype(helper.tensor_dtype_to_np_dtype(code)))


def small_int_tensors(proto: onnx.ModelProto) -> list[TensorProto]:
    """Constants that are likely to be shapes, axes, counts and indices."""
    return [t for t in tensors(proto) if t.data_type in (TensorProto.INT64, TensorProto.INT32) and t.ByteSize() < 400]
