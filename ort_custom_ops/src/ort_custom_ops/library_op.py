"""One operator of a compiled library as a custom operator of the core."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from ort_core import errors
from ort_core.custom_ops.spec import CustomOp, Kernel, KernelRequest
from ort_core.ir.graph import Node, Value
from ort_core.ir.types import ElementType, TensorType, ValueType, describe
from ort_core.providers.names import CPU
from ort_custom_ops import _native
from ort_custom_ops.native_types import native_attributes, native_node, native_type


class _Arity(enum.IntEnum):
    REQUIRED = 0
    OPTIONAL = 1
    VARIADIC = 2


class _Ports:
    """The declared inputs or outputs of an operator; `what` names them in messages."""

    def __init__(self, ports: Sequence[tuple[int, int]], variadic: tuple[int, bool], what: str) -> None:
        self.elements = tuple(ElementType(element) if element else None for element, _ in ports)
        self.arities = tuple(_Arity(arity) for _, arity in ports)
        self.what = what
        self.is_variadic = bool(ports) and self.arities[-1] is _Arity.VARIADIC
        self.is_homogeneous = self.is_variadic and variadic[1]
        self.fixed = len(ports) - self.is_variadic
        required = [i + 1 for i, arity in enumerate(self.arities) if arity is _Arity.REQUIRED]
        self.least = self.fixed + variadic[0] if self.is_variadic else max(required, default=0)

    def index(self, position: int) -> int:
        """The declaration of the value at `position` of a node."""
        return min(position, len(self.arities) - 1)

    def is_free(self, position: int) -> bool:
        """Whether the value there has a type of its own, whatever is declared."""
        return self.is_variadic and not self.is_homogeneous and position >= self.fixed

    def element(self, position: int) -> ElementType | None:
        """The declared element type; None is any."""
        return None if self.is_free(position) else self.elements[self.index(position)]

    def count_problem(self, values: Sequence[Value | None]) -> str | None:
        """Why these are too few or too many, or None."""
        count = len(values)
        if count < self.least or (count > self.fixed and not self.is_variadic):
            most = "or more" if self.is_variadic else f"to {self.fixed}" if self.fixed != self.least else ""
            return f"it has {count} {self.what}s, the operator {self.least}{' ' if most else ''}{most}"
        for position, value in enumerate(values):
            is_needed = self.arities[self.index(position)] is not _Arity.OPTIONAL and (
                self.what == "input" or position < self.least
            )
            if value is None and is_needed:
                return f"{self.what} {position} is left out, the operator requires it"
        return None

    def type_problem(self, types: Sequence[ValueType | None]) -> str | None:
        """Why values of these types do not fit, or None; unknown types fit."""
        first: ElementType | None = None
        for position, type_ in enumerate(types):
            if type_ is None:
                continue
            if not isinstance(type_, TensorType):
                return f"{self.what} {position} is {describe(type_)}, operators of libraries take tensors only"
            expected = self.element(position)
            if expected is None and self.is_homogeneous and position >= self.fixed:
                expected = first = first or type_.element
            if expected is not None and type_.element is not expected:
                return (
                    f"{self.what} {position} is tensor({type_.element.onnx_name}), the operator takes "
                    f"tensor({expected.onnx_name})"
                )
        return None


class LibraryOp(CustomOp):
    """One operator of the library at `path`, which exists up to version `end_version` of its domain.

    Where it declares no type for an output, that is of the type of the first input declared without one, as in ONNX
    Runtime; of variadic values that need not be alike each has its own type.
    """

    def __init__(self, op: _native.Operator, path: str, end_version: int | None) -> None:
        self.path = path
        self.declare(op, end_version)

    def declare(self, op: _native.Operator, end_version: int | None) -> None:
        """Takes over what the library says of the operator now; it may have moved since it was registered before."""
        self._op = op
        self.domain = "" if op.domain == "ai.onnx" else op.domain
        self.name = op.name
        self.since_version = op.start_version
        self.end_version = end_version
        self.device_type = _device_type(op.provider)
        self._inputs = _Ports(op.inputs, op.variadic_inputs, "input")
        self._outputs = _Ports(op.outputs, op.variadic_outputs, "output")
        self.has_native = ElementType.STRING not in (*self._inputs.elements, *self._outputs.elements)

    def __repr__(self) -> str:
        return f"<{self.domain}::{self.name} of {self.path}>"

    def decline_reason(self, node: Node, types: Sequence[ValueType | None]) -> str | None:
        """Why the node's inputs and outputs, or their types, are not those that the operator declares."""
        return (
            self._inputs.count_problem(node.inputs)
            or self._outputs.count_problem(node.outputs)
            or self._inputs.type_problem(types)
        )

    def infer(self, node: Node, types: Sequence[ValueType | None]) -> Sequence[ValueType | None]:
        """The declared types; with shapes, if the operator infers them and the ranks of all inputs are known."""
        shared = self._shared_element(types)
        elements = [
            None if self._outputs.is_free(position) else self._outputs.element(position) or shared
            for position in range(len(node.outputs))
        ]
        known: list[ValueType | None] = [None if element is None else TensorType(element) for element in elements]
        if not self._op.infers_shapes or not all(
            value is None or (isinstance(type_, TensorType) and type_.shape is not None)
            for value, type_ in zip(node.inputs, types, strict=True)
        ):
            return known
        given = [("tensor", int(element or 0), None) for element in elements]
        try:
            found = self._op.infer([native_type(t) for t in types], given, native_attributes(node), node.where())
        except errors.OrtError as error:
            raise errors.InvalidGraph(f"{error} (the shape inference of {self.path})") from error
        return [TensorType(ElementType(element), dims) if element else None for element, dims in found]

    def bind(self, request: KernelRequest) -> Kernel:
        """A kernel of the library. It computes without the GIL and may be called from several threads at once.

        Raises:
            NotImplemented: the operator computes on a device.
        """
        node = request.node
        if self.device_type != "cpu":
            raise errors.NotImplemented(
                f"{node.where()}: its kernel in {self.path} is for {self._op.provider}; libraries are hosted on the CPU only. "
                "Use the library's operator for the CPU."
            )
        kernel = self._op.kernel(native_node(request, self.since_version), node.where())
        return Kernel(kernel, kernel.native if self.has_native and self._has_plain_values(node) else None)

    def _shared_element(self, types: Sequence[ValueType | None]) -> ElementType | None:
        for position, type_ in enumerate(types):
            follows = self._inputs.element(position) is None and not self._inputs.is_free(position)
            if follows and isinstance(type_, TensorType):
                return type_.element
        return None

    def _has_plain_values(self, node: Node) -> bool:
        """Whether no value of the node can be a tensor of strings."""
        untyped = [
            value
            for ports, values in ((self._inputs, node.inputs), (self._outputs, node.outputs))
            for position, value in enumerate(values)
            if value is not None and ports.element(position) is None
        ]
        return all(value.element not in (None, ElementType.STRING) for value in untyped)


def _device_type(provider: str) -> str:
    return "cpu" if provider in ("", CPU) else provider.removesuffix("ExecutionProvider").lower()
