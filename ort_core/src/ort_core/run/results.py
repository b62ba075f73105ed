"""Results that belong to the caller: in memory of their own, or in the buffers that the caller bound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ort_core.devices import HOST
from ort_core.errors import InvalidArgument
from ort_core.providers.kernel_executable import describe_value, storage_root
from ort_core.run.copies import copy_to
from ort_core.run.state import BoundOutput, RunState, check_fits, element_of
from ort_core.values import DeviceTensor, RuntimeValue, SparseValue, device_of


class OwnedMemory:
    """The memory that results must not share: that of the inputs, and of the results seen so far."""

    __slots__ = ("_roots",)

    def __init__(self, inputs: Sequence[RuntimeValue]) -> None:
        self._roots: set[int] = set()
        for value in inputs:
            if value.__class__ is np.ndarray and value.base is None:
                self._roots.add(id(value))
            else:
                self._add(value)

    def _add(self, value: RuntimeValue) -> None:
        if isinstance(value, np.ndarray):
            self._roots.add(id(storage_root(value)))
        elif isinstance(value, DeviceTensor):
            self._roots.add(id(value.buffer))
        elif isinstance(value, SparseValue):
            self._add([value.values, *value.indices])
        elif isinstance(value, list | dict):
            for item in value.values() if isinstance(value, dict) else value:
                self._add(item)

    def own(self, result: RuntimeValue, state: RunState) -> RuntimeValue:
        """The result, copied if it shares memory with an input or an earlier result, or is read-only."""
        if isinstance(result, np.ndarray):
            root = id(result) if result.base is None else id(storage_root(result))
            if root in self._roots or not result.flags.writeable:
                result = result.copy()
                root = id(result)
            elif not result.flags.c_contiguous:
                result = np.ascontiguousarray(result)
                root = id(result)
            self._roots.add(root)
        elif isinstance(result, DeviceTensor):
            if id(result.buffer) in self._roots:
                copy = state.new_tensor(result.device, result.element, result.shape)
                result = copy_to(result, result.device, state, copy)
            self._roots.add(id(result.buffer))
        elif isinstance(result, SparseValue):
            indices = tuple(self.own(i, state) for i in result.indices)
            result = SparseValue(result.format, result.shape, self.own(result.values, state), indices)
        elif isinstance(result, list):
            result = [self.own(item, state) for item in result]
        elif isinstance(result, dict):
            result = {key: self.own(item, state) for key, item in result.items()}
        return result


def deliver(
    results: list[RuntimeValue],
    bound: Sequence[BoundOutput | None],
    memory: OwnedMemory,
    state: RunState,
    *,
    in_place: bool,
) -> None:
    """Replaces each result by one that belongs to the caller: the buffer bound to it, or a value in memory of its own.

    Args:
        in_place: whether no bound buffer shares memory with an input or another buffer, so that writing to one buffer
            cannot change what is still to be written to another.
    """
    for index, result in enumerate(results):
        if not bound or bound[index] is None or not in_place:
            results[index] = memory.own(result, state)
    for index, target in enumerate(bound):
        if target is not None:
            write_into(target, results[index], state)
            results[index] = target.buffer


def write_into(target: BoundOutput, result: RuntimeValue, state: RunState) -> None:
    """Copies a result to the buffer that was bound to it, unless it is there already.

    Raises:
        InvalidArgument: the buffer has another type or shape, or the result is no dense tensor.
    """
    name, buffer = target
    if result is buffer:
        return
    if not isinstance(result, np.ndarray | DeviceTensor):
        raise InvalidArgument(
            f"output '{name}' is {describe_value(result)}, which cannot be written to a bound buffer. Bind a device instead."
        )
    check_fits(target, element_of(result), result.shape)
    if isinstance(result, np.ndarray) and isinstance(buffer, np.ndarray):
        np.copyto(buffer, result)
    else:
        copy_to(result, device_of(buffer), state, buffer)


def share_memory(buffers: Sequence[RuntimeValue], others: Sequence[RuntimeValue]) -> bool:
    """Whether a buffer overlaps another buffer or one of the `others`."""
    spans = sorted(
        (*_span(v), is_buffer)
        for values, is_buffer in ((buffers, True), (others, False))
        for v in values
        if isinstance(v, np.ndarray | DeviceTensor) and v.nbytes
    )
    ends: dict[bool, tuple[str, int, int]] = {}
    for place, device_id, start, end, is_buffer in spans:
        for other, reached in ends.items():
            if (is_buffer or other) and reached > (place, device_id, start):
                return True
        ends[is_buffer] = max(ends.get(is_buffer, ("", 0, 0)), (place, device_id, end))
    return False


def _span(tensor: RuntimeValue) -> tuple[str, int, int, int]:
    """Where a tensor lies: memory that the host can read is one place."""
    device = device_of(tensor)
    start = tensor.ptr if isinstance(tensor, DeviceTensor) else tensor.__array_interface__["data"][0]
    place, device_id = (HOST.type, 0) if device.is_host else (device.type, device.id)
    return place, device_id, start, start + tensor.nbytes
