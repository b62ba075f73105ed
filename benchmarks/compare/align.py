"""Which rows of two engines' profiles belong together: nodes of the model that both kept, operator families, places."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from benchmarks.compare.results import NodeCost

_FAMILIES = (
    (r"quantizelinear|fakequantize|^dynamicquantizelinear", "Quantize"),
    (r"conv(?!ert)", "Conv"),
    (r"attention", "Attention"),
    (r"matmul|gemm|fullyconnected|linearclassifier|linearregressor", "MatMul"),
    (r"norm|mvn|^rms", "Normalization"),
    (r"softmax", "Softmax"),
    (r"pool|reducemean", "Pool"),
    (r"lstm|gru|rnn|tensoriterator", "Recurrent"),
    (r"relu|gelu|elu|sigmoid|tanh|clip|clamp|swish|swiglu|mish|silu|erf|softplus", "Activation"),
    (
        r"^(to|from)blocked|reorder|transpose|reshape|squeeze|flatten|concat|split|slice|gather|expand|pad$|tile|broadcast",
        "Layout",
    ),
    (
        r"^(add|sub|mul|div|pow|sqrt|neg|exp|log|abs|min|max|where|eltwise|subgraph|multiply|subtract|power)",
        "Elementwise",
    ),
)
_MARKS = re.compile(r"^fused |(_nchwc|/WithoutBiases|/MatMulScaleFusion/?|_token_\d+)$")
_MOST_STEPS = 8

Key = TypeVar("Key", bound=Hashable)


def family(operator: str) -> str:
    """`Conv` for `FusedConv`, `Convolution`, `Conv+Relu`, ...; the operator itself if no family has it."""
    lead = re.split(r"[+ ]", operator, maxsplit=1)[0]
    for pattern, name in _FAMILIES:
        if re.search(pattern, lead.lower()):
            return name
    return operator


class ModelNodes:
    """The nodes of a model, to find the one that a row of a profile stands for."""

    def __init__(self, nodes: Iterable[Any]) -> None:
        self._operators: dict[str, str] = {}
        self._before: dict[str, list[str]] = {}
        self._producers: dict[str, str] = {}
        for node in nodes:
            name = node.name or (node.output[0] if node.output else "")
            self._operators[name] = node.op_type
            self._before[name] = list(node.input)
            self._producers.update(dict.fromkeys(node.output, name))

    def anchor(self, row: NodeCost) -> str:
        """The name of the model's node, empty if none is found.

        A fused row may carry the name of its last node or of a value: then the node of its own operator is looked for before.
        """
        name = row.name
        while (stripped := _MARKS.sub("", name)) != name:
            name = stripped
        name = name if name in self._operators else self._producers.get(name, "")
        if not name:
            return ""
        found, wanted = name, family(row.operator)
        for _ in range(_MOST_STEPS):
            if family(self._operators[found]) == wanted:
                return found
            before = [self._producers[value] for value in self._before[found] if value in self._producers]
            if not before:
                break
            found = next((b for b in before if family(self._operators[b]) == wanted), before[0])
        return name

    def place(self, row: NodeCost) -> str:
        """Where in the model a row is: the path of its name, numbers left out, so that like layers add up."""
        scope = row.anchor.rpartition("/")[0]
        return re.sub(r"(?<=[._/])\d+(?![^._/])", "*", scope) or "(none)"


def anchored(rows: Sequence[NodeCost], model: ModelNodes) -> list[NodeCost]:
    """The rows with family and anchor."""
    return [replace(row, family=family(row.operator), anchor=model.anchor(row)) for row in rows]


def totals(rows: Iterable[NodeCost], key: Callable[[NodeCost], Key]) -> dict[Key, tuple[float, int]]:
    """Seconds and number of rows by what `key` says of a row."""
    sums: dict[Key, tuple[float, int]] = {}
    for row in rows:
        seconds, count = sums.get(key(row), (0.0, 0))
        sums[key(row)] = (seconds + row.seconds, count + 1)
    return sums
