"""Results that belong to the caller: in memory of their own, or in the buffers that the caller bound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ort_core.ir.types import ElementType
from ort_core.providers.kernel_executable import storage_root
from ort_core.run.copies import copy_to
from ort_core.run.state import RunState, check_fits, new_tensor
from ort_core.values import DeviceTensor, RuntimeValue, SparseValue, device_of


class OwnedMemory:
    """The memory that results must not share: that of the inputs, and of the results seen so far."""

    __slots__ = ("_roots",)

    def __init__(self, inputs: Sequence[RuntimeValue]) -> None:
        self._roots = {id(storage_root(v)) if v.__class__ is np.ndarray else 0 for v in inputs}
        for value in inputs:
            if value.__class__ is not np.ndarray:
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
        if result.__class__ is np.ndarray:
            root = id(storage_root(result))
            if root in self._roots or not result.flags.writeable:
                result = result.copy()
                root = id(result)
            elif not result.flags.c_contiguous:
                result = np.ascontiguousarray(result)
                root = id(result)
            self._roots.add(root)
        elif isinstance(result, DeviceTensor):
            if id(result.buffer) in self._roots:
                copy = new_tensor(result.device, result.element, result.shape, state.stream(result.device))
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


def write_into(buffer: RuntimeValue, result: RuntimeValue, name: str, state: RunState) -> None:
    """Copies a result to the buffer that was bound to it, unless it is there already.

    Raises:
        InvalidArgument: the buffer has another type or shape.
    """
    if result is buffer:
        return
    element = result.element if isinstance(result, DeviceTensor) else ElementType.from_dtype(result.dtype)
    check_fits(buffer, element, result.shape, name)
    if isinstance(result, np.ndarray) and isinstance(buffer, np.ndarray):
        np.copyto(buffer, result)
    else:
        copy_to(result, device_of(buffer), state, buffer)
