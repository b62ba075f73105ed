"""A model's `Runnable`, which is made when it is needed: an executable that is the whole model may answer every run itself."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ort_core.partition.compile import CompiledGraph, CompiledPartition

if TYPE_CHECKING:
    from ort_core.devices import Device
    from ort_core.plan.plan import ExecutionPlan
    from ort_core.providers.spec import Executable
    from ort_core.run.runnable import Runnable


class DeferredRunnable:
    """What `Runnable` is, without its plans until somebody runs one.

    Args:
        make: makes the `Runnable`; called at once unless an executable is the whole graph.

    Attributes:
        run: as `Runnable.run`.
    """

    def __init__(self, compiled: CompiledGraph, make: Callable[[], Runnable]) -> None:
        self._compiled = compiled
        self._make = make
        self._made: Runnable | None = None
        self._lock = threading.Lock()
        self.run: Callable[..., list[Any]] = self._first_run
        if self.whole is None:
            self._runnable()

    @functools.cached_property
    def whole(self) -> Executable | None:
        """The executable that is the whole graph, on the host, with an entry of its own; None if there is none."""
        graph, items = self._compiled.graph, self._compiled.items
        if len(items) != 1 or not isinstance(items[0], CompiledPartition) or not items[0].provider.device.is_host:
            return None
        is_whole = set(items[0].inputs) == set(graph.inputs) and items[0].outputs == graph.outputs
        return items[0].executable if is_whole and items[0].executable.fast_run is not None else None

    @functools.cached_property
    def output_homes(self) -> tuple[Device, ...]:
        """Where each output is computed."""
        from ort_core.plan.homes import Homes

        return tuple(map(Homes(self._compiled), self._compiled.graph.outputs))

    @property
    def default_plan(self) -> ExecutionPlan:
        """The plan for all outputs, on the host."""
        return self._runnable().default_plan

    def close(self) -> None:
        """Forgets plans and streams."""
        with self._lock:
            if self._made is not None:
                self._made.close()

    def _first_run(self, *arguments: Any) -> list[Any]:
        return self._runnable().run(*arguments)

    def _runnable(self) -> Runnable:
        with self._lock:
            if self._made is None:
                self._made = self._make()
                self.run = self._made.run
            return self._made
