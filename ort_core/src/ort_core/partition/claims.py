"""Claims: asking providers in priority order which nodes they take, bodies of control flow first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ort_core.custom_ops.catalog import CustomOps
from ort_core.errors import EPFail
from ort_core.ir.graph import Graph, Node
from ort_core.ir.schema import CONTROL_FLOW
from ort_core.providers.spec import Claim, Decline, GraphView, Provider

NO_CUSTOM_OPS = CustomOps()


@dataclass(slots=True)
class Assignment:
    """Who runs what.

    Attributes:
        claims: the claim that each claimed node belongs to, with the provider; a node inside a control-flow body that its
            provider took whole belongs to the claim of the body's own nodes.
        declines: for each node, provider name and reason, in the order in which providers were asked.
        failures: providers that raised while claiming, with the exception; nothing is assigned to them.
    """

    claims: dict[Node, tuple[Provider, Claim]] = field(default_factory=dict)
    declines: dict[Node, list[tuple[str, str]]] = field(default_factory=dict)
    failures: dict[Provider, Exception] = field(default_factory=dict)

    def provider_of(self, node: Node) -> Provider | None:
        """The provider of a node; None when the core runs it."""
        entry = self.claims.get(node)
        return None if entry is None else entry[0]

    def decline(self, node: Node, provider: str, reason: str) -> None:
        """Records why `provider` does not take `node`; a later reason replaces an earlier one."""
        known = self.declines.setdefault(node, [])
        known[:] = [entry for entry in known if entry[0] != provider]
        known.append((provider, reason))


def is_control_flow(node: Node) -> bool:
    """Whether the core itself can run `node`."""
    return node.domain == "" and node.op_type in CONTROL_FLOW


def offer(
    graph: Graph,
    providers: Sequence[Provider],
    opsets: Mapping[str, int],
    result: Assignment,
    custom: CustomOps = NO_CUSTOM_OPS,
) -> None:
    """Offers the unclaimed nodes of `graph`, innermost bodies first, to each provider in turn.

    Nodes of custom operators are offered only to providers that run their kernels.
    """
    for node in graph.nodes:
        for body in node.subgraphs:
            offer(body, providers, opsets, result, custom)
    for provider in providers:
        if provider in result.failures:
            continue
        nodes = tuple(n for n in graph.nodes if n not in result.claims)
        if not nodes:
            return
        if custom and not provider.runs_custom_kernels:
            nodes = tuple(n for n in nodes if (n.domain, n.op_type) not in custom.keys)
        try:
            answers = list(provider.claim(GraphView(nodes, graph, opsets, custom.find)))
            open_nodes = set(nodes)
            for answer in answers:
                _accept(answer, provider, open_nodes, result)
        except Exception as error:
            failure = EPFail(f"{provider.name} failed while claiming nodes: {type(error).__name__}: {error}")
            failure.__cause__ = error
            result.failures[provider] = failure
            withdraw(provider, result)


def withdraw(provider: Provider, result: Assignment) -> None:
    """Forgets every claim of `provider`."""
    for node in [n for n, (owner, _) in result.claims.items() if owner is provider]:
        del result.claims[node]


def _accept(answer: Claim | Decline, provider: Provider, offered: set[Node], result: Assignment) -> None:
    if isinstance(answer, Decline):
        if answer.node in offered:
            result.decline(answer.node, provider.name, answer.reason)
        return
    if not isinstance(answer, Claim):
        raise EPFail(f"{provider.name} answered with {type(answer).__name__}, expected Claim or Decline")
    kept = []
    for node in answer.nodes:
        if node not in offered:
            raise EPFail(
                f"{provider.name} claimed {node}, which it was not offered or has claimed before. Claim only nodes of "
                "GraphView.nodes, each once."
            )
        offered.remove(node)
        reason = _body_reason(node, provider, result)
        if reason is None:
            kept.append(node)
        else:
            result.decline(node, provider.name, reason)
    claim = answer if len(kept) == len(answer.nodes) else Claim(tuple(kept), answer.meta)
    for node in kept:
        result.claims[node] = (provider, claim)


def _body_reason(node: Node, provider: Provider, result: Assignment) -> str | None:
    """Why `provider` may not take a control-flow node whole."""
    for body in node.subgraphs:
        for inner in body.walk():
            if result.provider_of(inner) is not provider:
                owner = result.provider_of(inner)
                return f"its body's {inner} runs on {owner.name if owner else 'the core'}"
    return None
