"""Sizes of sequences, optionals, and of what is made of strings."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from ort_core.ir.graph import Node
from ort_core.reference_ops.bounds.rules import counts, nbytes, total_bytes
from ort_core.values import RuntimeValue


@total_bytes("Optional", "OptionalGetElement", "SequenceErase", "SplitToSequence")
def as_first_input(node: Node, value: RuntimeValue = None, *_: RuntimeValue) -> int:
    """At most the bytes of the first input."""
    return nbytes(value)


@total_bytes("ConcatFromSequence")
def concat_from_sequence(node: Node, sequence: list[np.ndarray]) -> int:
    """The bytes of all elements."""
    return nbytes(sequence)


@total_bytes("SequenceConstruct")
def sequence_construct(node: Node, *values: RuntimeValue) -> int:
    """The bytes of all inputs."""
    return sum(map(nbytes, values))


@total_bytes("SequenceInsert")
def sequence_insert(node: Node, sequence: list[Any], value: RuntimeValue, *_: np.ndarray) -> int:
    """The bytes of the sequence and of what is inserted."""
    return nbytes(sequence) + nbytes(value)


@total_bytes("SequenceEmpty")
def sequence_empty(node: Node) -> int:
    """Nothing."""
    return 0


@total_bytes("SequenceAt")
def sequence_at(node: Node, sequence: list[Any], position: np.ndarray) -> int:
    """The bytes of the element."""
    return nbytes(sequence[int(position.reshape(-1)[0])])


@counts("StringNormalizer")
def string_normalizer(node: Node, x: np.ndarray) -> int:
    """At most every string, at least one."""
    return max(1, x.size)


@counts("StringSplit")
def string_split(node: Node, x: np.ndarray) -> tuple[int, int]:
    """As many parts for each string as the one with the most has, and their number."""
    delimiter = node.attr("delimiter") or None
    limit = node.attr("maxsplit")
    most = max((len(s.split()) if delimiter is None else s.count(delimiter) + 1 for s in x.ravel()), default=0)
    return x.size * (most if limit is None else min(most, int(limit) + 1)), x.size


@counts("TfIdfVectorizer")
def tfidf_vectorizer(node: Node, x: np.ndarray) -> int:
    """A number for each n-gram of each row."""
    return math.prod(x.shape[:-1]) * int(max(itertools.chain(node.attr("ngram_indexes"), (-1,))) + 1)
