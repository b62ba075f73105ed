"""The frozen execution plan: steps over numbered slots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ort_core.devices import Device
from ort_core.ir.graph import Node
from ort_core.ir.types import ValueType
from ort_core.providers.spec import Executable
from ort_core.values import RuntimeValue


@dataclass(frozen=True, slots=True)
class RunStep:
    """Runs a partition.

    Attributes:
        types, dtypes: of each output as inferred, to check results; a dtype is None for what is not a dense host tensor.
        wanted: whether anything uses an output.
        dying: slots that nothing reads after this step.
        donatable: for each input, whether its memory may be reused if nothing else refers to it.
    """

    name: str
    provider: str
    executable: Executable
    device: Device
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    output_names: tuple[str, ...]
    types: tuple[ValueType | None, ...]
    dtypes: tuple[np.dtype | None, ...]
    wanted: tuple[bool, ...]
    first_node: Node
    dying: tuple[int, ...] = ()
    donatable: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class CopyStep:
    """Copies tensors from one device to another; what is not a tensor, or there already, passes through."""

    source: Device
    target: Device
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    dying: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class BodyPlan:
    """A plan of a control-flow body with the outer slots that its captures come from."""

    plan: ExecutionPlan
    captures: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class IfStep:
    """ONNX If. `inputs` is the condition, on the host."""

    node: Node
    then_branch: BodyPlan
    else_branch: BodyPlan
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    dying: tuple[int, ...] = ()

    @property
    def bodies(self) -> tuple[BodyPlan, ...]:
        """Both branches."""
        return (self.then_branch, self.else_branch)


@dataclass(frozen=True, slots=True)
class LoopStep:
    """ONNX Loop. `inputs` are trip count, condition (-1 where absent) and the loop-carried values."""

    node: Node
    body: BodyPlan
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    carried: int
    scan_types: tuple[ValueType | None, ...]
    dying: tuple[int, ...] = ()

    @property
    def bodies(self) -> tuple[BodyPlan, ...]:
        """The body."""
        return (self.body,)


@dataclass(frozen=True, slots=True)
class ScanStep:
    """ONNX Scan. `inputs` are the state values and then the scanned tensors, these on the host."""

    node: Node
    body: BodyPlan
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    carried: int
    input_axes: tuple[int, ...]
    input_reversed: tuple[bool, ...]
    output_axes: tuple[int, ...]
    output_reversed: tuple[bool, ...]
    scan_types: tuple[ValueType | None, ...]
    dying: tuple[int, ...] = ()

    @property
    def bodies(self) -> tuple[BodyPlan, ...]:
        """The body."""
        return (self.body,)


Step: TypeAlias = "RunStep | CopyStep | IfStep | LoopStep | ScanStep"


@dataclass(frozen=True, slots=True)
class ExecutionPlan:
    """What the executor runs.

    Attributes:
        template: initial contents of the slots: constants, and None for the rest.
        n_inputs: the plan's inputs are slots 0 to n_inputs - 1.
        captures: slots that the enclosing plan fills.
        outputs: slots of the results.
    """

    template: tuple[RuntimeValue, ...]
    n_inputs: int
    captures: tuple[int, ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    output_devices: tuple[Device, ...]

    def dump(self, indent: str = "") -> str:
        """One line per step; bodies indented."""
        lines = [f"{indent}plan of {len(self.steps)} steps over {len(self.template)} slots, {self.n_inputs} inputs"]
        for step in self.steps:
            lines.append(f"{indent}  {_describe(step)}")
            if not isinstance(step, RunStep | CopyStep):
                lines += [body.plan.dump(indent + "    ") for body in step.bodies]
        lines.append(f"{indent}  return {_slots(self.outputs)}")
        return "\n".join(lines)


def _describe(step: Step) -> str:
    arrow = f"{_slots(step.outputs)} = "
    freed = f"; free {_slots(step.dying)}" if step.dying else ""
    if isinstance(step, RunStep):
        return f"{arrow}run {step.name} on {step.provider} ({step.device}) {_slots(step.inputs)}{freed}"
    if isinstance(step, CopyStep):
        return f"{arrow}copy {step.source} -> {step.target} {_slots(step.inputs)}{freed}"
    return f"{arrow}{step.node.op_type} {_slots(step.inputs)}{freed}"


def _slots(slots: Sequence[int]) -> str:
    return "(" + ", ".join(f"s{i}" for i in slots) + ")"
