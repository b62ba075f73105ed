"""A compiled partition: runs a native program on numpy arrays."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ort_core.errors import NotImplemented as NotImplementedByProvider
from ort_core.ir.graph import Graph, Value
from ort_core.ir.types import ElementType, TensorType
from ort_core.providers.spec import Executable, Profiler, RunContext
from ort_core.values import RuntimeValue
from ort_provider_cpu import _native


class CpuExecutable(Executable):
    """Runs the program of a partition."""

    def __init__(self, graph: Graph, program: _native.Program, provider: str) -> None:
        self._program = program
        self._provider = provider
        self._elements = [_element(v) for v in graph.outputs]
        inputs: list[tuple[str, np.dtype, Sequence[Any] | None]] = [
            (v.name, _element(v).dtype, v.shape) for v in graph.inputs
        ]
        outputs = list(zip(graph.output_names, (e.dtype for e in self._elements), strict=True))
        self._runner = program.runner(inputs, outputs)
        self.fast_run: Callable[..., Any] = self._runner.fast_run
        self.bind_run: Callable[..., Any] = self._runner.bind_run

    def run(self, ctx: RunContext, inputs: Sequence[RuntimeValue]) -> Sequence[RuntimeValue]:
        """Computes the outputs, in bound buffers where there are any."""
        elements = self._elements

        def output(index: int, shape: tuple[int, ...]) -> RuntimeValue:
            return ctx.output(index, elements[index], shape)

        timings: list[tuple[str, str, int, int]] | None = None if ctx.profiler is None else []
        cancel = ctypes.addressof(ctx.cancel_flag)
        results: list[RuntimeValue] = self._runner.run(list(inputs), output, cancel, timings)
        if ctx.profiler is not None and timings is not None:
            self._report(ctx.profiler, timings)
        return results

    def _report(self, profiler: Profiler, timings: Sequence[tuple[str, str, int, int]]) -> None:
        zero_ns = time.monotonic_ns() - profiler.now()
        for op, label, started_ns, ended_ns in timings:
            profiler.add(
                label, "Node", started_ns - zero_ns, ended_ns=ended_ns - zero_ns, op_name=op, provider=self._provider
            )

    def trim(self) -> None:
        """Gives the memory of idle runs back."""
        self._program.trim()


def _element(value: Value) -> ElementType:
    if not isinstance(value.type, TensorType):
        raise NotImplementedByProvider(f"value '{value.name}' is no tensor, but {value.type}")
    return value.type.element
