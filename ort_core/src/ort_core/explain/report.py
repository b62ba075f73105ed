"""The placement report behind `session.explain()`: which provider runs each node, why others declined it, what is copied."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ort_core.errors import InvalidArgument

CORE = "core"
"""Stands for the core itself, which runs control flow that no provider takes whole."""


@dataclass(frozen=True, slots=True)
class NodePlacement:
    """One node: what it is (and was in the file), where it runs, and who declined it.

    Attributes:
        scope: the body that holds the node, as in `GraphSummary`; empty in the main graph.
        declined: provider and reason, in the order in which providers were asked.
        inputs, outputs: names of values; empty where an optional one is absent.
        bodies: the scopes of its control-flow bodies.
    """

    name: str
    op_type: str
    domain: str
    original: str
    provider: str
    partition: str
    scope: str
    declined: dict[str, str] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    bodies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PartitionSummary:
    """One partition: its provider, device and size."""

    name: str
    provider: str
    device: str
    nodes: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GraphSummary:
    """The main graph (scope empty) or a control-flow body.

    Attributes:
        inputs: the names of its formal inputs.
        outputs: interface names, and the value that each refers to.
        types: `tensor(float) [N, 3]` for each value that belongs to the graph.
        constants: the values that are fixed in the model.
    """

    scope: str
    inputs: tuple[str, ...]
    outputs: dict[str, str]
    types: dict[str, str]
    constants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TensorCopy:
    """A value that every run (every iteration, in a body) copies to another device; the size is None where it is not fixed."""

    scope: str
    value: str
    source: str
    target: str
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class PlacementReport:
    """Where everything runs; `str()` is for people, `to_json()` for programs, `to_html()` and `to_svg()` draw it.

    Attributes:
        copies: tensors copied from device to device in one run with inputs and outputs on the host, bodies counted once.
        model: the name of the graph.
        graphs: the main graph and every body of control flow.
        copied: the tensors that `copies` counts.
    """

    providers: tuple[str, ...]
    provider_status: dict[str, str]
    partitions: tuple[PartitionSummary, ...]
    nodes: tuple[NodePlacement, ...]
    copies: dict[str, int]
    model: str = ""
    graphs: tuple[GraphSummary, ...] = ()
    copied: tuple[TensorCopy, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def to_json(self, indent: int | None = 2) -> str:
        """The report as JSON."""
        return json.dumps(self.as_dict(), indent=indent)

    def to_svg(self, title: str = "") -> str:
        """The partitioned graph as a static picture; `title` replaces the graph's name."""
        from ort_core.explain.svg import draw_report

        return draw_report(self, title)

    def to_html(self, title: str = "") -> str:
        """The partitioned graph as a page of its own that loads nothing; `title` replaces the graph's name."""
        from ort_core.explain.page import render_page

        return render_page(self, title)

    def save(self, path: str | os.PathLike[str], title: str = "", *, overwrite: bool = False) -> None:
        """Writes the report as the suffix of `path` says: `.html`, `.svg`, `.json` or `.txt`.

        Raises:
            InvalidArgument: the suffix is none of these, or the file exists and is not to be overwritten.
        """
        target = Path(path)
        write = SUFFIXES.get(target.suffix.lower())
        if write is None:
            raise InvalidArgument(
                f"cannot write a placement report to '{target}'. Give a name that ends in {', '.join(SUFFIXES)}."
            )
        text = write(self, title) + "\n"
        try:
            with target.open("w" if overwrite else "x", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write(text)
        except FileExistsError as error:
            raise InvalidArgument(f"'{target}' exists already. Choose another name, or pass overwrite=True.") from error

    def _repr_html_(self) -> str:
        """The page in a frame of its own, for notebooks."""
        from ort_core.explain.page import render_frame

        return render_frame(self)

    def __str__(self) -> str:
        counts = Counter(n.provider for n in self.nodes)
        lines = [f"{len(self.nodes)} nodes in {len(self.partitions)} partitions"]
        lines += [f"  {name}: {count} nodes" for name, count in counts.most_common()]
        lines += [f"  copy {route}: {count} tensors" for route, count in self.copies.items()]
        lines.append("providers")
        lines += [f"  {name}: {status}" for name, status in self.provider_status.items()]
        lines.append("partitions")
        lines += [
            f"  {p.name}: {p.nodes} nodes on {p.provider} ({p.device}), {len(p.inputs)} inputs, {len(p.outputs)} outputs"
            for p in self.partitions
        ]
        lines.append("nodes")
        lines += [_line(node) for node in self.nodes]
        return "\n".join(lines)


SUFFIXES: dict[str, Callable[[PlacementReport, str], str]] = {
    ".html": PlacementReport.to_html,
    ".svg": PlacementReport.to_svg,
    ".json": lambda report, title: report.to_json(),
    ".txt": lambda report, title: str(report),
}
"""How `PlacementReport.save` writes a file, by its suffix."""


def _line(node: NodePlacement) -> str:
    why = "".join(f"; {name}: {reason}" for name, reason in node.declined.items())
    partition = f" [{node.partition}]" if node.partition else ""
    return f"  {node.scope}{node.name} ({node.domain}::{node.op_type}): {node.provider}{partition}{why}"
