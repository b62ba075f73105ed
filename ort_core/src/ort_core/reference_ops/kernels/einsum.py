"""Einsum: its equation, and the product."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from ort_core.ir.graph import Node
from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.numerics import cast, widen

Labels: TypeAlias = "tuple[str | int, ...]"
"""What names the dimensions of a tensor: letters, and numbers for those of the ellipsis."""

_ELLIPSIS = "..."


class Equation(NamedTuple):
    """The labels of each input and of the output."""

    inputs: tuple[Labels, ...]
    output: Labels


def parse_equation(text: str, ranks: Sequence[int]) -> Equation:
    """The labels that an equation gives to inputs of those ranks.

    Raises:
        ValueError: it is no equation, or does not fit the inputs.
    """
    left, arrow, right = text.replace(" ", "").partition("->")
    terms = [_tokens(term, text) for term in left.split(",")]
    if len(terms) != len(ranks):
        raise ValueError(f"equation '{text}' has {len(terms)} terms for {len(ranks)} inputs")
    spans = {rank - len(term) + 1 for term, rank in zip(terms, ranks, strict=True) if _ELLIPSIS in term}
    if len(spans) > 1 or min(spans, default=0) < 0:
        raise ValueError(f"the ellipsis of equation '{text}' does not stand for one number of dimensions of {ranks}")
    hidden: Labels = tuple(range(max(spans, default=0)))
    inputs = tuple(_expand(term, hidden) for term in terms)
    if any(len(labels) != rank for labels, rank in zip(inputs, ranks, strict=True)):
        raise ValueError(f"the terms of equation '{text}' do not fit inputs of rank {', '.join(map(str, ranks))}")
    known = Counter(label for labels in inputs for label in labels)
    if not arrow:
        return Equation(inputs, (*hidden, *sorted(c for c, n in known.items() if isinstance(c, str) and n == 1)))
    output = _expand(_tokens(right, text), hidden)
    if len(set(output)) != len(output) or not known.keys() >= set(output):
        raise ValueError(f"the output of equation '{text}' repeats a label, or has one that no input has")
    return Equation(inputs, output)


def _tokens(term: str, text: str) -> list[str]:
    before, dots, after = term.partition(_ELLIPSIS)
    letters = before + after
    if letters and not (letters.isascii() and letters.isalpha()):
        raise ValueError(f"the term '{term}' of equation '{text}' must have letters and at most one ellipsis")
    return [*before, *([dots] if dots else []), *after]


def _expand(term: Sequence[str], hidden: Labels) -> Labels:
    return tuple(label for token in term for label in (hidden if token == _ELLIPSIS else (token,)))


@kernel("Einsum")
class Einsum:
    """Y[output] = sum of the products of the inputs over all labels that the output lacks. Source: ONNX Einsum."""

    def prepare(self, node: Node, ctx: object, *, equation: str) -> None:
        """Keeps the equation."""
        self._equation = equation

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        """Computes the product; a dimension of 1 is broadcast."""
        equation = parse_equation(self._equation, [x.ndim for x in inputs])
        numbers = {c: i for i, c in enumerate(dict.fromkeys(c for labels in equation.inputs for c in labels))}
        operands = [
            part
            for x, labels in zip(inputs, equation.inputs, strict=True)
            for part in (widen(x), [numbers[c] for c in labels])
        ]
        y = np.einsum(*operands, [numbers[c] for c in equation.output], optimize=len(inputs) > 1)
        return cast(y, inputs[0].dtype)
