"""What a graph pass is: a function of a graph that reports whether it changed something, at an optimisation level."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ort_core.ir.graph import Graph, Node
from ort_core.progress import UNWATCHED, Progress


class Level(enum.IntEnum):
    """ONNX Runtime's optimisation levels; a pass runs at its level and above."""

    DISABLE_ALL = 0
    BASIC = 1
    EXTENDED = 2
    LAYOUT = 3
    ALL = 99


@dataclass(frozen=True, slots=True)
class PassContext:
    """What a pass may need beside the graph.

    Attributes:
        evaluate: computes a node on constant inputs (None for absent ones), or returns None when it cannot.
        max_fold_bytes: no constant larger than this is made by folding, except by moving an existing one.
        opsets: domain to version, after normalisation.
        progress: whom a pass that takes long tells of the nodes it has done, so that loading can be stopped.
        memo: what passes keep for each other; cleared before and after a run.
    """

    evaluate: Callable[[Node, Sequence[np.ndarray | None]], Sequence[np.ndarray] | None]
    max_fold_bytes: int = 1 << 20
    opsets: Mapping[str, int] = field(default_factory=dict)
    progress: Progress = field(default=UNWATCHED, compare=False, repr=False)
    memo: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)


class Pass(Protocol):
    """A rewrite of one graph (subgraphs are separate calls)."""

    @property
    def name(self) -> str:
        """verb_object."""

    @property
    def level(self) -> Level:
        """The lowest level at which it runs."""

    def __call__(self, graph: Graph, ctx: PassContext) -> bool:
        """Rewrites `graph` in place; True if anything changed."""


class _FunctionPass:
    __slots__ = ("__doc__", "_function", "level", "name", "order")

    def __init__(self, function: Callable[[Graph, PassContext], bool], level: Level, order: int) -> None:
        self._function = function
        self.name = function.__name__
        self.level = level
        self.order = order
        self.__doc__ = function.__doc__

    def __call__(self, graph: Graph, ctx: PassContext) -> bool:
        return self._function(graph, ctx)


def graph_pass(level: Level, *, order: int = 50) -> Callable[[Callable[[Graph, PassContext], bool]], Pass]:
    """Declares a function as a pass of the given level, under the function's name.

    Args:
        order: passes run in rising order, round after round until nothing changes; it only saves rounds.
    """
    return lambda function: _FunctionPass(function, level, order)
