"""Copies between devices: asynchronous on the stream of the device side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ort_core.devices import Device
from ort_core.errors import RuntimeException
from ort_core.memory.registry import runtime_for
from ort_core.plan.plan import CopyStep
from ort_core.run.state import BoundOutput, RunState, check_fits, element_of, wait_in_order
from ort_core.values import DeviceTensor, RuntimeValue, device_of


def run_copies(step: CopyStep, slots: list[Any], state: RunState, bound: Mapping[int, BoundOutput]) -> None:
    """Queues the copies of a step; waits for them if they end on the host."""
    moved = False
    for source_slot, target_slot in zip(step.inputs, step.outputs, strict=True):
        value = slots[source_slot]
        target = bound.get(target_slot)
        if target is not None and isinstance(value, np.ndarray | DeviceTensor):
            check_fits(target, element_of(value), value.shape)
        slots[target_slot] = copy_to(value, step.target, state, None if target is None else target.buffer)
        moved = moved or slots[target_slot] is not value
    if moved and step.target.is_host:
        stream = state.stream(step.source)
        if stream is not None:
            stream.record().wait_host()


def copy_to(value: RuntimeValue, target: Device, state: RunState, into: RuntimeValue | None = None) -> RuntimeValue:
    """Copies a tensor to a device, queued on the stream of the device side; the host side is not waited for.

    Values that are not tensors, and tensors that are there already, are returned as they are.
    """
    source = device_of(value)
    if not isinstance(value, np.ndarray | DeviceTensor) or (source == target and into is None):
        return value
    wait_in_order(into, state)
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "O":
            raise RuntimeException(f"a string tensor cannot be copied to {target}: strings live on the host only")
        stream = state.stream(target)
        result = into if into is not None else state.new_tensor(target, element_of(value), value.shape)
        runtime_for(target).copy(value, result, stream)
        return result
    stream = state.stream(source)
    wait_in_order(value, state)
    if target.is_host:
        result = into if into is not None else np.empty(value.shape, value.element.dtype)
        runtime_for(source).copy(value, result, stream)
        return result
    if target.type == source.type:
        return _copy_between(value, target, state, into)
    host = np.empty(value.shape, value.element.dtype)
    runtime_for(source).copy(value, host, stream)
    if stream is not None:
        stream.record().wait_host()
    return copy_to(host, target, state, into)


def _copy_between(value: DeviceTensor, target: Device, state: RunState, into: RuntimeValue | None) -> DeviceTensor:
    """Device to device of one plugin: both streams wait for each other, so that neither side is reused too early."""
    source_stream, target_stream = state.stream(value.device), state.stream(target)
    result: DeviceTensor = into if into is not None else state.new_tensor(target, value.element, value.shape)
    if source_stream is not None and target_stream is not None and source_stream is not target_stream:
        target_stream.wait(source_stream.record())
    runtime_for(target).copy(value, result, target_stream)
    if source_stream is not None and target_stream is not None and source_stream is not target_stream:
        source_stream.wait(target_stream.record())
    return result
