"""Transpositions moved past elementwise operators to where they cancel or become one."""

from __future__ import annotations

from typing import Any

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import add_constant, add_node, constant_array, make_attribute, replace_node
from ort_core.ir.types import TensorType
from ort_provider_cpu.passes._emit import remove_unused
from ort_provider_cpu.passes._transposed import (
    Region,
    cancels,
    find_regions,
    inverse,
    moved_axis,
    permutation_of,
    permuted,
)

_MAX_CONSTANT_BYTES = 1 << 20


@graph_pass(Level.EXTENDED, order=35)
def sink_transposes(graph: Graph, ctx: PassContext) -> bool:
    """f(Transpose(x)) -> Transpose(f(x)) for elementwise f, Softmax and Concat, where fewer Transposes are left in the end."""
    touched: set[Node] = set()
    changed = False
    for region in find_regions(graph):
        # A Transpose that ended another region is no longer what this region was found with; the next round finds what is left.
        if touched.isdisjoint(region.starts) and region.gain() > 0 and _has_small_constants(region):
            _rewrite(graph, region, touched)
            changed = True
    if changed:
        graph.sort()
    return changed


def _has_small_constants(region: Region) -> bool:
    constants = [v.const for node in region.nodes for v in node.inputs if v is not None and v.is_constant]
    return all(c is None or getattr(c, "nbytes", _MAX_CONSTANT_BYTES + 1) <= _MAX_CONSTANT_BYTES for c in constants)


def _rewrite(graph: Graph, region: Region, touched: set[Node]) -> None:
    before: dict[Value, Value] = {}
    for start in region.starts:
        source, result = start.inputs[0], start.outputs[0]
        assert source is not None
        assert result is not None
        before[result] = source
    for node in region.nodes:
        _compute_before(graph, node, region, before)
    members = {*region.nodes}
    for value, source in before.items():
        _give_back(graph, value, source, region, members, touched)
    remove_unused(reversed([*region.starts, *region.nodes]))


def _compute_before(graph: Graph, node: Node, region: Region, before: dict[Value, Value]) -> None:
    """Adds what the node computes, of operands that were not transposed."""
    attributes: dict[str, Any] = dict(node.attributes)
    if (axis := moved_axis(node, region.permutation)) is not None:
        attributes["axis"] = axis
    inputs = [None if v is None else before.get(v) or _constant_before(graph, v, region) for v in node.inputs]
    (result,) = add_node(graph, node.op_type, inputs, attributes=attributes, like=node)
    old = node.outputs[0]
    assert old is not None
    if isinstance(old.type, TensorType) and old.type.shape is not None:
        result.type = TensorType(old.type.element, permuted(old.type.shape, region.permutation))  # type: ignore[arg-type]
    before[old] = result


def _constant_before(graph: Graph, value: Value, region: Region) -> Value:
    """A constant operand, or one number, as it is broadcast to operands that were not transposed."""
    array = constant_array(value)
    if array is None or array.size == 1:
        return value
    rank = len(region.permutation)
    full = array.reshape((1,) * (rank - array.ndim) + array.shape)
    return add_constant(graph, full.transpose(inverse(region.permutation)), value.name)


def _give_back(
    graph: Graph, value: Value, source: Value, region: Region, members: set[Node], touched: set[Node]
) -> None:
    """Lets everything outside of the region use `source`, transposed where that is still needed."""
    permutation = region.permutation
    transposed: Value | None = None
    for use in value.uses:
        user = use.user
        if user in members:
            continue
        next_permutation = permutation_of(user) if isinstance(user, Node) else None
        if isinstance(user, Node) and next_permutation is not None:
            touched.add(user)
        if isinstance(user, Node) and cancels(user, permutation):
            replace_node(user, [source])
        elif isinstance(user, Node) and next_permutation is not None:
            user.attributes["perm"] = make_attribute(tuple(permutation[axis] for axis in next_permutation))
            user.set_input(0, source)
        elif value.producer is not None and value.producer.op_type != "Transpose":
            if transposed is None:
                (transposed,) = add_node(
                    graph, "Transpose", [source], attributes={"perm": permutation}, like=value.producer
                )
                transposed.type = value.type
            if isinstance(user, Node):
                user.set_input(use.slot, transposed)
            else:
                user.set_output(use.slot, transposed)
