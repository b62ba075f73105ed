"""If, Loop and Scan: running the plans of their bodies.

Sources: ONNX If (opset 1 and later), Loop (1 and later), Scan (9 and later).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ort_core.errors import RuntimeException
from ort_core.ir.shapes import format_shape
from ort_core.ir.types import TensorType, ValueType
from ort_core.plan.plan import IfStep, LoopStep, ScanStep
from ort_core.run.state import RunState
from ort_core.values import RuntimeValue

Execute: TypeAlias = Callable[..., list[RuntimeValue]]
Captures: TypeAlias = Sequence[Sequence[RuntimeValue]]


def run_if(
    step: IfStep, arguments: list[Any], captures: Captures, state: RunState, execute: Execute
) -> list[RuntimeValue]:
    """Runs the branch that the condition selects."""
    taken = 0 if _scalar(step, arguments[0], "condition") else 1
    return execute(step.bodies[taken].plan, [], state, captures[taken])


def run_loop(
    step: LoopStep, arguments: list[Any], captures: Captures, state: RunState, execute: Execute
) -> list[RuntimeValue]:
    """Runs the body until the trip count is reached or its condition is false; returns carried values and stacked scans."""
    limit = None if arguments[0] is None else int(_scalar(step, arguments[0], "trip count"))
    proceed = arguments[1] is None or bool(_scalar(step, arguments[1], "condition"))
    carried = arguments[2:]
    arguments.clear()
    scans = [_Stack(step, type_, state) for type_ in step.scan_types]
    iteration = 0
    while proceed and (limit is None or iteration < limit):
        state.check()
        inputs = [np.asarray(iteration, np.int64), np.asarray(True), *carried]
        carried.clear()
        results = execute(step.body.plan, inputs, state, captures[0])
        proceed = bool(_scalar(step, results[0], "condition computed by the body"))
        carried = results[1 : 1 + step.carried]
        for collected, item in zip(scans, results[1 + step.carried :], strict=True):
            collected.append(item)
        results.clear()
        iteration += 1
    return [*carried, *(scan.finish() for scan in scans)]


def run_scan(
    step: ScanStep, arguments: list[Any], captures: Captures, state: RunState, execute: Execute
) -> list[RuntimeValue]:
    """Runs the body once for each slice of the scanned inputs."""
    carried, scanned = arguments[: step.carried], arguments[step.carried :]
    arguments.clear()
    sequences = []
    for tensor, axis, backwards in zip(scanned, step.input_axes, step.input_reversed, strict=True):
        if not -tensor.ndim <= axis < tensor.ndim:
            raise RuntimeException(
                f"{step.node.where()}: scan axis {axis} is out of range for an input of shape {format_shape(tensor.shape)}"
            )
        moved = np.moveaxis(tensor, axis, 0)
        sequences.append(moved[::-1] if backwards else moved)
    lengths = {len(s) for s in sequences}
    if len(lengths) != 1:
        raise RuntimeException(
            f"{step.node.where()}: scanned inputs have different lengths {sorted(lengths)} along their scan axes "
            f"(shapes {', '.join(format_shape(t.shape) for t in scanned)}); ONNX requires one length"
        )
    scans = [_Stack(step, type_, state) for type_ in step.scan_types]
    for index in range(lengths.pop()):
        state.check()
        inputs = [*carried, *(np.ascontiguousarray(s[index, ...]).reshape(s.shape[1:]) for s in sequences)]
        carried.clear()
        results = execute(step.body.plan, inputs, state, captures[0])
        carried = results[: step.carried]
        for collected, item in zip(scans, results[step.carried :], strict=True):
            collected.append(item)
        results.clear()
    layouts = zip(scans, step.output_axes, step.output_reversed, strict=True)
    return [*carried, *(scan.finish(axis, backwards=backwards) for scan, axis, backwards in layouts)]


RUNNERS: dict[type, Callable[..., list[RuntimeValue]]] = {IfStep: run_if, LoopStep: run_loop, ScanStep: run_scan}


def _scalar(step: IfStep | LoopStep | ScanStep, value: Any, what: str) -> Any:
    if not isinstance(value, np.ndarray) or value.size != 1:
        shape = format_shape(getattr(value, "shape", None))
        raise RuntimeException(f"{step.node.where()}: the {what} must be one element, got shape {shape}")
    return value.reshape(())[()]


class _Stack:
    """The slices of one scan output, and the tensor that they make."""

    def __init__(self, step: LoopStep | ScanStep, type_: ValueType | None, state: RunState) -> None:
        self._step = step
        self._type = type_
        self._memory = state.memory
        self._items: list[np.ndarray] = []
        self._nbytes = 0

    def append(self, item: RuntimeValue) -> None:
        if not isinstance(item, np.ndarray):
            raise RuntimeException(
                f"{self._step.node.where()}: a scan output must be a tensor, got {type(item).__name__}"
            )
        self._items.append(item)
        if self._memory is not None:
            self._nbytes += item.nbytes
            self._memory.admit(self._nbytes, self._step.node.where())

    def finish(self, axis: int = 0, *, backwards: bool = False) -> np.ndarray:
        items = self._items
        if not items:
            return _empty_stack(self._step, self._type, axis)
        shapes = {item.shape for item in items}
        if len(shapes) > 1:
            raise RuntimeException(
                f"{self._step.node.where()}: a scan output changed its shape between iterations: "
                f"{', '.join(sorted(map(format_shape, shapes)))}; ONNX requires one shape"
            )
        _check_output_axis(self._step, axis, items[0].ndim)
        return np.ascontiguousarray(np.stack(items[::-1] if backwards else items, axis=axis))


def _empty_stack(step: LoopStep | ScanStep, type_: ValueType | None, axis: int) -> np.ndarray:
    """What no iteration produces: sizes that are not known are 0."""
    if not isinstance(type_, TensorType):
        raise RuntimeException(f"{step.node.where()} ran no iteration and the type of its scan output is unknown")
    shape = [d if isinstance(d, int) else 0 for d in type_.shape or ()]
    if type_.shape is None:
        axis = 0
    _check_output_axis(step, axis, len(shape))
    shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, 0)
    return np.empty(shape, type_.element.dtype)


def _check_output_axis(step: LoopStep | ScanStep, axis: int, rank: int) -> None:
    if not -rank - 1 <= axis <= rank:
        raise RuntimeException(
            f"{step.node.where()}: scan axis {axis} is out of range for an output whose slices have rank {rank}"
        )
