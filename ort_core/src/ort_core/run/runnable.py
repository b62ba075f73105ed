"""A compiled model that can run: feeds in, results out, one plan per combination of fetches and devices."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from ort_core.devices import HOST, Device
from ort_core.ir.graph import Value
from ort_core.memory.allocator import DeviceRuntime
from ort_core.memory.registry import runtime_for
from ort_core.memory.transfer import note_use
from ort_core.partition.compile import CompiledGraph
from ort_core.plan.builder import build_plan
from ort_core.plan.plan import ExecutionPlan
from ort_core.run.executor import execute
from ort_core.run.memory_meter import MemoryBudget
from ort_core.run.requests import DEFAULT_SETTINGS, ResultRequest, RunSettings
from ort_core.run.results import OwnedMemory, deliver, share_memory
from ort_core.run.state import BoundOutput, RunState, StreamPool, wait_in_order
from ort_core.values import DeviceTensor, RuntimeValue, device_of

MAX_PLANS = 64
"""Plans kept per session; a session that alternates between more combinations rebuilds some."""


DO_NOT_SYNCHRONIZE = "disable_synchronize_execution_providers"
"""Run configuration entry: `1` returns device results while work may still be queued, each with an event."""


class Runnable:
    """Executes a compiled graph; thread-safe.

    Args:
        constant: gives the host value of a constant, for results and control flow that refer to one.
        allocator: gives what memory of a device is taken from.
        budget: the host memory that runs may use; None for no limit.
    """

    def __init__(
        self,
        compiled: CompiledGraph,
        constant: Callable[[Value], RuntimeValue],
        allocator: Callable[[Device], DeviceRuntime] = runtime_for,
        budget: MemoryBudget | None = None,
    ) -> None:
        self._budget = budget
        self._compiled = compiled
        self._constant = constant
        self._plans: dict[tuple[tuple[ResultRequest, ...], tuple[Device, ...]], ExecutionPlan] = {}
        self._lock = threading.Lock()
        self._streams = StreamPool(allocator)
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
            with self._lock:
                while len(self._plans) >= MAX_PLANS:
                    del self._plans[next(iter(self._plans))]
                self._plans[key] = plan
        return plan

    def run(
        self,
        inputs: list[RuntimeValue],
        requests: tuple[ResultRequest, ...] | None = None,
        settings: RunSettings = DEFAULT_SETTINGS,
    ) -> list[RuntimeValue]:
        """The requested results (all, on the host, by default).

        A result never shares memory with an input or another result. A bound buffer is the result itself; it may overlap an
        input, which is then overwritten at the end.

        Raises:
            RuntimeException: a kernel failed.
            Fail: the run was terminated.
        """
        bound = () if requests is None else self._bound(requests)
        buffers = [target.buffer for target in bound if target is not None]
        devices = tuple(map(device_of, inputs)) if DeviceTensor in map(type, inputs) else None
        if requests is None and devices is None:
            plan = self.default_plan
        else:
            wanted = self.all_on_host if requests is None else requests
            plan = self.plan(tuple(r._replace(buffer=None) for r in wanted) if bound else wanted, devices)
        in_place = not buffers or not share_memory(buffers, inputs)
        if not in_place:
            settings = settings._replace(binding_id=None)
        pending = requests is not None and _may_stay_pending(requests, settings)
        if pending:
            # The caller may change its arrays as soon as the run returns.
            inputs = [v.copy() if isinstance(v, np.ndarray) else v for v in inputs]
        memory = OwnedMemory([*inputs, *buffers] if buffers else inputs)
        state = RunState(self._streams, *settings, memory=None if self._budget is None else self._budget.new_run())
        try:
            results = execute(plan, inputs.copy(), state, bound=_by_slot(plan, bound) if buffers and in_place else {})
            deliver(results, bound, memory, state, in_place=in_place)
            if pending:
                _leave_pending(results, inputs, state)
            else:
                state.synchronize()
        except BaseException:
            state.abandon()
            raise
        return results

    def _bound(self, requests: tuple[ResultRequest, ...]) -> tuple[BoundOutput | None, ...]:
        """The bound buffer of each request; nothing if there is none at all."""
        if all(r.buffer is None for r in requests):
            return ()
        names = self._compiled.graph.output_names
        return tuple(None if r.buffer is None else BoundOutput(names[r.position], r.buffer) for r in requests)

    def close(self) -> None:
        """Forgets plans and streams."""
        with self._lock:
            self._plans.clear()
        self._streams.clear()


def _by_slot(plan: ExecutionPlan, bound: tuple[BoundOutput | None, ...]) -> dict[int, BoundOutput]:
    found: dict[int, BoundOutput] = {}
    for slot, target in zip(plan.outputs, bound, strict=True):
        if target is not None:
            found.setdefault(slot, target)
    return found


def _may_stay_pending(requests: tuple[ResultRequest, ...], settings: RunSettings) -> bool:
    return settings.config.get(DO_NOT_SYNCHRONIZE) == "1" and not any(r.device.is_host for r in requests)


def _leave_pending(results: list[RuntimeValue], inputs: list[RuntimeValue], state: RunState) -> None:
    """Leaves device work queued: the results carry events, and the inputs are not freed before the work is done."""
    for value in (*inputs, *results):
        if isinstance(value, DeviceTensor):
            note_use(value, state.stream(value.device))
    for result in results:
        if isinstance(result, DeviceTensor):
            wait_in_order(result, state)
            stream = state.stream(result.device)
            result.ready = None if stream is None else stream.record()
    state.release()
