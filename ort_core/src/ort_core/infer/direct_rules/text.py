"""Operators on strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ort_core.infer.direct_rules.common import (
    Output,
    Rule,
    Types,
    broadcast,
    check,
    like_first,
    needed_shape,
    size,
)
from ort_core.ir.graph import Node


def _concat(node: Node, types: Types) -> Sequence[Output]:
    return (broadcast([needed_shape(types, 0), needed_shape(types, 1)]),)


def _split(node: Node, types: Types) -> Sequence[Output]:
    shape = needed_shape(types, 0)
    return ((*shape, None), shape)


def _normalizer(node: Node, types: Types) -> Sequence[Output]:
    shape = needed_shape(types, 0)
    check(len(shape) == 1 or (len(shape) == 2 and shape[0] == 1))
    return ((*shape[:-1], None),)


def _count_ngrams(node: Node, types: Types) -> Sequence[Output]:
    shape, indexes = needed_shape(types, 0), node.attr("ngram_indexes", ())
    check(bool(indexes) and min(indexes) >= 0 and len(shape) in (1, 2))
    return ((*shape[:-1], size(max(indexes) + 1)),)


RULES: Mapping[str, Rule] = {
    "RegexFullMatch": like_first,
    "StringConcat": _concat,
    "StringNormalizer": _normalizer,
    "StringSplit": _split,
    "TfIdfVectorizer": _count_ngrams,
}
