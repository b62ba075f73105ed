"""Plans of control flow that the core runs: where conditions, carried values and results live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ort_core.devices import HOST, Device
from ort_core.errors import InvalidGraph
from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.types import TensorType, ValueType
from ort_core.partition.compile import CompiledGraph, ControlFlow
from ort_core.plan.plan import BodyPlan, IfStep, LoopStep, ScanStep, Step

if TYPE_CHECKING:
    from ort_core.plan.builder import PlanBuilder


def plan_if(builder: PlanBuilder, item: ControlFlow) -> IfStep:
    """Each result lives where both branches produce it, or on the host if they differ."""
    (condition,) = builder.locate([(_present(item.node, 0), HOST)])
    bodies = [item.bodies[name] for name in ("then_branch", "else_branch")]
    for body in bodies:
        _check_body(item.node, body.graph, inputs=0, outputs=len(bodies[0].graph.outputs))
    branches = [_start_body(builder, body, []) for body in bodies]
    homes = [[b.home(v) for v in b.compiled.graph.outputs] for b in branches]
    devices = [a if a == b else HOST for a, b in zip(*homes, strict=True)]
    then_branch, else_branch = (_finish_body(builder, b, devices) for b in branches)
    return IfStep(item.node, then_branch, else_branch, (condition,), _define_outputs(builder, item.node, devices))


def plan_loop(builder: PlanBuilder, item: ControlFlow) -> LoopStep:
    """A carried value lives where the body computes it; scan outputs are collected on the host."""
    node, compiled = item.node, item.bodies["body"]
    carried = max(len(node.inputs) - 2, 0)
    _check_body(node, compiled.graph, inputs=2 + carried, outputs=1 + carried, more=True)
    body, state_devices = _carry(builder, compiled, leading=[HOST, HOST], first_output=1, carried=carried, trailing=0)
    scans = len(compiled.graph.outputs) - 1 - carried
    plan = _finish_body(builder, body, [HOST, *state_devices, *[HOST] * scans], donate=True)
    head = [-1 if v is None else builder.locate([(v, HOST)])[0] for v in (_optional(node, 0), _optional(node, 1))]
    state = builder.locate([(_present(node, 2 + k), device) for k, device in enumerate(state_devices)])
    outputs = _define_outputs(builder, node, [*state_devices, *[HOST] * scans])
    return LoopStep(node, plan, (*head, *state), outputs, carried, _scan_types(compiled.graph, 1 + carried))


def plan_scan(builder: PlanBuilder, item: ControlFlow) -> ScanStep:
    """As Loop; the scanned inputs are sliced on the host."""
    node, compiled = item.node, item.bodies["body"]
    n_scanned = node.attr("num_scan_inputs", 0)
    carried = len(node.inputs) - n_scanned
    if n_scanned < 1 or carried < 0:
        raise InvalidGraph(f"{node.where()} has num_scan_inputs={n_scanned} and {len(node.inputs)} inputs")
    _check_body(node, compiled.graph, inputs=carried + n_scanned, outputs=carried, more=True)
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
        input_axes=_per_scan(node, "scan_input_axes", n_scanned),
        input_reversed=tuple(map(bool, _per_scan(node, "scan_input_directions", n_scanned))),
        output_axes=_per_scan(node, "scan_output_axes", scans),
        output_reversed=tuple(map(bool, _per_scan(node, "scan_output_directions", scans))),
        scan_types=_scan_types(compiled.graph, carried),
    )


PLANNERS: dict[str, Callable[[PlanBuilder, ControlFlow], Step]] = {"If": plan_if, "Loop": plan_loop, "Scan": plan_scan}


def _check_body(node: Node, body: Graph, *, inputs: int, outputs: int, more: bool = False) -> None:
    """Raises InvalidGraph if a body does not fit its node: `outputs` is exact, or with `more` the least."""
    n_in, n_out = len(body.inputs), len(body.outputs)
    if n_in != inputs or n_out < outputs or (n_out > outputs and not more) or len(node.outputs) > n_out - (node.op_type == "Loop"):
        raise InvalidGraph(
            f"{node.where()} has {len(node.inputs)} inputs and {len(node.outputs)} outputs, its body '{body.name}' has {n_in} "
            f"inputs and {n_out} outputs; expected {inputs} inputs and {'at least ' if more else ''}{outputs} outputs"
        )


def _per_scan(node: Node, name: str, count: int) -> tuple[int, ...]:
    """An attribute that has one number for each scanned input or output, all 0 by default."""
    found: tuple[int, ...] = node.attr(name) or (0,) * count
    if len(found) != count:
        raise InvalidGraph(f"{node.where()}: attribute '{name}' has {len(found)} numbers, expected {count}")
    return found


def _scan_types(body: Graph, first: int) -> tuple[ValueType | None, ...]:
    """The types of scan outputs as inferred, or as declared where not even the rank is known: results that no iteration
    produced have that shape.
    """
    outputs = body.outputs
    declared = body.declared_outputs or ()
    if len(declared) != len(outputs):
        declared = (None,) * len(outputs)
    return tuple(
        d if isinstance(d, TensorType) and v.shape is None and v.element in (None, d.element) else v.type
        for v, d in zip(outputs[first:], declared[first:], strict=True)
    )


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
        raise InvalidGraph(f"{node.where()} lacks input {index}, which ONNX requires")
    return value
