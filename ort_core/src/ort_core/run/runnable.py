"""A compiled model that can run: feeds in, results out, one plan per combination of fetches and devices."""

from __future__ import annotations

import ctypes
import functools
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from ort_core.devices import HOST, Device
from ort_core.ir.graph import Value
from ort_core.ir.types import ElementType
from ort_core.partition.compile import CompiledGraph
from ort_core.plan.builder import build_plan, output_homes
from ort_core.plan.plan import ExecutionPlan
from ort_core.providers.kernel_executable import storage_root
from ort_core.run.copies import copy_to
from ort_core.run.executor import execute
from ort_core.providers.spec import Profiler
from ort_core.run.state import RunState, StreamPool, check_fits, new_tensor
from ort_core.values import DeviceTensor, RuntimeValue, device_of

NEVER_CANCELLED = ctypes.c_uint32(0)
MAX_PLANS = 64
"""Plans kept per session; a session that alternates between more combinations rebuilds some."""


class ResultRequest(NamedTuple):
    """Output number `position`, where it is wanted, and the buffer to write it to, if any."""

    position: int
    device: Device = HOST
    buffer: RuntimeValue = None


class RunSettings(NamedTuple):
    """What `RunOptions` and the session say about one run."""

    cancel_flag: ctypes.c_uint32 = NEVER_CANCELLED
    config: Mapping[str, str] = {}
    profiler: Profiler | None = None
    binding_id: int | None = None
    timeout_s: float | None = None


class Runnable:
    """Executes a compiled graph; thread-safe.

    Args:
        constant: gives the host value of a constant, for results and control flow that refer to one.
    """

    def __init__(self, compiled: CompiledGraph, constant: Callable[[Value], RuntimeValue]) -> None:
        self._compiled = compiled
        self._constant = constant
        self._plans: dict[tuple[tuple[ResultRequest, ...], tuple[Device, ...]], ExecutionPlan] = {}
        self._streams = StreamPool()
        self._n_inputs = len(compiled.graph.inputs)
        self._host_devices = (HOST,) * self._n_inputs
        self.all_on_host = tuple(ResultRequest(i) for i in range(len(compiled.graph.outputs)))

    def plan(
        self, requests: tuple[ResultRequest, ...], input_devices: tuple[Device, ...] | None = None
    ) -> ExecutionPlan:
        """The plan for results on the devices of `requests` (whose buffers do not matter)."""
        devices = self._host_devices if input_devices is None else input_devices
        key = (requests, devices)
        plan = self._plans.get(key)
        if plan is None:
            values = self._compiled.graph.outputs
            plan = build_plan(
                self._compiled, devices, [(values[r.position], r.device) for r in requests], self._constant
            )
            while len(self._plans) >= MAX_PLANS:
                self._plans.pop(next(iter(self._plans)), None)
            self._plans[key] = plan
        return plan

    @functools.cached_property
    def output_homes(self) -> tuple[Device, ...]:
        """Where each output is computed."""
        return output_homes(self._compiled, self._constant)

    def run(
        self,
        inputs: list[RuntimeValue],
        requests: tuple[ResultRequest, ...] | None = None,
        settings: RunSettings = RunSettings(),  # noqa: B008 - immutable
    ) -> list[RuntimeValue]:
        """The requested results (all, on the host, by default); the list of inputs is consumed.

        A result never shares memory with an input or another result. A bound buffer is the result itself.

        Raises:
            RuntimeException: a kernel failed.
            Fail: the run was terminated.
        """
        requests = self.all_on_host if requests is None else requests
        devices = None
        buffers: dict[int, RuntimeValue] = {}
        key = requests
        if requests is not self.all_on_host:
            buffers = {i: r.buffer for i, r in enumerate(requests) if r.buffer is not None}
            key = tuple(r._replace(buffer=None) for r in requests)
        for value in inputs:
            if value.__class__ is DeviceTensor:
                devices = tuple(map(device_of, inputs))
                break
        plan = self.plan(key, devices)
        bound: dict[int, RuntimeValue] = {}
        for index, buffer in buffers.items():
            bound.setdefault(plan.outputs[index], buffer)
        roots = {id(storage_root(v)) if v.__class__ is np.ndarray else id(v) for v in inputs}
        if devices is not None:
            roots |= {id(v.buffer) for v in inputs if isinstance(v, DeviceTensor)}
        deadline = None if settings.timeout_s is None else time.monotonic() + settings.timeout_s
        state = RunState(
            self._streams,
            settings.cancel_flag,
            settings.config,
            profiler=settings.profiler,
            binding_id=settings.binding_id,
            deadline=deadline,
        )
        keep_alive = inputs.copy()
        try:
            results = execute(plan, inputs, state, bound=bound)
            for index, result in enumerate(results):
                results[index] = self._own(result, requests[index], roots, state)
            if settings.config.get("disable_synchronize_execution_providers") == "1" and all(
                not r.device.is_host for r in requests
            ):
                _mark_pending(results, state)
            else:
                state.synchronize()
        except BaseException:
            state.abandon()
            raise
        del keep_alive
        return results

    def _own(self, result: RuntimeValue, request: ResultRequest, roots: set[int], state: RunState) -> RuntimeValue:
        """The result in memory of its own, or in the buffer that the caller bound."""
        buffer = request.buffer
        if buffer is not None:
            if result is not buffer:
                element = result.element if isinstance(result, DeviceTensor) else ElementType.from_dtype(result.dtype)
                check_fits(buffer, element, result.shape, self._compiled.graph.output_names[request.position])
                _copy_into(result, buffer, state)
            return buffer
        if result.__class__ is np.ndarray:
            root = id(storage_root(result))
            if root in roots or not result.flags.writeable:
                result = result.copy()
                root = id(result)
            elif not result.flags.c_contiguous:
                result = np.ascontiguousarray(result)
                root = id(result)
            roots.add(root)
        elif isinstance(result, DeviceTensor):
            if id(result.buffer) in roots:
                copy = new_tensor(result.device, result.element, result.shape, state.stream(result.device))
                result = copy_to(result, result.device, state, copy)
            roots.add(id(result.buffer))
        return result

    def close(self) -> None:
        """Forgets plans and streams."""
        self._plans.clear()
        self._streams.clear()


def _copy_into(result: RuntimeValue, buffer: RuntimeValue, state: RunState) -> None:
    if isinstance(result, np.ndarray) and isinstance(buffer, np.ndarray):
        np.copyto(buffer, result)
    else:
        copy_to(result, device_of(buffer), state, buffer)


def _mark_pending(results: list[RuntimeValue], state: RunState) -> None:
    """Leaves device work queued: the results carry events instead."""
    for result in results:
        if isinstance(result, DeviceTensor):
            stream = state.stream(result.device)
            result.ready = None if stream is None else stream.record()
    state.release()
