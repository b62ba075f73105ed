"""Where values are produced, found without planning."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ort_core.devices import HOST, Device
from ort_core.ir.graph import Value
from ort_core.partition.compile import CompiledGraph, CompiledPartition, ControlFlow

Home: TypeAlias = Callable[[Value], Device]


class Homes:
    """The device on which each value of a graph is produced when the graph's inputs are on the host.

    Args:
        outer: the same for the values of the enclosing graphs.
    """

    def __init__(self, compiled: CompiledGraph, outer: Home = lambda value: HOST) -> None:
        self._outer = outer
        self._known = dict.fromkeys(compiled.graph.inputs, HOST)
        for item in compiled.items:
            if isinstance(item, CompiledPartition):
                self._known.update(dict.fromkeys(item.outputs, item.provider.device))
            else:
                found = zip(item.node.outputs, result_devices(item, self), strict=False)
                self._known.update((value, device) for value, device in found if value is not None)

    def __call__(self, value: Value) -> Device:
        """The device of a value; constants are on the host."""
        known = self._known.get(value)
        if known is not None:
            return known
        return HOST if value.is_constant else self._outer(value)


def result_devices(item: ControlFlow, home: Home) -> list[Device]:
    """Where a control-flow node that the core runs leaves its results.

    A result of If lives where both branches produce it, or on the host if they differ; a carried value lives where the body
    computes its next value from one on the host; scan outputs are collected on the host.
    """
    if item.node.op_type == "If":
        then_homes, else_homes = (_output_homes(item.bodies[name], home) for name in ("then_branch", "else_branch"))
        return [a if a == b else HOST for a, b in zip(then_homes, else_homes, strict=False)]
    results = _output_homes(item.bodies["body"], home)
    first, carried = carried_outputs(item)
    return [*results[first : first + carried], *[HOST] * (len(results) - first - carried)]


def _output_homes(body: CompiledGraph, outer: Home) -> list[Device]:
    return list(map(Homes(body, outer), body.graph.outputs))


def carried_outputs(item: ControlFlow) -> tuple[int, int]:
    """The first output of a loop's body that is carried, and how many are."""
    node = item.node
    if node.op_type == "Loop":
        return 1, max(len(node.inputs) - 2, 0)
    return 0, max(len(node.inputs) - node.attr("num_scan_inputs", 0), 0)
