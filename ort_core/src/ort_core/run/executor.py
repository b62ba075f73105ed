"""The executor: runs the steps of a plan over a list of slots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ort_core.devices import HOST
from ort_core.errors import EPFail, OrtError, OutOfMemory, RuntimeException
from ort_core.ir.types import OptionalType, describe
from ort_core.plan.plan import CopyStep, ExecutionPlan, IfStep, LoopStep, RunStep, ScanStep
from ort_core.providers.kernel_executable import describe_value
from ort_core.run import control_flow
from ort_core.run.copies import run_copies
from ort_core.run.state import BoundOutput, RunState, StepContext, wait_in_order
from ort_core.values import DeviceTensor, RuntimeValue, device_of, fits

_NOTHING_BOUND: Mapping[int, BoundOutput] = {}


def execute(
    plan: ExecutionPlan,
    inputs: list[RuntimeValue],
    state: RunState,
    captures: Sequence[RuntimeValue] = (),
    bound: Mapping[int, BoundOutput] = _NOTHING_BOUND,
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
            _run_control_flow(step, slots, state)  # type: ignore[arg-type]
        for slot in step.dying:
            slots[slot] = None
    return [slots[i] for i in plan.outputs]


def _run_control_flow(step: IfStep | LoopStep | ScanStep, slots: list[Any], state: RunState) -> None:
    arguments = [slots[i] if i >= 0 else None for i in step.inputs]
    captures = [[slots[i] for i in body.captures] for body in step.bodies]
    try:
        results = control_flow.RUNNERS[step.__class__](step, arguments, captures, state, execute)
    except OrtError:
        raise
    except Exception as error:
        kind = OutOfMemory if isinstance(error, MemoryError) else RuntimeException
        raise kind(f"{step.node.where()} failed: {type(error).__name__}: {error}") from error
    for slot, value in zip(step.outputs, results, strict=True):
        slots[slot] = value


def _run_partition(step: RunStep, slots: list[Any], state: RunState, bound: Mapping[int, BoundOutput]) -> None:
    arguments = [slots[i] for i in step.inputs]
    for slot in step.dying:
        slots[slot] = None
    if step.device is not HOST:
        _wait_for(arguments, state)
    if state.memory is not None:
        state.memory.disregard(arguments)
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
        kind = OutOfMemory if isinstance(error, MemoryError) else RuntimeException
        raise kind(f"{_where(step)} failed: {type(error).__name__}: {error}") from error
    if profiler is not None:
        profiler.add(step.name, "partition", started, provider=step.provider)
    if results.__class__ is not list and not isinstance(results, Sequence):
        raise RuntimeException(f"{_where(step)} returned {describe_value(results)}, expected a list of values")
    if len(results) != len(step.outputs):
        raise RuntimeException(
            f"{_where(step)} returned {len(results)} values, expected {len(step.outputs)}: {', '.join(step.output_names)}"
        )
    for index, value in enumerate(results):
        if value.__class__ is not np.ndarray or value.dtype is not step.dtypes[index] or not value.flags.c_contiguous:
            value = _checked(step, index, value)  # noqa: PLW2901 - the checked form of the same value
        slots[step.outputs[index]] = value
    if state.memory is not None:
        state.memory.hold(results, _where(step))


def _wait_for(arguments: list[RuntimeValue], state: RunState) -> None:
    """Orders the step after whatever its inputs wait for; a function, for a name of the caller would keep an input shared."""
    for value in arguments:
        wait_in_order(value, state)


def _checked(step: RunStep, index: int, value: RuntimeValue) -> RuntimeValue:
    """A result as the core's values are, if it is of the type and on the device that were expected."""
    if not step.wanted[index]:
        return None
    type_ = step.types[index]
    if isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray):
        value = np.asarray(value, order="C")
    missing = value is None and not isinstance(type_, OptionalType)
    astray = isinstance(value, np.ndarray | DeviceTensor) and device_of(value) != step.device
    if missing or astray or isinstance(value, np.ma.MaskedArray) or not fits(value, type_):
        raise RuntimeException(
            f"{_where(step)} returned {describe_value(value)} on {device_of(value)} for output '{step.output_names[index]}', "
            f"expected {describe(type_)} on {step.device}"
        )
    return value


def _where(step: RunStep) -> str:
    return f"{step.provider}: partition '{step.name}' (first {step.first_node.where()})"
