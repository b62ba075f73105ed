"""Declaring the kernels of the fake device."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from ort_core.ir.attributes import SparseWeight
from ort_core.ir.graph import Node, Value
from ort_core.ir.types import ElementType

Dims: TypeAlias = "tuple[int, ...]"
F = TypeVar("F", bound=Callable[..., None])

FLOATS = frozenset({ElementType.FLOAT, ElementType.DOUBLE})
INTEGERS = frozenset({ElementType.INT32, ElementType.INT64})
NUMBERS = FLOATS | INTEGERS
BOOLS = frozenset({ElementType.BOOL})
ALL = NUMBERS | BOOLS


@dataclass(frozen=True, slots=True)
class DeviceKernel:
    """An operator of the fake device.

    Attributes:
        compute: called as `compute(out, *inputs, **parameters)` with arrays.
        shape: the output shape from the input shapes and the parameters; raises ValueError if they do not fit.
        types: element types of the inputs, which all have the same.
        result: the output's element type from the inputs' and the parameters.
        constants: inputs that must be constant, by position; they become parameters of these names.
        in_place: whether the output may take the memory of an input of its shape.
        scratch: the bytes of scratch memory from the output's shape and element size; `compute` gets it as `scratch`.
        defaults: the parameters with their defaults, `inspect.Parameter.empty` where required.
    """

    op: str
    compute: Callable[..., None]
    shape: Callable[..., Dims]
    types: frozenset[ElementType]
    result: Callable[[ElementType, Mapping[str, Any]], ElementType]
    constants: Mapping[int, str]
    in_place: bool
    scratch: Callable[[Dims, int], int] | None
    defaults: Mapping[str, Any]

    def parameters(self, node: Node) -> dict[str, Any]:
        """The parameters of a node: its attributes, constant inputs and defaults.

        Raises:
            Unsupported: the kernel cannot run the node.
        """
        found = {name: node.attr(name) for name in node.attributes}
        if unknown := found.keys() - self.defaults.keys() - set(self.constants.values()):
            raise Unsupported(f"kernel does not know the attribute '{min(unknown)}'")
        for index, name in self.constants.items():
            value = node.inputs[index] if index < len(node.inputs) else None
            if value is None:
                continue
            if not value.is_constant or value.const is None or isinstance(value.const, SparseWeight):
                raise Unsupported(f"input '{value.name}' ({name}) is not constant")
            found[name] = tuple(int(i) for i in value.const.array().reshape(-1))
        result = {**self.defaults, **found}
        if missing := [name for name, value in result.items() if value is inspect.Parameter.empty]:
            raise Unsupported(f"required '{missing[0]}' is missing")
        return result

    def data_inputs(self, node: Node) -> tuple[Value, ...]:
        """The inputs that are computed with.

        Raises:
            Unsupported: one is absent, of unknown type, or of a type that the kernel does not take.
        """
        values = [value for index, value in enumerate(node.inputs) if index not in self.constants]
        for value in values:
            if value is None or value.element is None:
                raise Unsupported("an input is absent" if value is None else f"the type of '{value.name}' is not known")
            if value.element not in self.types:
                have = ", ".join(sorted(t.onnx_name for t in self.types))
                raise Unsupported(f"got T={value.element.onnx_name}, have {{{have}}}")
        return tuple(value for value in values if value is not None)


class Unsupported(Exception):
    """A kernel cannot run a node; the text says why."""


KERNELS: dict[str, DeviceKernel] = {}
"""The kernels by operator."""


def same_type(element: ElementType, parameters: Mapping[str, Any]) -> ElementType:
    """The inputs' element type."""
    return element


def to_bool(element: ElementType, parameters: Mapping[str, Any]) -> ElementType:
    """Bool."""
    return ElementType.BOOL


def to_attribute(element: ElementType, parameters: Mapping[str, Any]) -> ElementType:
    """The element type that the attribute `to` names."""
    return ElementType(parameters["to"])


def device_kernel(
    op: str,
    *,
    shape: Callable[..., Dims],
    types: Collection[ElementType] = NUMBERS,
    result: Callable[[ElementType, Mapping[str, Any]], ElementType] = same_type,
    constants: Mapping[int, str] | None = None,
    in_place: bool = False,
    scratch: Callable[[Dims, int], int] | None = None,
) -> Callable[[F], F]:
    """Declares the kernel of an operator; the arguments are the fields of `DeviceKernel`."""

    def decorate(compute: F) -> F:
        keywords = [p for p in inspect.signature(compute).parameters.values() if p.kind is p.KEYWORD_ONLY]
        named = constants or {}
        defaults = {p.name: p.default for p in keywords if p.name != "scratch"}
        KERNELS[op] = DeviceKernel(op, compute, shape, frozenset(types), result, named, in_place, scratch, defaults)
        return compute

    return decorate
