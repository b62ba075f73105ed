"""Equal computations are done once."""

from __future__ import annotations

import struct
from collections.abc import Hashable
from typing import Any

from ort_core.ir.attributes import Attribute, AttributeKind, SparseWeight
from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import replace_node, replace_uses
from ort_core.ir.tensors import WeightRef
from ort_core.ir.types import ElementType
from ort_core.optimize.determinism import is_deterministic

_SMALL_BYTES = 1024


@graph_pass(Level.BASIC, order=70)
def eliminate_duplicate(graph: Graph, ctx: PassContext) -> bool:
    """Merges nodes of one graph with the same operator, inputs and attributes, and small constants of equal content."""
    changed = _merge_constants(graph)
    seen: dict[Hashable, Node] = {}
    for node in graph.nodes:
        if not is_deterministic(node) or not node.outputs:
            continue
        key = _node_key(node)
        if key is None:
            continue
        first = seen.setdefault(key, node)
        if first is not node:
            replace_node(node, first.outputs)
            changed = True
    return changed


def _merge_constants(graph: Graph) -> bool:
    changed = False
    seen: dict[Hashable, Value] = {}
    for value in tuple(graph.initializers.values()):
        weight = value.const
        if weight is None or isinstance(weight, SparseWeight) or weight.nbytes > _SMALL_BYTES or not value.is_constant:
            continue
        key = _weight_key(weight)
        if key is None:
            continue
        first = seen.setdefault(key, value)
        if first is not value:
            replace_uses(value, first)
            graph.remove_initializer(value)
            changed = True
    return changed


def _weight_key(weight: WeightRef) -> Hashable | None:
    if weight.element is ElementType.STRING or weight.nbytes > _SMALL_BYTES:
        return None
    return (weight.element, tuple(weight.shape), bytes(weight.view()))


def _node_key(node: Node) -> Hashable | None:
    attributes: list[Hashable] = []
    for name in sorted(node.attributes):
        key = _attribute_key(node.attributes[name])
        if key is None:
            return None
        attributes.append((name, key))
    present = tuple(v is not None for v in node.outputs)
    return (node.op_type, node.domain, node.overload, node.inputs, present, tuple(attributes))


def _attribute_key(attribute: Attribute) -> Hashable | None:
    kind, value = attribute.kind, attribute.value
    if attribute.ref:
        return (kind, attribute.ref)
    if kind in (AttributeKind.INT, AttributeKind.INTS, AttributeKind.STRING, AttributeKind.STRINGS):
        return (kind, value)
    if kind in (AttributeKind.FLOAT, AttributeKind.FLOATS):
        items: tuple[Any, ...] = value if kind is AttributeKind.FLOATS else (value,)
        return (kind, struct.pack(f"{len(items)}d", *items))
    if kind is AttributeKind.TENSOR:
        return _weight_key(value)
    return (kind, value) if kind is AttributeKind.TYPE_PROTO else None
