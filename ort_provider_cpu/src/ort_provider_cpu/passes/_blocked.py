"""The blocked layout of convolutions: `[N, C, spatial...]` as `[N, ceil(C/16), spatial..., 16]`, and how graphs move into it.

A blocked tensor is an ordinary float tensor of one rank more, so elementwise operators work on it as they are. What lies in the
channels beyond C of the last block is unspecified; no operator that mixes channels reads it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ort_core.errors import InvalidGraph
from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.rewrite import add_constant, add_node
from ort_core.ir.types import ElementType, TensorType

DOMAIN = "ort.cpu"
BLOCK = 16


class Blocked(NamedTuple):
    """A value that exists in blocked form, with its number of channels."""

    value: Value
    channels: int


def blocked_form(value: Value | None) -> Blocked | None:
    """What `value` was converted from, if it is the plain form of a blocked tensor."""
    node = None if value is None else value.producer
    if node is None or node.domain != DOMAIN or node.op_type != "FromBlocked":
        return None
    source = node.inputs[0]
    return None if source is None else Blocked(source, node.attr("channels"))


def typed(value: Value | None) -> tuple[Value, TensorType]:
    """A value that is there, with its type, which inference has found.

    Raises:
        InvalidGraph: it is absent or no tensor.
    """
    if value is None or not isinstance(value.type, TensorType):
        raise InvalidGraph(f"expected a tensor of known type, got {value}")
    return value, value.type


def blocked_type(plain: TensorType, channels: int) -> TensorType:
    """The type of the blocked form of a tensor."""
    if plain.shape is None:
        return TensorType(plain.element, None)
    batch, _, *spatial = plain.shape
    return TensorType(plain.element, (batch, math.ceil(channels / BLOCK), *spatial, BLOCK))


def to_blocked(graph: Graph, value: Value, channels: int, like: Node) -> Value:
    """The blocked form of a value: what it came from, or a conversion."""
    known = blocked_form(value)
    if known is not None:
        return known.value
    for use in value.uses:
        if isinstance(use.user, Node) and use.user.op_type == "ToBlocked" and use.user.domain == DOMAIN:
            converted = use.user.outputs[0]
            if converted is not None and use.user.graph is graph:
                return converted
    (blocked,) = add_node(graph, "ToBlocked", [value], domain=DOMAIN, like=like)
    blocked.type = blocked_type(typed(value)[1], channels)
    return blocked


def from_blocked(graph: Graph, value: Value, channels: int, plain: Value, like: Node) -> Value:
    """The plain form of a blocked value, of the type of `plain`."""
    (result,) = add_node(graph, "FromBlocked", [value], domain=DOMAIN, attributes={"channels": channels}, like=like)
    result.type = plain.type
    return result


def add_blocked_node(
    graph: Graph,
    node: Node,
    inputs: Sequence[Value | None],
    channels: int,
    *,
    op_type: str = "",
    domain: str | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> Value:
    """A node that computes the first output of `node` in blocked form, from blocked inputs; returns the plain form.

    Args:
        channels: of the output.
        op_type, domain, attributes: if they differ from those of `node`.
    """
    (blocked,) = add_node(
        graph,
        op_type or node.op_type,
        inputs,
        domain=node.domain if domain is None else domain,
        attributes=node.attributes if attributes is None else attributes,
        like=node,
    )
    output, plain = typed(node.outputs[0])
    blocked.type = blocked_type(plain, channels)
    return from_blocked(graph, blocked, channels, output, node)


def block_channels(array: np.ndarray, rank: int) -> np.ndarray | None:
    """A constant that is broadcast to `[N, C, spatial...]` of the given rank, as it is broadcast to the blocked form.

    None if it varies over the batch or over space.
    """
    full = array.reshape((1,) * (rank - array.ndim) + array.shape)
    if array.ndim > rank or full.shape[0] != 1 or any(d != 1 for d in full.shape[2:]):
        return None
    channels = full.shape[1]
    if channels == 1:
        return array.reshape(())
    padded = np.zeros(math.ceil(channels / BLOCK) * BLOCK, array.dtype)
    padded[:channels] = full.reshape(-1)
    return padded.reshape(-1, *(1,) * (rank - 2), BLOCK)


def blocked_constant(graph: Graph, array: np.ndarray, rank: int) -> Value | None:
    """`block_channels` as a constant of the graph."""
    blocked = block_channels(array, rank)
    return None if blocked is None else add_constant(graph, blocked, "blocked")


def is_float(value: Value | None) -> bool:
    """Whether the value is a float32 tensor of known rank."""
    return value is not None and value.element is ElementType.FLOAT and value.shape is not None
