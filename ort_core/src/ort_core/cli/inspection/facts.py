"""Everything that `ort-core inspect` tells of a model file, collected in one pass over its graphs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ort_core.cli.inspection.external import DataFile, ExternalFiles
from ort_core.cli.inspection.operators import OperatorCount, Quantization, count_operators, find_quantization
from ort_core.cli.inspection.weights import Constant, collect_constants, data_files
from ort_core.ir.dump import dump_node
from ort_core.ir.graph import Graph, Model, Node, Value
from ort_core.ir.shapes import Dim
from ort_core.ir.types import OptionalType, ValueType, describe
from ort_core.load.onnx_model import load_model
from ort_core.load.opset import CANONICAL_OPSETS
from ort_core.metadata import ModelMetadata, metadata_of
from ort_core.providers import hooks


@dataclass(frozen=True, slots=True)
class Opset:
    """An operator set; `runs_as` is the version that its operators are brought to, or None for domains left alone."""

    domain: str
    declared: int
    runs_as: int | None


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output as the file declares it; the shape is None while the rank is unknown."""

    name: str
    type: str
    shape: tuple[Dim, ...] | None


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """A function of the model, its size and how many nodes call it."""

    name: str
    nodes: int
    calls: int


@dataclass(frozen=True, slots=True)
class GraphSize:
    """Nodes of all graphs together, graphs in nodes (bodies of If, Loop, Scan), and how deep those are nested."""

    nodes: int
    subgraphs: int
    nesting: int


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model without its weights.

    Attributes:
        dynamic_dimensions: the inputs' axes, as `name[axis]`, of each named dimension; unnamed ones under `?`.
        functions: those of the model, in its order.
        files: the model's own file first.
    """

    path: str
    file_bytes: int
    ir_version: int
    producer_version: str
    metadata: ModelMetadata
    opsets: tuple[Opset, ...]
    inputs: tuple[Port, ...]
    overridable_initializers: tuple[Port, ...]
    outputs: tuple[Port, ...]
    dynamic_dimensions: dict[str, tuple[str, ...]]
    size: GraphSize
    operators: tuple[OperatorCount, ...]
    functions: tuple[FunctionFacts, ...]
    quantization: Quantization
    constants: tuple[Constant, ...]
    files: tuple[DataFile, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the model cannot be run as it lies there: data that cannot be read, operators that do not exist."""
        found = [file.problem for file in self.files if file.problem]
        versions = {o.domain: o.declared for o in self.opsets}
        for item in self.operators:
            if item.origin == "unknown":
                domain = item.operator.partition("::")[0]
                found.append(f"{domain} has no operator {item.operator} at opset {versions.get(domain, '?')}")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One node: where it is (empty for the main graph), and what it computes."""

    scope: str
    name: str
    operator: str
    text: str


def inspect_model(path: str) -> tuple[ModelFacts, Model]:
    """The facts of a model file, and its graphs.

    Raises:
        OrtError: the file is no model, or a damaged one.
    """
    external = ExternalFiles(path)
    model = hooks.load_model(path)
    if model is None:
        model = load_model(path, external=external.weight)
    size = os.path.getsize(path)
    constants = collect_constants(model, external)
    graph = model.graph
    required = [v for v in graph.inputs if v.const is None]
    facts = ModelFacts(
        path,
        size,
        model.header.ir_version,
        model.header.producer_version,
        metadata_of(model),
        tuple(_opsets(model)),
        tuple(_port(v.name, v.type) for v in required),
        tuple(_port(v.name, v.type) for v in graph.inputs if v.const is not None),
        tuple(_port(name, v.type) for name, v in zip(graph.output_names, graph.outputs, strict=True)),
        _dynamic_dimensions(required),
        _graph_size(model),
        tuple(count_operators(model)),
        tuple(_functions(model)),
        find_quantization(model),
        tuple(constants),
        tuple(data_files(constants, size, external)),
    )
    return facts, model


def list_nodes(model: Model, operators: Iterable[str] = ()) -> list[NodeFacts]:
    """The nodes of all graphs; only those of the given operators (`Conv` or `domain::Conv`) if there are any."""
    wanted = frozenset(operators)
    return [
        NodeFacts(scope, node.name, node.label, dump_node(node).replace(f": {describe(None)}", ""))
        for scope, node in _scoped_nodes(model)
        if not wanted or node.op_type in wanted or node.label in wanted
    ]


def _scoped_nodes(model: Model) -> Iterator[tuple[str, Node]]:
    yield from _in_graph(model.graph, "")
    for function in model.functions.values():
        yield from _in_graph(function.graph, _function_name(*function.key))


def _in_graph(graph: Graph, scope: str) -> Iterator[tuple[str, Node]]:
    for node in graph.nodes:
        yield scope, node
        for body in node.subgraphs:
            owner = node.name or next((v.name for v in node.outputs if v is not None), node.op_type)
            yield from _in_graph(body, f"{scope}/{owner}" if scope else owner)


def _opsets(model: Model) -> Iterator[Opset]:
    for domain, declared in (model.original_opsets or model.opset_imports).items():
        yield Opset(domain or "ai.onnx", declared, CANONICAL_OPSETS.get(domain))


def _port(name: str, type_: ValueType | None) -> Port:
    tensor = type_.element if isinstance(type_, OptionalType) else type_
    shape = getattr(tensor, "shape", None)
    return Port(name, "" if type_ is None else str(type_), None if shape is None else tuple(shape))


def _dynamic_dimensions(inputs: Iterable[Value]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for value in inputs:
        for axis, dim in enumerate(value.shape or ()):
            if not isinstance(dim, int):
                found.setdefault(dim or "?", []).append(f"{value.name}[{axis}]")
    return {name: tuple(places) for name, places in found.items()}


def _graph_size(model: Model) -> GraphSize:
    roots = [model.graph, *(f.graph for f in model.functions.values())]
    level, nodes, graphs, nesting = roots, 0, 0, -1
    while level:
        nesting += 1
        graphs += len(level)
        nodes += sum(map(len, level))
        level = [body for graph in level for node in graph.nodes for body in node.subgraphs]
    return GraphSize(nodes, graphs - len(roots), nesting)


def _functions(model: Model) -> Iterator[FunctionFacts]:
    calls = dict.fromkeys(model.functions, 0)
    for graph in model.graphs():
        for node in graph.nodes:
            key = (node.domain, node.op_type, node.overload)
            if key in calls:
                calls[key] += 1
    for key, function in model.functions.items():
        yield FunctionFacts(_function_name(*key), len(function.graph), calls[key])


def _function_name(domain: str, name: str, overload: str) -> str:
    return f"{domain or 'ai.onnx'}::{name}" + (f"::{overload}" if overload else "")
