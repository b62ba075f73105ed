"""Chains and trees of elementwise operators."""

from __future__ import annotations

import heapq

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_provider_cpu.passes._chain import Instruction, compile_chain, instruction
from ort_provider_cpu.passes._emit import fuse
from ort_provider_cpu.passes._match import scalar

_MAX_INPUTS = 16
_MAX_NODES = 48
_MAX_USES = 32


@graph_pass(Level.EXTENDED, order=90)
def fuse_chain(graph: Graph, ctx: PassContext) -> bool:
    """Float32 elementwise nodes whose results only each other use -> Chain, evaluated in one pass over the elements."""
    nodes = graph.nodes
    steps = {node: step for node in nodes if (step := instruction(node)) is not None}
    positions = {node: i for i, node in enumerate(nodes) if node in steps}
    taken: set[Node] = set()
    clusters = []
    for root in reversed(nodes):
        if root in steps and root not in taken:
            cluster = _grow(root, steps, positions, taken)
            taken |= cluster
            if len(cluster) > 1:
                clusters.append(sorted(cluster, key=positions.__getitem__))
    changed = False
    for members in clusters:
        chain = compile_chain([(node, steps[node]) for node in members])
        attributes = {"program": chain.program, "constants": chain.constants or None}
        changed |= fuse(members[-1], "Chain", chain.inputs, attributes)
    if changed:
        graph.sort()
    return changed


def _grow(root: Node, steps: dict[Node, Instruction], positions: dict[Node, int], taken: set[Node]) -> set[Node]:
    """The nodes that only `root` needs and that compute as many elements as it does."""
    cluster = {root}
    sources = _sources(steps[root])
    pending = dict.fromkeys(_producers(root, steps, taken))
    queue = [(-positions[p], i) for i, p in enumerate(pending)]
    order = list(pending)
    heapq.heapify(queue)
    while queue and len(cluster) < _MAX_NODES:
        node = order[heapq.heappop(queue)[1]]
        value = node.outputs[0]
        assert value is not None
        uses = value.uses
        if (
            len(uses) > _MAX_USES
            or any(use.user not in cluster for use in uses)
            or not _as_large(value, root.outputs[0])
        ):
            continue
        grown = (sources - {value}) | _sources(steps[node])
        if len(grown) > _MAX_INPUTS:
            continue
        cluster.add(node)
        sources = grown
        for producer in _producers(node, steps, taken):
            if producer not in pending:
                pending[producer] = None
                heapq.heappush(queue, (-positions[producer], len(order)))
                order.append(producer)
    return cluster


def _producers(node: Node, steps: dict[Node, Instruction], taken: set[Node]) -> list[Node]:
    found = (v.producer for v in steps[node].values)
    return [p for p in found if p is not None and p in steps and p not in taken and p.graph is node.graph]


def _sources(step: Instruction) -> set[Value]:
    return {v for v in step.values if scalar(v) is None}


def _as_large(value: Value, result: Value | None) -> bool:
    """Whether the value is likely to have the shape of the result, so that it is not computed again for each element."""
    if result is None or value.shape is None or result.shape is None or len(value.shape) != len(result.shape):
        return False
    return all(
        x == y or (isinstance(x, str) and isinstance(y, str)) for x, y in zip(value.shape, result.shape, strict=True)
    )
