"""Python functions and classes as custom operators."""

from __future__ import annotations

import functools
import inspect
import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Generic, ParamSpec, TypeVar

from ort_core.custom_ops.spec import CustomOp, Kernel, KernelRequest
from ort_core.errors import Fail, InvalidArgument, InvalidGraph, OrtError
from ort_core.ir.graph import Node
from ort_core.ir.shapes import merge_shapes
from ort_core.ir.types import ElementType, TensorType, ValueType, describe
from ort_custom_ops.dims import NotKnown
from ort_custom_ops.inference import InputInfo, read_result
from ort_custom_ops.kernel import ABSENT, make_kernel
from ort_custom_ops.node_info import NodeInfo
from ort_custom_ops.patterns import Bindings
from ort_custom_ops.results import Expected, Site
from ort_custom_ops.shape_rules import ShapeMismatch, ShapeRule, parse_shapes
from ort_custom_ops.signature import Signature

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class Operator(CustomOp, Generic[P, R]):
    """A function or class as a custom operator; calling it calls the function.

    Attributes:
        function: what was decorated.
        signature: its inputs, outputs and attributes.
        writable_inputs: whether it gets copies of its inputs instead of read-only views.
    """

    __module__: str
    __qualname__: str

    def __init__(
        self,
        function: Callable[P, R],
        signature: Signature,
        domain: str,
        name: str,
        *,
        since_version: int = 1,
        end_version: int | None = None,
        device: str = "cpu",
        shapes: str | None = None,
        writable_inputs: bool = False,
    ) -> None:
        functools.update_wrapper(self, function, updated=())
        self.domain = "" if domain == "ai.onnx" else domain
        self.name = name
        self.since_version, self.end_version = since_version, end_version
        self.device_type = device
        self.function = function
        self.signature = signature
        self.writable_inputs = writable_inputs
        self._shapes = shapes
        self._inference: Callable[..., Any] | None = None
        self._inference_takes: tuple[int | None, frozenset[str] | None] = (None, None)
        self._rule: ShapeRule | None = None if shapes is None else self._parse(shapes)

    def _parse(self, shapes: str) -> ShapeRule:
        signature, where = self.signature, f"operator {self.label}"
        if signature.has_variadic_outputs:
            raise InvalidArgument(f"{where}: with any number of outputs, decorate a function with infer_types")
        names = [s.name for s in signature.inputs]
        count = len(signature.outputs)
        return parse_shapes(shapes, names, is_variadic=signature.is_variadic, n_outputs=count, where=where)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls the function, or makes an instance of the class."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<operator {self.label}{self.signature}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        if self.is_class:
            return _operator_of, (self.function,)
        name: str = self.__qualname__
        if _lookup(self.__module__, name) is self:
            return name
        options = {
            "since_version": self.since_version,
            "end_version": self.end_version,
            "device": self.device_type,
            "shapes": self._shapes,
            "writable_inputs": self.writable_inputs,
        }
        return _restore, (self.function, self.signature, self.domain, self.name, options, self._inference)

    @property
    def label(self) -> str:
        """`domain::name`."""
        return f"{self.domain or 'ai.onnx'}::{self.name}"

    @property
    def is_class(self) -> bool:
        """Whether nodes have instances of a class."""
        return inspect.isclass(self.function)

    def infer_types(self, function: F) -> F:
        """Decorates the operator's inference function.

        It gets an `InputInfo` for each input (None for an absent one) and, by name, those of the attributes that it has
        parameters for. It returns the shape of each output, or a whole type, or None for an unknown shape.
        """
        parameters = inspect.signature(function).parameters.values()
        positional = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
        named = frozenset(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
        takes_all = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
        if strange := sorted(named - self.signature.attributes.keys()):
            raise InvalidArgument(
                f"operator {self.label}: its inference function asks for the attribute '{strange[0]}', but the attributes are: "
                f"{', '.join(self.signature.attributes) or 'none'}"
            )
        self._inference = function
        self._inference_takes = (None if takes_all else positional, None if takes_any else named)
        return function

    def decline_reason(self, node: Node, types: Sequence[ValueType | None]) -> str | None:
        """Why the node is no call of this operator: inputs, outputs, attributes, and types as far as they are known."""
        signature = self.signature
        inputs = list(node.inputs)
        while inputs and inputs[-1] is None:
            inputs.pop()
        if len(inputs) < signature.min_inputs:
            return f"it has {len(inputs)} inputs, {self._arity()} are expected"
        for index, value in enumerate(inputs):
            spec = signature.input_at(index)
            if spec is None:
                return f"it has {len(inputs)} inputs, {self._arity()} are expected"
            if value is None and not spec.is_optional:
                return f"input {index} '{spec.name}' is absent"
        if not signature.has_variadic_outputs and len(node.outputs) > len(signature.outputs):
            return f"it has {len(node.outputs)} outputs, the operator has {len(signature.outputs)}"
        bound: dict[str, ElementType] = {}
        return self._attribute_reason(node) or self._match(types, bound) or self._output_reason(node, bound)

    def _arity(self) -> str:
        low, high = self.signature.min_inputs, len(self.signature.inputs)
        if self.signature.is_variadic:
            return f"at least {low}"
        return str(low) if low == high else f"{low} to {high}"

    def _attribute_reason(self, node: Node) -> str | None:
        known = self.signature.attributes
        for name, attribute in node.attributes.items():
            spec = known.get(name)
            if spec is None:
                return f"it has no attribute '{name}'; its attributes are: {', '.join(known) or 'none'}"
            if reason := spec.misfit(attribute):
                return reason
        missing = next((s.name for s in known.values() if s.is_required and s.name not in node.attributes), None)
        return None if missing is None else f"the required attribute '{missing}' is missing"

    def _match(self, types: Sequence[ValueType | None], bound: Bindings) -> str | None:
        """Binds the type variables to the types of inputs; why that fails, or None."""
        for index, type_ in enumerate(types):
            spec = self.signature.input_at(index)
            if type_ is None or spec is None:
                continue
            if expected := spec.pattern.match(type_, bound):
                return f"input {index} '{spec.name}' is {describe(type_)}, expected {expected}"
        return None

    def _output_reason(self, node: Node, bound: Bindings) -> str | None:
        for index, value in enumerate(node.outputs):
            spec = self.signature.output_at(index)
            if value is None or value.type is None or spec is None:
                continue
            if expected := spec.pattern.match(value.type, bound):
                return f"output {index} '{spec.name}' is {describe(value.type)}, the operator gives {expected}"
        return None

    def infer(self, node: Node, types: Sequence[ValueType | None]) -> Sequence[ValueType | None]:
        """The output types: element types from the signature, shapes from the rule or the inference function.

        Raises:
            InvalidGraph: the inputs do not fit.
            Fail: the inference function raised.
        """
        bound: dict[str, ElementType] = {}
        if reason := self._match(types, bound) or self._attribute_reason(node):
            raise InvalidGraph(f"{node.where()}: {reason}. The operator is {self.label}{self.signature}.")
        defaults: list[ValueType | None] = []
        for index, value in enumerate(node.outputs):
            spec = self.signature.output_at(index)
            type_ = None if spec is None else spec.pattern.fill(bound)
            if type_ is None and value is not None and isinstance(value.type, TensorType):
                type_ = TensorType(value.type.element)
            defaults.append(type_)
        if any(attribute.ref for attribute in node.attributes.values()):
            return defaults
        attributes = {name: spec.read(node) for name, spec in self.signature.attributes.items()}
        if self._inference is not None:
            return self._call_inference(node, types, attributes, defaults)
        if self._rule is None:
            return defaults
        shapes = {
            i: t.shape if isinstance(t, TensorType) else None
            for i, (t, value) in enumerate(zip(types, node.inputs, strict=False))
            if value is not None
        }
        try:
            found = self._rule(shapes, attributes)
        except ShapeMismatch as error:
            raise InvalidGraph(f"{node.where()}: {error}") from error
        return [
            TensorType(t.element, s) if isinstance(t, TensorType) else t for t, s in zip(defaults, found, strict=False)
        ]

    def _call_inference(
        self,
        node: Node,
        types: Sequence[ValueType | None],
        attributes: Mapping[str, Any],
        defaults: list[ValueType | None],
    ) -> Sequence[ValueType | None]:
        function, (count, names) = self._inference, self._inference_takes
        inputs: list[InputInfo | None] = [
            None if value is None else InputInfo(type_, value) for type_, value in zip(types, node.inputs, strict=False)
        ]
        inputs += [None] * (len(self.signature.inputs) - self.signature.is_variadic - len(inputs))
        given = {name: value for name, value in attributes.items() if names is None or name in names}
        where = node.where()
        try:
            result = function(*inputs[:count], **given)  # type: ignore[misc]
        except NotKnown:
            return defaults
        except OrtError:
            raise
        except Exception as error:
            raise Fail(f"{where}: its inference function raised {type(error).__name__}: {error}") from error
        return read_result(result, defaults, is_single=self.signature.is_single, where=where)

    def bind(self, request: KernelRequest) -> Kernel:
        """The function, or a new instance of the class, with the node's attributes.

        Raises:
            InvalidGraph: the node does not fit.
            Fail: the class's constructor raised.
        """
        node, signature = request.node, self.signature
        types = [None if v is None else v.type for v in node.inputs]
        inferred = self.infer(node, types)
        outputs = [
            Expected(
                "" if v is None else v.name, _merged(None if v is None else v.type, t), v is not None, s and s.pattern
            )
            for v, t, s in zip(node.outputs, inferred, map(signature.output_at, itertools.count()), strict=False)
        ]
        settings = {name: spec.read(node) for name, spec in signature.attributes.items() if name in node.attributes}
        if signature.node_parameter is not None:
            settings[signature.node_parameter] = self._node_info(request, types)
        site = Site(node.where(), _place(self.function), is_on_host=self.device_type == "cpu")
        function: Callable[..., Any] = self.function
        if self.is_class:
            function, settings = self._instance(settings, site), {}
        kernel = make_kernel(
            function,
            [ABSENT if v is None else t for v, t in zip(node.inputs, types, strict=True)],
            settings,
            outputs,
            site,
            patterns=[s and s.pattern for s in map(signature.input_at, range(len(types)))],
            is_single=signature.is_single,
            writable=self.writable_inputs,
        )
        return Kernel(kernel)

    def _instance(self, settings: Mapping[str, Any], site: Site) -> Callable[..., Any]:
        try:
            instance: Any = self.function(**settings)  # type: ignore[call-arg]
        except OrtError:
            raise
        except Exception as error:
            raise Fail(f"{site} could not be made: {type(error).__name__}: {error}") from error
        call: Callable[..., Any] = instance.__call__
        return call

    def _node_info(self, request: KernelRequest, types: Sequence[ValueType | None]) -> NodeInfo:
        node = request.node
        constants = {}
        for index, value in request.constants.items():
            spec = self.signature.input_at(index)
            if spec is not None:
                first = len(self.signature.inputs) - 1
                constants[f"{spec.name}_{index - first}" if spec.is_variadic else spec.name] = value
        return NodeInfo(node.name, len(node.outputs), tuple(types), constants, request.config)


def _merged(known: ValueType | None, inferred: ValueType | None) -> ValueType | None:
    """The more precise of the graph's type and the operator's."""
    if isinstance(known, TensorType) and isinstance(inferred, TensorType):
        return TensorType(known.element, merge_shapes(known.shape, inferred.shape))
    return inferred if known is None else known


def _place(function: Callable[..., Any]) -> str:
    """The author's function as messages name it: `scale() (ops.py, line 12)`."""
    code = getattr(function.__call__ if inspect.isclass(function) else inspect.unwrap(function), "__code__", None)
    name = function.__qualname__.rpartition("<locals>.")[2]
    return f"{name}()" if code is None else f"{name}() ({PurePath(code.co_filename).name}, line {code.co_firstlineno})"


def _lookup(module: str, name: str) -> Any:
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _operator_of(owner: Any) -> Any:
    return owner.__ort_custom_op__


def _restore(
    function: Callable[..., Any],
    signature: Signature,
    domain: str,
    name: str,
    options: Mapping[str, Any],
    inference: Callable[..., Any] | None,
) -> Operator[..., Any]:
    operator: Operator[..., Any] = Operator(function, signature, domain, name, **options)
    if inference is not None:
        operator.infer_types(inference)
    return operator
