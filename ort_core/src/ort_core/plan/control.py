"""Plans of control flow that the core runs: where conditions, carried values and results live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ort_core.devices import HOST, Device
from ort_core.errors import InvalidGraph
from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.types import TensorType, ValueType
from ort_core.partition.compile import CompiledGraph, ControlFlow
from ort_core.plan.homes import carried_outputs, result_devices
from ort_core.plan.plan import BodyPlan, IfStep, LoopStep, ScanStep, Step

if TYPE_CHECKING:
    from ort_core.plan.builder import PlanBuilder


def plan_if(builder: PlanBuilder, item: ControlFlow) -> IfStep:
    """Both branches leave their results on the same devices."""
    (condition,) = builder.locate([(_present(item.node, 0), HOST)])
    bodies = [item.bodies[name] for name in ("then_branch", "else_branch")]
    for body in bodies:
        _check_body(item.node, body.graph, inputs=0, outputs=len(bodies[0].graph.outputs))
    devices = result_devices(item, builder.home)
    then_branch, else_branch = (_plan_body(builder, body, [], devices) for body in bodies)
    return IfStep(item.node, then_branch, else_branch, (condition,), _define_outputs(builder, item.node, devices))


def plan_loop(builder: PlanBuilder, item: ControlFlow) -> LoopStep:
    """Carried values stay where the body computes them; scan outputs are collected on the host."""
    node, compiled = item.node, item.bodies["body"]
    first, carried = carried_outputs(item)
    _check_body(node, compiled.graph, inputs=2 + carried, outputs=first + carried, more=True)
    devices = result_devices(item, builder.home)
    states = devices[:carried]
    plan = _plan_body(builder, compiled, [HOST, HOST, *states], [HOST, *devices], donate=True)
    head = [-1 if v is None else builder.locate([(v, HOST)])[0] for v in (_optional(node, 0), _optional(node, 1))]
    state = builder.locate([(_present(node, 2 + k), device) for k, device in enumerate(states)])
    outputs = _define_outputs(builder, node, devices)
    return LoopStep(node, plan, (*head, *state), outputs, carried, _scan_types(compiled.graph, first + carried))


def plan_scan(builder: PlanBuilder, item: ControlFlow) -> ScanStep:
    """As Loop; the scanned inputs are sliced on the host."""
    node, compiled = item.node, item.bodies["body"]
    n_scanned = node.attr("num_scan_inputs", 0)
    if not 1 <= n_scanned <= len(node.inputs):
        raise InvalidGraph(f"{node.where()} has num_scan_inputs={n_scanned} and {len(node.inputs)} inputs")
    _, carried = carried_outputs(item)
    _check_body(node, compiled.graph, inputs=carried + n_scanned, outputs=carried, more=True)
    devices = result_devices(item, builder.home)
    places = [*devices[:carried], *[HOST] * n_scanned]
    plan = _plan_body(builder, compiled, places, devices, donate=True)
    inputs = builder.locate([(_present(node, k), device) for k, device in enumerate(places)])
    n_scans = len(devices) - carried
    return ScanStep(
        node=node,
        body=plan,
        inputs=inputs,
        outputs=_define_outputs(builder, node, devices),
        carried=carried,
        input_axes=_per_scan(node, "scan_input_axes", n_scanned),
        input_reversed=tuple(map(bool, _per_scan(node, "scan_input_directions", n_scanned))),
        output_axes=_per_scan(node, "scan_output_axes", n_scans),
        output_reversed=tuple(map(bool, _per_scan(node, "scan_output_directions", n_scans))),
        scan_types=_scan_types(compiled.graph, carried),
    )


PLANNERS: dict[str, Callable[[PlanBuilder, ControlFlow], Step]] = {"If": plan_if, "Loop": plan_loop, "Scan": plan_scan}


def _check_body(node: Node, body: Graph, *, inputs: int, outputs: int, more: bool = False) -> None:
    """Raises InvalidGraph if a body does not fit its node: `outputs` is exact, or with `more` the least."""
    n_in, n_out = len(body.inputs), len(body.outputs)
    enough = n_out >= outputs if more else n_out == outputs
    n_results = n_out - 1 if node.op_type == "Loop" else n_out
    if n_in != inputs or not enough or len(node.outputs) > n_results:
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


def _plan_body(
    builder: PlanBuilder,
    compiled: CompiledGraph,
    input_devices: Sequence[Device],
    output_devices: Sequence[Device],
    *,
    donate: bool = False,
) -> BodyPlan:
    outputs = compiled.graph.outputs
    homes = dict(zip(compiled.graph.inputs, input_devices, strict=True))
    body = type(builder)(compiled, homes, builder.constant, outer=builder)
    body.add_items(outputs)
    plan = body.finish(list(zip(outputs, output_devices, strict=True)), donate_inputs=donate)
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
