"""The constants of a model: every initializer and every tensor in a node, by type and by file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ort_core.cli.inspection.external import DataFile, ExternalFiles, MissingWeight
from ort_core.ir.attributes import AttributeKind, SparseWeight
from ort_core.ir.graph import Graph, Model, Node
from ort_core.ir.tensors import WeightRef

_TENSOR_KINDS = (AttributeKind.TENSOR, AttributeKind.TENSORS, AttributeKind.SPARSE_TENSOR, AttributeKind.SPARSE_TENSORS)


@dataclass(frozen=True, slots=True)
class Constant:
    """An initializer, or a tensor in an attribute of a node.

    Attributes:
        name: of the initializer; node and attribute of other tensors.
        kind: `initializer`, `default` (of an input) or `attribute`.
        type: the element type as ONNX Runtime spells it.
        shape: the dense shape.
        parameters: how many elements are stored.
        location: of the external file; empty for the model's own file.
        used: whether anything refers to it.
        problem: why its data cannot be read, or empty.
    """

    name: str
    kind: str
    type: str
    shape: tuple[int, ...]
    parameters: int
    size_bytes: int
    location: str
    used: bool
    problem: str


@dataclass(frozen=True, slots=True)
class TypeTotal:
    """All constants of one element type."""

    type: str
    tensors: int
    parameters: int
    size_bytes: int


def collect_constants(model: Model, external: ExternalFiles) -> list[Constant]:
    """Every constant of all graphs and functions, in their order."""
    return [item for graph in model.graphs() for item in _of_graph(graph, external)]


def totals_by_type(constants: Iterable[Constant]) -> list[TypeTotal]:
    """The totals of each element type, the largest first."""
    groups: dict[str, list[Constant]] = {}
    for item in constants:
        groups.setdefault(item.type, []).append(item)
    totals = [
        TypeTotal(name, len(group), sum(c.parameters for c in group), sum(c.size_bytes for c in group))
        for name, group in groups.items()
    ]
    return sorted(totals, key=lambda total: -total.size_bytes)


def data_files(constants: Iterable[Constant], model_bytes: int, external: ExternalFiles) -> list[DataFile]:
    """The model's own file and the external ones, with what is in them."""
    files = {"": DataFile("", file_bytes=model_bytes), **external.files}
    for item in constants:
        file = files[item.location]
        file.tensors += 1
        file.tensor_bytes += item.size_bytes
    return list(files.values())


def _of_graph(graph: Graph, external: ExternalFiles) -> Iterator[Constant]:
    for value in graph.initializers.values():
        if value.const is not None:
            overridable = graph.is_input(value)
            kind = "default" if overridable else "initializer"
            yield _constant(value.name, kind, value.const, external, used=overridable or value.is_used)
    for node in graph.nodes:
        yield from _of_node(node, external)


def _of_node(node: Node, external: ExternalFiles) -> Iterator[Constant]:
    for name, attribute in node.attributes.items():
        if attribute.kind in _TENSOR_KINDS and attribute.value is not None:
            owner = node.name or next((v.name for v in node.outputs if v is not None), "")
            single = attribute.kind in (AttributeKind.TENSOR, AttributeKind.SPARSE_TENSOR)
            for weight in (attribute.value,) if single else attribute.value:
                yield _constant(f"{owner}.{name}", "attribute", weight, external, used=True)


def _constant(
    name: str, kind: str, weight: WeightRef | SparseWeight, external: ExternalFiles, *, used: bool
) -> Constant:
    parts = (weight.values, weight.indices) if isinstance(weight, SparseWeight) else (weight,)
    stored = parts[0]
    return Constant(
        name,
        kind,
        stored.element.onnx_name,
        tuple(weight.shape),
        math.prod(stored.shape),
        sum(part.nbytes for part in parts),
        external.locations.get(stored, ""),
        used,
        next((part.problem for part in parts if isinstance(part, MissingWeight)), ""),
    )
