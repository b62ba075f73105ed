"""Shapes of outputs from a signature such as `(N, C), (C) -> (N, 2*C)`, the name of an input, or `broadcast`."""

from __future__ import annotations

import ast
import functools
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from ort_core.errors import InvalidArgument
from ort_core.ir.shapes import Dim, Shape, format_shape

ShapeRule: TypeAlias = "Callable[[Mapping[int, Shape | None], Mapping[str, object]], Sequence[Shape | None]]"
"""From the shapes of the tensors among the inputs, by their index, and the attributes to the shapes of the outputs.

Raises:
    ShapeMismatch: the inputs do not fit.
"""

ELLIPSIS = "..."
_GROUP = re.compile(r"\(([^()]*)\)|(\?)")
_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}


class ShapeMismatch(Exception):
    """The shapes of the inputs contradict the signature."""


class _Signature(NamedTuple):
    inputs: tuple[tuple[str, ...] | None, ...]
    outputs: tuple[tuple[str, ...] | None, ...]


def parse_shapes(text: str, inputs: Sequence[str], *, is_variadic: bool, n_outputs: int, where: str) -> ShapeRule:
    """The rule that a `shapes` argument stands for.

    Args:
        text: `broadcast`; the name of an input, whose shape every output has; or groups of dimensions like
            `(N, C, 3), (...) -> (N, C+1), ?`. Names are sizes or integer attributes (`size[0]` is an item of a list), `...`
            stands for any number of dimensions, `?` for an unknown size or shape.
        inputs: the inputs' names.
        is_variadic: whether the last one repeats.

    Raises:
        InvalidArgument: it is none of these.
    """
    if text == "broadcast":
        return lambda shapes, _: [_broadcast(list(shapes.values()))] * n_outputs
    if text in inputs:
        index = list(inputs).index(text)
        return lambda shapes, _: [shapes.get(index)] * n_outputs
    left, arrow, right = text.partition("->")
    if not arrow:
        raise InvalidArgument(
            f"{where}: shapes is {text!r}. Use 'broadcast', the name of an input ({', '.join(inputs)}), or a signature "
            "like '(N, C) -> (N, 2*C)'."
        )
    signature = _Signature(_groups(left, where), _groups(right, where))
    for got, expected, what in (
        (len(signature.inputs), len(inputs), "inputs"),
        (len(signature.outputs), n_outputs, "outputs"),
    ):
        if got != expected:
            raise InvalidArgument(f"{where}: shapes {text!r} has {got} {what}, the operator has {expected}")
    for group in signature.inputs:
        for dim in group or ():
            if not (dim in (ELLIPSIS, "?") or dim.isidentifier() or dim.isdigit()):
                raise InvalidArgument(f"{where}: in shapes {text!r} the input has {dim!r}; only outputs are computed")
    return functools.partial(_apply, signature, is_variadic)


def _groups(text: str, where: str) -> tuple[tuple[str, ...] | None, ...]:
    rest = _GROUP.sub("", text).replace(",", "").strip()
    if rest:
        raise InvalidArgument(f"{where}: cannot read {text.strip()!r} in shapes: {rest!r} is outside of parentheses")
    groups: list[tuple[str, ...] | None] = []
    for match in _GROUP.finditer(text):
        if match[2]:
            groups.append(None)
            continue
        dims = tuple(d.strip() for d in match[1].split(",") if d.strip())
        if dims.count(ELLIPSIS) > 1:
            raise InvalidArgument(f"{where}: '...' twice in ({match[1]})")
        for dim in dims:
            if dim not in (ELLIPSIS, "?"):
                _parse(dim, where)
        groups.append(dims)
    return tuple(groups)


def _apply(
    signature: _Signature, is_variadic: bool, shapes: Mapping[int, Shape | None], attributes: Mapping[str, object]
) -> list[Shape | None]:
    sizes = dict(_sizes(attributes))
    many: list[Shape] = []
    last = len(signature.inputs) - 1
    for index, shape in shapes.items():
        group = signature.inputs[min(index, last)] if is_variadic or index <= last else None
        if group is not None and shape is not None:
            _bind(index, group, shape, sizes, many)
    return [None if group is None else _fill(group, sizes, many) for group in signature.outputs]


