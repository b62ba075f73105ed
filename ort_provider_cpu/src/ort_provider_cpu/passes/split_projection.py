"""Products with one matrix whose columns are taken apart, as for query, key and value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import add_constant, add_node, constant_array, graph_of, replace_uses
from ort_core.ir.types import ElementType, TensorType
from ort_provider_cpu.passes._activation import only_user
from ort_provider_cpu.passes._emit import remove_unused
from ort_provider_cpu.passes._match import as_row, integers, made_by, nodes_of, operands, rank_of
from ort_provider_cpu.passes._product import constant_matrix
from ort_provider_cpu.passes._sizes import Size, reshapes_to, size_of_dim

_HEADS_FIRST = (2, 0, 3, 1, 4)
"""[B, S, 3, H, D] to [3, B, H, S, D]."""

_MAX_PARTS = 8
_COLUMNS = 16
"""Parts are multiples of this many columns: kernels pad smaller ones."""
_PARTS_FIRST = (3, 1, 2, 0, 4)
"""[1, S, B, C, E] to [C, S, B, 1, E]."""


@dataclass(slots=True)
class _Packed:
    """x W + b, computed as `result`, with constants."""

    x: Value
    weight: Value
    bias: Value | None
    result: Value

    @property
    def leading(self) -> tuple[int | str | None, ...]:
        assert self.x.shape is not None
        return self.x.shape[:-1]


@graph_pass(Level.EXTENDED, order=8)
def split_projection(graph: Graph, ctx: PassContext) -> bool:
    """Split(x W + b), or [B, S, C, H, D] transposed and taken apart -> products with the parts of W."""
    changed = False
    for node in nodes_of(graph, {"MatMul"}):
        packed = _packed(node)
        user = None if packed is None else only_user(packed.result)
        if packed is None or user is None or user.domain:
            continue
        if user.op_type == "Split":
            changed |= _split_columns(packed, user)
        elif user.op_type == "Reshape":
            changed |= _split_heads(packed, user) or _split_folded(packed, user)
    if changed:
        graph.sort()
    return changed


def _packed(node: Node) -> _Packed | None:
    x, weight = node.inputs
    result = node.outputs[0]
    if x is None or weight is None or result is None or result.element is not ElementType.FLOAT:
        return None
    if not constant_matrix(weight) or len(weight.uses) > 1 or rank_of(x) != 3 or weight.shape is None:
        return None
    addition = only_user(result)
    other = operands(addition, result) if addition is not None and addition.op_type == "Add" else None
    if addition is None or other is None:
        return _Packed(x, weight, None, result)
    if addition.domain or not other.is_constant or not as_row(other, int(weight.shape[1]), 3):
        return None
    total = addition.outputs[0]
    return None if total is None else _Packed(x, weight, other, total)


def _split_columns(packed: _Packed, split: Node) -> bool:
    sizes = [v.shape[-1] if v is not None and v.shape else None for v in split.outputs]
    if split.attr("axis", 0) not in {-1, 2} or not all(isinstance(s, int) and s > 0 for s in sizes):
        return False
    parts = _parts(packed, sizes)  # type: ignore[arg-type]
    if parts is None:
        return False
    for output, part in zip(split.outputs, parts, strict=True):
        assert output is not None
        replace_uses(output, part)
    remove_unused([split])
    return True


def _split_heads(packed: _Packed, reshape: Node) -> bool:
    folded = reshape.outputs[0]
    if folded is None or folded.shape is None or len(folded.shape) != 5:
        return False
    count, heads, depth = folded.shape[2:]
    if not (isinstance(count, int) and isinstance(heads, int) and isinstance(depth, int)) or count * heads * depth == 0:
        return False
    wanted = [*(size_of_dim(d) for d in packed.leading), Size(count), Size(heads), Size(depth)]
    turned = only_user(folded)
    if turned is None or turned.op_type != "Transpose" or turned.domain or not reshapes_to(reshape, wanted):
        return False
    if tuple(turned.attr("perm", ())) != _HEADS_FIRST or turned.outputs[0] is None:
        return False
    taken = _taken(turned.outputs[0], count)
    parts = None if taken is None else _parts(packed, [heads * depth] * count)
    if taken is None or parts is None:
        return False
    graph = graph_of(reshape)
    shape = add_constant(graph, np.array([0, 0, heads, depth], np.int64), "heads")
    batch, rows = packed.leading
    for value, index in taken:
        (split,) = add_node(graph, "Reshape", [parts[index], shape], like=reshape)
        split.type = TensorType(ElementType.FLOAT, (batch, rows, heads, depth))
        (result,) = add_node(graph, "Transpose", [split], attributes={"perm": (0, 2, 1, 3)}, like=turned)
        result.type = TensorType(ElementType.FLOAT, (batch, heads, rows, depth))
        former = value.producer
        replace_uses(value, result)
        remove_unused([] if former is None else [former])
    return True


def _split_folded(packed: _Packed, reshape: Node) -> bool:
    """Parts of [S, B, C, E], moved to the front by way of [1, S, B, C, E] and [C, S, B, 1, E]."""
    folded = reshape.outputs[0]
    if folded is None or folded.shape is None or len(folded.shape) != 4:
        return False
    count, size = folded.shape[2:]
    grown = only_user(folded)
    turned = None if grown is None else only_user(grown.outputs[0])
    shrunk = None if turned is None else only_user(turned.outputs[0])
    if grown is None or turned is None or shrunk is None or not isinstance(count, int) or not isinstance(size, int):
        return False
    steps = [(n.op_type, n.domain) for n in (grown, turned, shrunk)]
    if steps != [("Unsqueeze", ""), ("Transpose", ""), ("Squeeze", "")] or count * size == 0:
        return False
    if integers(grown.inputs[1]) not in {(0,), (-5,)} or integers((*shrunk.inputs, None)[1]) not in {(3,), (-2,)}:
        return False
    wanted = [*(size_of_dim(d) for d in packed.leading), Size(count), Size(size)]
    if tuple(turned.attr("perm", ())) != _PARTS_FIRST or not reshapes_to(reshape, wanted):
        return False
    taken = None if shrunk.outputs[0] is None else _taken(shrunk.outputs[0], count)
    parts = None if taken is None else _parts(packed, [size] * count)
    if taken is None or parts is None:
        return False
    for value, index in taken:
        former = value.producer
        replace_uses(value, parts[index])
        remove_unused([] if former is None else [former])
    return True


def _taken(value: Value, count: int) -> list[tuple[Value, int]] | None:
    """The slices of the first axis, each with its index, that make up all uses of `value`."""
    found: list[tuple[Value, int]] = []
    for use in value.uses:
        user = use.user
        if not isinstance(user, Node) or user.graph is not value.graph or user.domain or user.inputs[0] is not value:
            return None
        index = integers(user.inputs[1]) if user.op_type == "Gather" and rank_of(user.inputs[1]) == 0 else None
        if index is not None and user.attr("axis", 0) == 0 and user.outputs[0] is not None:
            if not -count <= index[0] < count:
                return None
            found.append((user.outputs[0], index[0] % count))
        elif user.op_type == "Split" and user.attr("axis", 0) == 0 and len(user.outputs) == count:
            for i, part in enumerate(user.outputs):
                squeeze = only_user(part)
                if squeeze is None or made_by(squeeze.outputs[0], "Squeeze") is None or part is None:
                    return None
                if (
                    part.shape is None
                    or part.shape[0] != 1
                    or integers((*squeeze.inputs, None)[1]) not in {(0,), (-len(part.shape),)}
                ):
                    return None
                assert squeeze.outputs[0] is not None
                found.append((squeeze.outputs[0], i))
        else:
            return None
    return found or None


def _parts(packed: _Packed, sizes: Sequence[int]) -> list[Value] | None:
    """The products with the columns of the matrix, as many for each as `sizes` says."""
    if len(sizes) > _MAX_PARTS or any(size % _COLUMNS for size in sizes):
        return None
    weight, bias = constant_array(packed.weight), constant_array(packed.bias)
    if weight is None or (packed.bias is not None and bias is None) or sum(sizes) != weight.shape[1]:
        return None
    node = packed.result.producer
    assert node is not None
    graph = graph_of(node)
    ends = np.cumsum(sizes)[:-1]
    columns = np.split(weight, ends, axis=1)
    offsets = [None] * len(sizes) if bias is None else np.split(bias.reshape(-1), ends)
    found = []
    for size, matrix, offset in zip(sizes, columns, offsets, strict=True):
        kind = TensorType(ElementType.FLOAT, (*packed.leading, size))
        part = add_constant(graph, np.ascontiguousarray(matrix), packed.weight.name)
        (result,) = add_node(graph, "MatMul", [packed.x, part], like=node)
        result.type = kind
        if offset is not None:
            vector = add_constant(graph, np.ascontiguousarray(offset), "bias")
            (result,) = add_node(graph, "Add", [result, vector], like=node)
            result.type = kind
        found.append(result)
    return found
