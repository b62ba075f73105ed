"""From a compiled graph to a plan: slots, copies between devices, captures of bodies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ort_core.devices import HOST, Device
from ort_core.ir.graph import Value, captures
from ort_core.ir.types import TensorType
from ort_core.partition.compile import CompiledGraph, CompiledPartition, ControlFlow
from ort_core.plan import control
from ort_core.plan.lifetimes import with_lifetimes
from ort_core.plan.plan import CopyStep, ExecutionPlan, RunStep, Step
from ort_core.values import RuntimeValue


def build_plan(
    compiled: CompiledGraph,
    input_devices: Sequence[Device],
    outputs: Sequence[tuple[Value, Device]],
    constant: Callable[[Value], RuntimeValue],
) -> ExecutionPlan:
    """The plan that computes `outputs` (each on the device asked for) from inputs that live on `input_devices`.

    Items that the outputs do not depend on are left out.
    """
    builder = PlanBuilder(compiled, dict(zip(compiled.graph.inputs, input_devices, strict=True)), constant)
    builder.add_items([value for value, _ in outputs])
    return builder.finish(outputs, donate_inputs=False)


class PlanBuilder:
    """Builds the plan of one graph; a body's builder finds captured values through `outer`.

    Attributes:
        homes: where each value of this graph is produced.
    """

    def __init__(
        self,
        compiled: CompiledGraph,
        input_homes: Mapping[Value, Device],
        constant: Callable[[Value], RuntimeValue],
        outer: PlanBuilder | None = None,
    ) -> None:
        self.compiled = compiled
        self.homes: dict[Value, Device] = {}
        self.constant = constant
        self.outer = outer
        self.steps: list[Step] = []
        self.captures: dict[tuple[Value, Device], int] = {}
        self._slots: dict[tuple[Value, Device], int] = {}
        self._template: list[RuntimeValue] = []
        for value in compiled.graph.inputs:
            self.define(value, input_homes[value])

    def new_slot(self, content: RuntimeValue = None) -> int:
        """A slot with its initial content."""
        self._template.append(content)
        return len(self._template) - 1

    def define(self, value: Value, device: Device) -> int:
        """A slot for a value that is produced on `device`."""
        self.homes[value] = device
        slot = self._slots[value, device] = self.new_slot()
        return slot

    def home(self, value: Value) -> Device:
        """Where a value of this graph or of an outer one is produced; constants are on the host."""
        if value in self.homes:
            return self.homes[value]
        return HOST if value.is_constant or self.outer is None else self.outer.home(value)

    def locate(self, wanted: Sequence[tuple[Value, Device]]) -> tuple[int, ...]:
        """The slots of values on the devices asked for; adds the copies that are missing, one step per device pair."""
        copies: dict[tuple[Device, Device], list[tuple[int, int]]] = {}
        slots = []
        for value, device in wanted:
            slot = self._slots.get((value, device))
            if slot is None:
                slot = self._obtain(value, device, copies)
            slots.append(slot)
        for (source, target), pairs in copies.items():
            self.steps.append(CopyStep(source, target, tuple(a for a, _ in pairs), tuple(b for _, b in pairs)))
        return tuple(slots)

    def _obtain(self, value: Value, device: Device, copies: dict[tuple[Device, Device], list[tuple[int, int]]]) -> int:
        if value not in self.homes and value.is_constant:
            self.homes[value] = HOST
            self._slots[value, HOST] = self.new_slot(self.constant(value))
            if device == HOST:
                return self._slots[value, HOST]
        slot = self._slots[value, device] = self.new_slot()
        if value in self.homes:
            source = self.homes[value]
            copies.setdefault((source, device), []).append((self._slots[value, source], slot))
        else:
            self.captures[value, device] = slot
        return slot

    def add_items(self, targets: Sequence[Value]) -> None:
        """Adds the steps that `targets` depend on."""
        needed = _needed_items(self.compiled, targets)
        for index, item in enumerate(self.compiled.items):
            if index not in needed:
                continue
            if isinstance(item, CompiledPartition):
                self._add_partition(item, needed[index])
            else:
                self.steps.append(control.PLANNERS[item.node.op_type](self, item))

    def _add_partition(self, item: CompiledPartition, wanted: set[Value]) -> None:
        device = item.provider.device
        inputs = self.locate([(value, device) for value in item.inputs])
        outputs = tuple(self.define(value, device) for value in item.outputs)
        types = tuple(value.type for value in item.outputs)
        self.steps.append(
            RunStep(
                name=item.name,
                provider=item.provider.name,
                executable=item.executable,
                device=device,
                inputs=inputs,
                outputs=outputs,
                output_names=tuple(v.name for v in item.outputs),
                types=types,
                dtypes=tuple(t.element.dtype if isinstance(t, TensorType) and device.is_host else None for t in types),
                wanted=tuple(v in wanted for v in item.outputs),
                first_node=item.nodes[0],
            )
        )

    def finish(self, outputs: Sequence[tuple[Value, Device]], *, donate_inputs: bool) -> ExecutionPlan:
        """The plan; its captures are those of `self.captures`, in order."""
        slots = self.locate(outputs)
        n_inputs = len(self.compiled.graph.inputs)
        constants = {i for i, content in enumerate(self._template) if content is not None}
        fixed = (
            constants | set(slots) | set(self.captures.values()) | (set() if donate_inputs else set(range(n_inputs)))
        )
        return ExecutionPlan(
            template=tuple(self._template),
            n_inputs=n_inputs,
            captures=tuple(self.captures.values()),
            steps=with_lifetimes(self.steps, constants | set(slots), fixed),
            outputs=slots,
            output_devices=tuple(device for _, device in outputs),
        )


def _needed_items(compiled: CompiledGraph, targets: Sequence[Value]) -> dict[int, set[Value]]:
    """The items that `targets` depend on, each with the outputs of it that something uses."""
    wanted = set(targets)
    needed: dict[int, set[Value]] = {}
    for index in range(len(compiled.items) - 1, -1, -1):
        item = compiled.items[index]
        outputs = item.outputs if isinstance(item, CompiledPartition) else item.node.outputs
        used = {v for v in outputs if v is not None and v in wanted}
        if used:
            needed[index] = used
            wanted.update(_reads(item))
    return needed


def _reads(item: CompiledPartition | ControlFlow) -> list[Value]:
    if isinstance(item, CompiledPartition):
        return list(item.inputs)
    return [v for v in (*item.node.inputs, *captures(item.node)) if v is not None]
