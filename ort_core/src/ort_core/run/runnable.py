"""A compiled model that can run: feeds in, results out, one plan per combination of fetches and devices."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ort_core.devices import HOST, Device
from ort_core.ir.graph import Value
from ort_core.memory.transfer import note_use
from ort_core.partition.compile import CompiledGraph
from ort_core.plan.builder import build_plan, output_homes
from ort_core.plan.plan import ExecutionPlan
from ort_core.providers.spec import Profiler
from ort_core.run.executor import execute
from ort_core.run.results import OwnedMemory, write_into
from ort_core.run.state import RunState, StreamPool
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


DEFAULT_SETTINGS = RunSettings()
DO_NOT_SYNCHRONIZE = "disable_synchronize_execution_providers"
"""Run configuration entry: `1` returns device results while work may still be queued, each with an event."""


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
        self.default_plan = self.plan(self.all_on_host)

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
        settings: RunSettings = DEFAULT_SETTINGS,
    ) -> list[RuntimeValue]:
        """The requested results (all, on the host, by default).

        A result never shares memory with an input or another result. A bound buffer is the result itself.

        Raises:
            RuntimeException: a kernel failed.
            Fail: the run was terminated.
        """
        if DeviceTensor in map(type, inputs):
            plan = self._plan_for(requests, tuple(map(device_of, inputs)))
        elif requests is None:
            plan = self.default_plan
        else:
            plan = self._plan_for(requests, None)
        buffers = [r.buffer for r in requests or ()]
        bound: dict[int, RuntimeValue] = {}
        for slot, buffer in zip(plan.outputs, buffers, strict=False):
            if buffer is not None:
                bound.setdefault(slot, buffer)
        memory = OwnedMemory(inputs)
        state = RunState(self._streams, *settings)
        try:
            results = execute(plan, inputs.copy(), state, bound=bound)
            for index, result in enumerate(results):
                if buffers and buffers[index] is not None:
                    name = self._compiled.graph.output_names[requests[index].position] if requests else ""
                    write_into(buffers[index], result, name, state)
                    results[index] = buffers[index]
                else:
                    results[index] = memory.own(result, state)
            if (
                requests
                and settings.config.get(DO_NOT_SYNCHRONIZE) == "1"
                and not any(r.device.is_host for r in requests)
            ):
                _leave_pending(results, inputs, state)
            else:
                state.synchronize()
        except BaseException:
            state.abandon()
            raise
        return results

    def _plan_for(
        self, requests: tuple[ResultRequest, ...] | None, devices: tuple[Device, ...] | None
    ) -> ExecutionPlan:
        return self.plan(tuple(r._replace(buffer=None) for r in requests or self.all_on_host), devices)

    def close(self) -> None:
        """Forgets plans and streams."""
        self._plans.clear()
        self._streams.clear()


def _leave_pending(results: list[RuntimeValue], inputs: list[RuntimeValue], state: RunState) -> None:
    """Leaves device work queued: the results carry events, and the inputs are not freed before the work is done."""
    for value in (*inputs, *results):
        if isinstance(value, DeviceTensor):
            note_use(value, state.stream(value.device))
    for result in results:
        if isinstance(result, DeviceTensor):
            stream = state.stream(result.device)
            result.ready = None if stream is None else stream.record()
    state.release()