def _sizes(attributes: Mapping[str, object]) -> Iterator[tuple[str, Dim]]:
    """What integer attributes are called in a signature: `k`, and `k[0]` for the items of a list."""
    for name, value in attributes.items():
        items = enumerate(value) if isinstance(value, list | tuple) else ()
        for key, item in ((name, value), *((f"{name}[{i}]", item) for i, item in items)):
            if isinstance(item, int) and not isinstance(item, bool):
                yield key, item


def _bind(index: int, group: tuple[str, ...], shape: Shape, sizes: dict[str, Dim], many: list[Shape]) -> None:
    expected = f"({', '.join(group)})"
    if ELLIPSIS in group:
        at = group.index(ELLIPSIS)
        after = len(group) - at - 1
        if len(shape) < len(group) - 1:
            raise ShapeMismatch(f"input {index} has shape {format_shape(shape)}, expected {expected}")
        middle = shape[at : len(shape) - after]
        many.append(middle)
        pairs = [
            *zip(group[:at], shape[:at], strict=True),
            *zip(group[at + 1 :], shape[len(shape) - after :], strict=True),
        ]
    elif len(shape) != len(group):
        raise ShapeMismatch(f"input {index} has shape {format_shape(shape)}, expected {expected}")
    else:
        pairs = list(zip(group, shape, strict=True))
    for name, dim in pairs:
        if name == "?":
            continue
        known = int(name) if name.isdigit() else sizes.get(name)
        if isinstance(known, int) and isinstance(dim, int) and known != dim:
            raise ShapeMismatch(
                f"input {index} has shape {format_shape(shape)}, expected {expected}"
                + ("" if name.isdigit() else f" with {name} = {known}")
            )
        if not name.isdigit() and not isinstance(known, int):
            sizes[name] = dim if isinstance(dim, int) or known is None else known


def _fill(group: tuple[str, ...], sizes: Mapping[str, Dim], many: list[Shape]) -> Shape | None:
    dims: list[Dim] = []
    for dim in group:
        if dim != ELLIPSIS:
            size = None if dim == "?" else _evaluate(_parse(dim), sizes)
            if isinstance(size, int) and size < 0:
                raise ShapeMismatch(f"the size '{dim}' of an output is {size}")
            dims.append(size)
            continue
        leading = _broadcast(many) if many else None
        if leading is None:
            return None
        dims += leading
    return tuple(dims)


@functools.cache
def _parse(dim: str, where: str = "") -> ast.expr:
    try:
        tree = ast.parse(dim, mode="eval").body
        _evaluate(tree, {})
    except (SyntaxError, TypeError) as error:
        raise InvalidArgument(
            f"{where}: cannot read the size {dim!r} in shapes. Use names and integers with + - * //."
        ) from error
    return tree


def _evaluate(tree: ast.expr, sizes: Mapping[str, Dim]) -> Dim:
    if isinstance(tree, ast.Constant) and type(tree.value) is int:
        return tree.value
    if isinstance(tree, ast.Name):
        return sizes.get(tree.id)
    if isinstance(tree, ast.Subscript) and isinstance(tree.value, ast.Name) and isinstance(tree.slice, ast.Constant):
        return sizes.get(f"{tree.value.id}[{tree.slice.value!r}]")
    if isinstance(tree, ast.BinOp) and type(tree.op) in _OPERATORS:
        left, right = _evaluate(tree.left, sizes), _evaluate(tree.right, sizes)
        if isinstance(left, int) and isinstance(right, int) and (right or not isinstance(tree.op, ast.FloorDiv)):
            return _OPERATORS[type(tree.op)](left, right)
        return None
    raise TypeError(ast.dump(tree))


def _broadcast(shapes: Sequence[Shape | None]) -> Shape | None:
    known = [s for s in shapes if s is not None]
    if len(known) != len(shapes) or not known:
        return None
    rank = max(map(len, known))
    columns = zip(*((1,) * (rank - len(s)) + s for s in known), strict=True)
    return tuple(_broadcast_dim(list(column), known) for column in columns)


def _broadcast_dim(dims: list[Dim], shapes: Sequence[Shape]) -> Dim:
    sizes = {d for d in dims if isinstance(d, int)} - {1}
    if len(sizes) > 1:
        raise ShapeMismatch(f"shapes {', '.join(map(format_shape, shapes))} do not broadcast")
    if sizes:
        return sizes.pop()
    rest = {d for d in dims if d != 1}
    return 1 if not rest else rest.pop() if len(rest) == 1 else None
