"""Which bands of a graph feed which, along which values, with which copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ort_core.explain.flow import Flow, ValueKey
from ort_core.explain.picture import Band, Pill, Stack
from ort_core.explain.report import CORE, TensorCopy

Copied: TypeAlias = "dict[ValueKey, list[TensorCopy]]"


@dataclass(slots=True)
class Bundle:
    """Everything that goes from one item to another."""

    values: list[ValueKey] = field(default_factory=list)
    copies: list[TensorCopy] = field(default_factory=list)


class Bundles:
    """The wires between the inputs, bands and results of one graph.

    Attributes:
        items: inputs, bands, results; everywhere else an item is its position here.
        found: by source and target.
    """

    def __init__(self, flow: Flow, stack: Stack, copied: Copied) -> None:
        self._flow = flow
        self._scope = stack.scope
        self._copied = copied
        self._claimed: set[int] = set()
        self._hidden = stack.hidden
        self.items: list[Pill | Band] = [*stack.sources, *stack.bands, *stack.sinks]
        self._pill_of = {key: at for at, pill in enumerate(stack.sources) for key in pill.values}
        first = len(stack.sources)
        self._band_of = {n: first + at for at, band in enumerate(stack.bands) for n in band.nodes}
        self._frame_of = {n: frame for frame in stack.frames for copy in frame.copies for n in copy}
        self.found: dict[tuple[int, int], Bundle] = {}
        for target, item in enumerate(self.items):
            if isinstance(item, Band):
                for node in item.nodes:
                    for key in flow.reads[node]:
                        self._add(key, target, item.device if item.provider != CORE else None)
            elif target >= first:
                for key in item.values:
                    self._add(key, target, None)
        for node, shown in self._hidden.items():
            for key in flow.reads[node]:
                if self._frame_of.get(flow.producer.get(key, -1)) is not self._frame_of[node]:
                    self._add(key, self._band_of[shown], "")

    def source_of(self, key: ValueKey) -> int | None:
        """The item that a value comes from."""
        if key in self._pill_of:
            return self._pill_of[key]
        node = self._flow.producer.get(key, -1)
        return self._band_of.get(self._hidden.get(node, node))

    def copies(self, source: int | None, target: int) -> Sequence[TensorCopy]:
        """The copies between two items."""
        bundle = None if source is None else self.found.get((source, target))
        return bundle.copies if bundle else ()

    def _add(self, key: ValueKey, target: int, device: str | None) -> None:
        """`device` is where the value is needed; None for wherever it is copied to, empty for nowhere."""
        source = self.source_of(key)
        if source is None or source == target:
            return
        bundle = self.found.setdefault((source, target), Bundle())
        if key not in bundle.values:
            bundle.values.append(key)
        for copy in self._copied.get(key, ()):
            if copy.scope == self._scope and device in (None, copy.target) and id(copy) not in self._claimed:
                self._claimed.add(id(copy))
                bundle.copies.append(copy)
