"""The executor: runs the steps of a plan over a list of slots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ort_core.errors import EPFail, OrtError, RuntimeException
from ort_core.ir.types import describe
from ort_core.plan.plan import CopyStep, ExecutionPlan, RunStep
from ort_core.run import control_flow
from ort_core.run.copies import run_copies
from ort_core.run.state import RunState, StepContext
from ort_core.values import DeviceTensor, RuntimeValue, device_of, fits, type_of

_NOTHING_BOUND: Mapping[int, RuntimeValue] = {}


def execute(
    plan: ExecutionPlan,
    inputs: list[RuntimeValue],
    state: RunState,
    captures: Sequence[RuntimeValue] = (),
    bound: Mapping[int, RuntimeValue] = _NOTHING_BOUND,
) -> list[RuntimeValue]:
    """Runs a plan.

    Args:
        inputs: emptied, so that the plan holds the only references and may donate them.
        captures: values for `plan.captures`.
        bound: buffers to write results to, by slot.
    """
    slots: list[Any] = [*plan.template]
    slots[: plan.n_inputs] = inputs
    inputs.clear()
    for slot, value in zip(plan.captures, captures, strict=True):
        slots[slot] = value
    for step in plan.steps:
        if state.cancel_flag.value:
            state.check()
        if step.__class__ is RunStep:
            _run_partition(step, slots, state, bound)
        elif step.__class__ is CopyStep:
            run_copies(step, slots, state, bound)
        else:
            arguments = [slots[i] if i >= 0 else None for i in step.inputs]
            body_captures = [[slots[i] for i in body.captures] for body in step.bodies]  # type: ignore[union-attr]
            results = control_flow.RUNNERS[step.__class__](step, arguments, body_captures, state, execute)
            for slot, value in zip(step.outputs, results, strict=True):
                slots[slot] = value
        for slot in step.dying:
            slots[slot] = None
    return [slots[i] for i in plan.outputs]


def _run_partition(step: RunStep, slots: list[Any], state: RunState, bound: Mapping[int, RuntimeValue]) -> None:
    arguments = [slots[i] for i in step.inputs]
    for slot in step.dying:
        slots[slot] = None
    context = StepContext(state, step, arguments, bound)
    profiler = state.profiler
    started = profiler.now() if profiler is not None else 0
    try:
        results = step.executable.run(context, arguments)
    except EPFail as error:
        error.provider = error.provider or step.provider
        raise
    except OrtError:
        raise
    except Exception as error:
        raise RuntimeException(
            f"{step.provider} failed in partition '{step.name}' (first {step.first_node.where()}): "
            f"{type(error).__name__}: {error}"
        ) from error
    if profiler is not None:
        profiler.add(step.name, "partition", started, provider=step.provider)
    if len(results) != len(step.outputs):
        raise RuntimeException(
            f"{step.provider} returned {len(results)} values for partition '{step.name}' (first "
            f"{step.first_node.where()}), expected {len(step.outputs)}: {', '.join(step.output_names)}"
        )
    for index, value in enumerate(results):
        if value.__class__ is not np.ndarray or value.dtype is not step.dtypes[index]:
            _check_result(step, index, value)
        slots[step.outputs[index]] = value


def _check_result(step: RunStep, index: int, value: RuntimeValue) -> None:
    if not step.wanted[index]:
        return
    on_device = isinstance(value, DeviceTensor) == (not step.device.is_host) or not isinstance(
        value, DeviceTensor | np.ndarray
    )
    if fits(value, step.types[index]) and on_device:
        return
    got = type_of(value)
    raise RuntimeException(
        f"{step.provider} returned {describe(got) if got else type(value).__name__} on {device_of(value)} for output "
        f"'{step.output_names[index]}' of partition '{step.name}' (first {step.first_node.where()}), expected "
        f"{describe(step.types[index])} on {step.device}"
    )
