"""Products of matrices and other contractions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ort_core.infer.direct_rules.common import (
    Output,
    Rule,
    Types,
    UnknownRankError,
    broadcast,
    check,
    known_shape,
    needed_shape,
    unify,
)
from ort_core.ir.graph import Node
from ort_core.ir.shapes import Dim, Shape


def _matmul_of(second: int) -> Rule:
    def rule(node: Node, types: Types) -> Sequence[Output]:
        return (_multiplied(needed_shape(types, 0), needed_shape(types, second)),)

    return rule


def _multiplied(a: Shape, b: Shape) -> Shape:
    check(bool(a) and bool(b))
    left = (1, *a) if len(a) == 1 else a
    right = (*b, 1) if len(b) == 1 else b
    unify(left[-1], right[-2])
    rows = () if len(a) == 1 else (left[-2],)
    columns = () if len(b) == 1 else (right[-1],)
    return (*broadcast([left[:-2], right[:-2]]), *rows, *columns)


def _gemm(node: Node, types: Types) -> Sequence[Output]:
    rows, inner = _matrix(types, 0, node.attr("transA", 0))
    other, columns = _matrix(types, 1, node.attr("transB", 0))
    unify(inner, other)
    return ((rows, columns),)


def _matrix(types: Types, index: int, transposed: int) -> tuple[Dim, Dim]:
    shape = known_shape(types, index)
    if shape is None:
        return None, None
    check(len(shape) == 2)
    return (shape[1], shape[0]) if transposed else (shape[0], shape[1])


def _det(node: Node, types: Types) -> Sequence[Output]:
    shape = needed_shape(types, 0)
    check(len(shape) >= 2)
    unify(shape[-2], shape[-1])
    return (shape[:-2],)


def _einsum(node: Node, types: Types) -> Sequence[Output]:
    equation = node.attr("equation", "").replace(" ", "")
    if not equation:
        raise UnknownRankError
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    shapes = [needed_shape(types, index) for index in range(len(types))]
    check(len(terms) == len(shapes))
    sizes: dict[str, Dim] = {}
    repeated: set[str] = set()
    wide: Shape | None = None
    for term, shape in zip(terms, shapes, strict=True):
        before, dots, after = term.partition("...")
        count = len(shape) - len(before) - len(after)
        check(count >= 0 if dots else count == 0)
        if dots:
            inner = shape[len(before) : len(before) + count]
            check(wide is None or len(wide) == count)
            wide = inner if wide is None else tuple(_widest(a, b) for a, b in zip(wide, inner, strict=True))
        for label, dim in (
            *zip(before, shape, strict=False),
            *zip(after, shape[len(shape) - len(after) :], strict=True),
        ):
            if label in sizes:
                repeated.add(label)
            else:
                sizes[label] = dim
    wide = wide or ()
    if not arrow:
        return ((*wide, *(sizes[label] for label in sorted(sizes) if label not in repeated)),)
    before, dots, after = right.partition("...")
    check(set(before + after) <= sizes.keys())
    return ((*(sizes[x] for x in before), *(wide if dots else ()), *(sizes[x] for x in after)),)


def _widest(a: Dim, b: Dim) -> Dim:
    return b if a == 1 and isinstance(b, int) and b > 1 else a


RULES: Mapping[str, Rule] = {
    "Det": _det,
    "Einsum": _einsum,
    "Gemm": _gemm,
    "MatMul": _matmul_of(1),
    "MatMulInteger": _matmul_of(1),
    "QLinearMatMul": _matmul_of(3),
}
