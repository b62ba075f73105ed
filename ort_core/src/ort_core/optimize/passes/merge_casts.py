"""Consecutive Cast nodes become one where the first loses nothing."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Node
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import replace_node
from ort_core.ir.types import ElementType

_FRACTION_BITS = {
    ElementType.BFLOAT16: (8, 127),
    ElementType.FLOAT16: (11, 15),
    ElementType.FLOAT: (24, 127),
    ElementType.DOUBLE: (53, 1023),
}
_INTEGER_BITS = {
    ElementType.BOOL: (1, False),
    ElementType.UINT8: (8, False),
    ElementType.UINT16: (16, False),
    ElementType.UINT32: (32, False),
    ElementType.UINT64: (64, False),
    ElementType.INT8: (7, True),
    ElementType.INT16: (15, True),
    ElementType.INT32: (31, True),
    ElementType.INT64: (63, True),
}


@graph_pass(Level.BASIC, order=60)
def merge_casts(graph: Graph, ctx: PassContext) -> bool:
    """Cast(Cast(x, A), B) -> Cast(x, B), or x if it has type B, where A holds every value of the type of x exactly.

    Casts of floats to integers, whose result out of range is undefined, are only merged where nothing can be out of range.
    """
    changed = False
    for node in graph.nodes:
        source = node.inputs[0] if _is_cast(node) else None
        inner = source.producer if source is not None else None
        if source is None or inner is None or not _is_cast(inner) or inner.inputs[0] is None:
            continue
        start, middle, end = inner.inputs[0].element, source.element, ElementType(node.attr("to"))
        if start is None or middle is None or not can_skip(start, middle, end):
            continue
        if start is end:
            replace_node(node, [inner.inputs[0]])
        else:
            node.set_input(0, inner.inputs[0])
        changed = True
    return changed


def can_skip(start: ElementType, middle: ElementType, end: ElementType) -> bool:
    """Whether casting `start` to `middle` to `end` always equals casting `start` to `end`."""
    if not is_lossless(start, middle):
        return False
    if start is end:
        return True
    if end in (ElementType.FLOAT, ElementType.DOUBLE, ElementType.BOOL):
        return True
    if end in _FRACTION_BITS:
        return start in _FRACTION_BITS or is_lossless(start, end)
    if end not in _INTEGER_BITS:
        return False
    return is_lossless(start, end) or (start in _INTEGER_BITS and middle in _INTEGER_BITS)


def is_lossless(start: ElementType, end: ElementType) -> bool:
    """Whether every value of `start` is one of `end`."""
    if start in _INTEGER_BITS:
        bits, signed = _INTEGER_BITS[start]
        if end in _INTEGER_BITS:
            more, end_signed = _INTEGER_BITS[end]
            return (end is not ElementType.BOOL and more >= bits and (end_signed or not signed)) or start is end
        fraction = _FRACTION_BITS.get(end)
        return fraction is not None and fraction[0] >= bits and fraction[1] >= bits
    if start in _FRACTION_BITS and end in _FRACTION_BITS:
        (fraction_bits, exponent), (more_bits, more_exponent) = _FRACTION_BITS[start], _FRACTION_BITS[end]
        return more_bits >= fraction_bits and more_exponent >= exponent
    return False


def _is_cast(node: Node) -> bool:
    return node.op_type == "Cast" and not node.domain and not any(a.ref for a in node.attributes.values())
