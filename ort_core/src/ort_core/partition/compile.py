"""Compiling partitions: each provider's own passes, then its `compile`; bodies of control flow recursively."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ort_core.errors import EPFail, ModelLoadCanceled
from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.rewrite import release_weights
from ort_core.partition.claims import Assignment
from ort_core.partition.cut import Cut, cut
from ort_core.providers.spec import CompileContext, Executable, Partition, Provider


class CompileFailed(EPFail):
    """A provider, `failed`, could not compile a partition."""

    def __init__(self, failed: Provider, message: str) -> None:
        super().__init__(message)
        self.provider, self.failed = failed.name, failed


class CompiledPartition(NamedTuple):
    """A partition that can run, with the values of its graph that it reads and computes."""

    name: str
    provider: Provider
    executable: Executable
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    nodes: tuple[Node, ...]


class ControlFlow(NamedTuple):
    """A control-flow node that the core runs, with its compiled bodies by attribute name."""

    node: Node
    bodies: Mapping[str, CompiledGraph]


class CompiledGraph(NamedTuple):
    """A graph as items in execution order."""

    graph: Graph
    items: tuple[CompiledPartition | ControlFlow, ...]


class CompileSettings(NamedTuple):
    """What compiling a graph needs beside the graph.

    Attributes:
        run_passes: applies a provider's passes to one of its partitions.
    """

    opsets: Mapping[str, int]
    context: CompileContext
    run_passes: Callable[[Partition, Provider], None]


def compile_graph(graph: Graph, assignment: Assignment, settings: CompileSettings, prefix: str = "p") -> CompiledGraph:
    """Cuts and compiles `graph` and the bodies that the core runs.

    Raises:
        CompileFailed: with the provider that failed.
    """
    items: list[CompiledPartition | ControlFlow] = []
    for item in cut(graph, assignment, settings.opsets, prefix):
        settings.context.check()
        if isinstance(item, Cut):
            items.append(_compile(item, settings))
        else:
            bodies = {
                name: compile_graph(attribute.value, assignment, settings, f"{prefix}{len(items)}.{name}.")
                for name, attribute in item.attributes.items()
                if isinstance(attribute.value, Graph)
            }
            items.append(ControlFlow(item, bodies))
    return CompiledGraph(graph, tuple(items))


def _compile(item: Cut, settings: CompileSettings) -> CompiledPartition:
    provider = item.provider
    try:
        settings.run_passes(item.partition, provider)
        _check_interface(item)
        executable: object = provider.compile(item.partition, settings.context)
        if not isinstance(executable, Executable):
            raise EPFail(f"compile() returned {type(executable).__name__}, expected an Executable")
    except ModelLoadCanceled:
        raise
    except Exception as error:
        raise CompileFailed(
            provider,
            f"{provider.name} could not compile partition '{item.partition.name}' ({len(item.nodes)} nodes, first "
            f"{item.nodes[0].where()}): {type(error).__name__}: {error}",
        ) from error
    release_weights(item.partition.graph)
    return CompiledPartition(item.partition.name, provider, executable, item.inputs, item.outputs, item.nodes)


def _check_interface(item: Cut) -> None:
    """Raises EPFail if passes of the provider changed what the partition receives or returns."""
    graph = item.partition.graph
    got, expected = (len(graph.inputs), len(graph.outputs)), (len(item.inputs), len(item.outputs))
    if got != expected:
        raise EPFail(
            f"the provider's passes left {got[0]} inputs and {got[1]} outputs, expected {expected[0]} and {expected[1]}. A "
            "pass may rewrite what is between them only."
        )
