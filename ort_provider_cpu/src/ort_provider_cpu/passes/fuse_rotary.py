"""Rotary position embedding written out with rotated halves."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.types import ElementType
from ort_provider_cpu.passes._emit import fuse
from ort_provider_cpu.passes._heads import plain, split_heads
from ort_provider_cpu.passes._match import integers, is_closed, last_size, made_by, nodes_of, operands, rank_of


@graph_pass(Level.EXTENDED, order=25)
def fuse_rotary(graph: Graph, ctx: PassContext) -> bool:
    """`x * cos + concat(-x2, x1) * sin with x = concat(x1, x2)` -> RotateHalf, with the splitting of heads before it."""
    changed = False
    for node in nodes_of(graph, {"Concat"}):
        changed |= _fuse(node)
    if changed:
        graph.sort()
    return changed


def _fuse(concat: Node) -> bool:
    rotated = concat.outputs[0]
    if rotated is None or rotated.element is not ElementType.FLOAT or len(concat.inputs) != 2 or rank_of(rotated) != 4:
        return False
    negation = made_by(concat.inputs[0], "Neg")
    if concat.attr("axis") not in {-1, 3} or negation is None:
        return False
    halves = _halves(concat.inputs[1], negation.inputs[0])
    if halves is None:
        return False
    x, inner = halves
    by_sin = _user(rotated, "Mul")
    total = None if by_sin is None else _user(by_sin.outputs[0], "Add")
    if by_sin is None or total is None or by_sin.outputs[0] is None:
        return False
    by_cos = made_by(operands(total, by_sin.outputs[0]), "Mul")
    sin = operands(by_sin, rotated)
    cos = None if by_cos is None else operands(by_cos, x)
    if by_cos is None or cos is None or sin is None or not (_is_table(cos, x) and _is_table(sin, x)):
        return False
    members = {concat, negation, by_sin, by_cos, *inner}
    if not is_closed(members, total):
        return False
    source = plain(x)
    if source is None:
        return fuse(total, "RotateHalf", [x, cos, sin])
    if all(use.user in members for use in x.uses):
        source = split_heads(source, shared=True)
    attributes = {"x_layout": source.layout, "num_heads": source.heads}
    return fuse(total, "RotateHalf", [source.value, cos, sin], attributes)


def _user(value: Value | None, op_type: str) -> Node | None:
    uses = () if value is None else value.uses
    user = uses[0].user if len(uses) == 1 else None
    return user if isinstance(user, Node) and user.op_type == op_type and not user.domain else None


def _halves(first: Value | None, second: Value | None) -> tuple[Value, set[Node]] | None:
    """The value that these are the halves of along the last axis, with the nodes that cut it."""
    one, two = (None if v is None else v.producer for v in (first, second))
    if one is None or two is None or one.domain or two.domain or one.inputs[0] is None:
        return None
    x = one.inputs[0]
    size = last_size(x)
    if size is None or size % 2 or two.inputs[0] is not x:
        return None
    if one.op_type == two.op_type == "Slice":
        return (x, {one, two}) if _cuts(one, 0, size // 2, size) and _cuts(two, size // 2, size, size) else None
    if one is not two or one.op_type != "Split" or one.outputs[0] is not first or len(one.outputs) != 2:
        return None
    if one.attr("axis", 0) not in {-1, 3} or one.outputs[1] is not second or last_size(first) != size // 2:
        return None
    return x, {one}


def _cuts(node: Node, begin: int, end: int, size: int) -> bool:
    """Whether a Slice takes [begin, end) of the last of 4 axes."""
    starts, ends, axes, steps = (integers(v) for v in (*node.inputs[1:], None, None)[:4])
    if starts is None or ends is None or axes not in {(-1,), (3,)} or len(starts) != 1 or len(ends) != 1:
        return False
    if steps not in {None, (1,)} or (len(node.inputs) > 4 and node.inputs[4] is not None and steps is None):
        return False
    first, last = (i + size if i < 0 else min(i, size) for i in (starts[0], ends[0]))
    return (first, last) == (begin, end)


def _is_table(table: Value, x: Value) -> bool:
    """Whether cosines or sines have the size of a row of x and at most 4 dimensions."""
    rank = rank_of(table)
    return table.element is ElementType.FLOAT and rank is not None and rank <= 4 and last_size(table) == last_size(x)
