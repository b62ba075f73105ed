"""Stable topological order of nodes."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from ort_core.errors import InvalidGraph

if TYPE_CHECKING:
    from ort_core.ir.graph import Node


def stable_topological_order(position: dict[Node, int], needs: dict[Node, set[Node]]) -> list[Node]:
    """The nodes of `position` so that each follows what it needs, otherwise in the order of their positions.

    Raises:
        InvalidGraph: the nodes form a cycle.
    """
    users: dict[Node, list[Node]] = {}
    for node, deps in needs.items():
        for dep in deps:
            users.setdefault(dep, []).append(node)
    missing = {node: len(deps) for node, deps in needs.items()}
    ready = [position[node] for node, count in missing.items() if count == 0]
    by_position = list(position)
    order: list[Node] = []
    while ready:
        node = by_position[heapq.heappop(ready)]
        order.append(node)
        for user in users.get(node, ()):
            missing[user] -= 1
            if missing[user] == 0:
                heapq.heappush(ready, position[user])
    if len(order) != len(position):
        stuck = [n for n in position if missing[n]]
        raise InvalidGraph(
            f"the graph has a cycle through {', '.join(map(str, stuck[:4]))}. ONNX graphs must be acyclic; "
            "use a Loop for iteration."
        )
    return order
