"""Plans of control flow that the core runs: where conditions, carried values and results live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ort_core.devices import HOST, Device
from ort_core.ir.graph import Node, Value
from ort_core.partition.compile import CompiledGraph, ControlFlow
from ort_core.plan.plan import BodyPlan, IfStep, LoopStep, ScanStep, Step

if TYPE_CHECKING:
    from ort_core.plan.builder import PlanBuilder


def plan_if(builder: PlanBuilder, item: ControlFlow) -> IfStep:
    """Each result lives where both branches produce it, or on the host if they differ."""
    (condition,) = builder.locate([(_present(item.node, 0), HOST)])
    branches = [_start_body(builder, item.bodies[name], []) for name in ("then_branch", "else_branch")]
    homes = [[b.home(v) for v in b.compiled.graph.outputs] for b in branches]
    devices = [a if a == b else HOST for a, b in zip(*homes, strict=True)]
    then_branch, else_branch = (_finish_body(builder, b, devices) for b in branches)
    return IfStep(item.node, then_branch, else_branch, (condition,), _define_outputs(builder, item.node, devices))


def plan_loop(builder: PlanBuilder, item: ControlFlow) -> LoopStep:
    """A carried value lives where the body computes it; scan outputs are collected on the host."""
    node, compiled = item.node, item.bodies["body"]
    carried = len(compiled.graph.inputs) - 2
    body, state_devices = _carry(builder, compiled, leading=[HOST, HOST], first_output=1, carried=carried, trailing=0)
    scans = len(compiled.graph.outputs) - 1 - carried
    plan = _finish_body(builder, body, [HOST, *state_devices, *[HOST] * scans], donate=True)
    head = [-1 if v is None else builder.locate([(v, HOST)])[0] for v in (_optional(node, 0), _optional(node, 1))]
    state = builder.locate([(_present(node, 2 + k), device) for k, device in enumerate(state_devices)])
    outputs = _define_outputs(builder, node, [*state_devices, *[HOST] * scans])
    types = tuple(v.type for v in compiled.graph.outputs[1 + carried :])
    return LoopStep(node, plan, (*head, *state), outputs, carried, types)


def plan_scan(builder: PlanBuilder, item: ControlFlow) -> ScanStep:
    """As Loop; the scanned inputs are sliced on the host."""
    node, compiled = item.node, item.bodies["body"]
    n_scanned = node.attr("num_scan_inputs")
    carried = len(node.inputs) - n_scanned
    body, state_devices = _carry(builder, compiled, leading=[], first_output=0, carried=carried, trailing=n_scanned)
    scans = len(compiled.graph.outputs) - carried
    plan = _finish_body(builder, body, [*state_devices, *[HOST] * scans], donate=True)
    places = [*state_devices, *[HOST] * n_scanned]
    inputs = builder.locate([(_present(node, k), device) for k, device in enumerate(places)])
    return ScanStep(
        node=node,
        body=plan,
        inputs=inputs,
        outputs=_define_outputs(builder, node, [*state_devices, *[HOST] * scans]),
        carried=carried,
        input_axes=tuple(node.attr("scan_input_axes") or (0,) * n_scanned),
        input_reversed=tuple(map(bool, node.attr("scan_input_directions") or (0,) * n_scanned)),
        output_axes=tuple(node.attr("scan_output_axes") or (0,) * scans),
        output_reversed=tuple(map(bool, node.attr("scan_output_directions") or (0,) * scans)),
        scan_types=tuple(v.type for v in compiled.graph.outputs[carried:]),
    )


PLANNERS: dict[str, Callable[[PlanBuilder, ControlFlow], Step]] = {"If": plan_if, "Loop": plan_loop, "Scan": plan_scan}


def _carry(
    builder: PlanBuilder,
    compiled: CompiledGraph,
    *,
    leading: list[Device],
    first_output: int,
    carried: int,
    trailing: int,
) -> tuple[PlanBuilder, list[Device]]:
    """A body builder whose carried inputs live where the body computes their next values."""
    host = [HOST] * carried
    trial = _start_body(builder, compiled, [*leading, *host, *[HOST] * trailing])
    results = compiled.graph.outputs[first_output : first_output + carried]
    devices = [trial.home(value) for value in results]
    if devices == host:
        return trial, devices
    return _start_body(builder, compiled, [*leading, *devices, *[HOST] * trailing]), devices


def _start_body(builder: PlanBuilder, compiled: CompiledGraph, input_devices: Sequence[Device]) -> PlanBuilder:
    homes = dict(zip(compiled.graph.inputs, input_devices, strict=True))
    body = type(builder)(compiled, homes, builder.constant, outer=builder)
    body.add_items(compiled.graph.outputs)
    return body


def _finish_body(
    builder: PlanBuilder, body: PlanBuilder, devices: Sequence[Device], *, donate: bool = False
) -> BodyPlan:
    plan = body.finish(list(zip(body.compiled.graph.outputs, devices, strict=True)), donate_inputs=donate)
    return BodyPlan(plan, builder.locate(list(body.captures)))


def _define_outputs(builder: PlanBuilder, node: Node, devices: Sequence[Device]) -> tuple[int, ...]:
    """A slot for each output; those that the node leaves out go to slots that nothing reads."""
    padded = [*node.outputs, *[None] * (len(devices) - len(node.outputs))]
    return tuple(
        builder.new_slot() if value is None else builder.define(value, device)
        for value, device in zip(padded, devices, strict=True)
    )


def _optional(node: Node, index: int) -> Value | None:
    return node.inputs[index] if index < len(node.inputs) else None


def _present(node: Node, index: int) -> Value:
    value = _optional(node, index)
    if value is None:
        from ort_core.errors import InvalidGraph

        raise InvalidGraph(f"{node.where()} lacks input {index}, which ONNX requires")
    return value
