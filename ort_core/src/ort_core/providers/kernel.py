"""The kernel decorator: one decorated function or class is one operator's kernel.

A function kernel takes the inputs positionally (None for an absent optional one) and the attributes as keyword-only
parameters under their ONNX names and defaults. If its first parameter is named `ctx` it gets a `KernelContext`. It returns
one array, or a tuple with one value per output::

    @kernel("Gemm", types={"T": FLOATS})
    def gemm(a, b, c=None, *, alpha=1.0, beta=1.0, transA=0, transB=0):
        ...

A class kernel has `prepare(node, ctx, **attributes)`, called once at compile time, and `run(inputs...)`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from ort_core.ir.attributes import AttributeKind
from ort_core.ir.graph import Node, Value
from ort_core.ir.types import ElementType, TensorType

if TYPE_CHECKING:
    from ort_core.providers.spec import CompileContext
    from ort_core.values import RuntimeValue

F = TypeVar("F", bound=Callable[..., Any])

FLOATS = frozenset({ElementType.FLOAT16, ElementType.FLOAT, ElementType.DOUBLE})
SIGNED = frozenset({ElementType.INT8, ElementType.INT16, ElementType.INT32, ElementType.INT64})
UNSIGNED = frozenset({ElementType.UINT8, ElementType.UINT16, ElementType.UINT32, ElementType.UINT64})
INTEGERS = SIGNED | UNSIGNED
NUMBERS = FLOATS | INTEGERS
_ANY = frozenset(ElementType)


class KernelContext(Protocol):
    """What a kernel whose first parameter is `ctx` may use."""

    node: Node

    def output(self, index: int, element: ElementType, shape: Sequence[int]) -> RuntimeValue:
        """Memory for output `index`: the buffer that the caller bound, where there is one."""

    def wants(self, index: int) -> bool:
        """Whether the node has output `index` and anybody uses it."""

    def check(self) -> None:
        """Raises when the run was terminated: call it now and then in a long kernel."""


class BoundKernel(NamedTuple):
    """A kernel with one node's attributes: called as `call(*inputs)`, after a context if `needs_context`."""

    call: Callable[..., Any]
    needs_context: bool = False


@dataclass(frozen=True, slots=True)
class KernelSpec:
    """A declared kernel, as the decorator records it.

    Attributes:
        types: allowed element types by ONNX type constraint (`T`) or by parameter name.
        min_inputs, max_inputs: how many inputs it takes; no maximum is None.
        attributes: the names it knows; None when it takes any (`**attributes`).
        required: the attributes without a default.
    """

    op_type: str
    domain: str
    types: Mapping[str, frozenset[ElementType]]
    implementation: Callable[..., Any]
    needs_context: bool
    parameters: tuple[str, ...]
    min_inputs: int
    max_inputs: int | None
    attributes: frozenset[str] | None
    required: frozenset[str]

    def decline_reason(self, node: Node, schema: Any) -> str | None:
        """Why the kernel cannot run `node`, or None if it can; `schema` is the operator's ONNX schema, if it has one."""
        count = len(present_inputs(node))
        if len(node.inputs) < self.min_inputs or (self.max_inputs is not None and count > self.max_inputs):
            return f"kernel takes {self._arity()} inputs, the node has {count}"
        absent = [p for p, v in zip(self.parameters, node.inputs[: self.min_inputs], strict=False) if v is None]
        if absent:
            return f"kernel needs the optional input '{absent[0]}'"
        if self.attributes is not None and (unknown := node.attributes.keys() - self.attributes):
            return f"kernel does not know the attribute '{min(unknown)}'"
        if missing := self.required - node.attributes.keys():
            return f"required attribute '{min(missing)}' is missing"
        return self._type_reason(node, schema)

    def _arity(self) -> str:
        if self.max_inputs == self.min_inputs:
            return str(self.min_inputs)
        return (
            f"{self.min_inputs} to {self.max_inputs}" if self.max_inputs is not None else f"at least {self.min_inputs}"
        )

    def _type_reason(self, node: Node, schema: Any) -> str | None:
        if not self.types:
            return None
        inputs, outputs = _constraints(schema) if schema is not None else ((), ())
        if schema is not None and (strange := self.types.keys() - {*inputs, *outputs, *self.parameters}):
            raise TypeError(
                f"kernel {self.implementation.__qualname__} names the type '{min(strange)}', but {node.label} has the "
                f"constraints {', '.join(dict.fromkeys(inputs + outputs))} and the kernel the parameters "
                f"{', '.join(self.parameters)}"
            )
        for index, value in enumerate(node.inputs):
            names = (_repeating(inputs, index), _repeating(self.parameters, index))
            name = next((n for n in names if n in self.types), None)
            if value is None or name is None:
                continue
            if not isinstance(value.type, TensorType):
                return f"type of input '{value.name}' ({name}) is not known"
            if value.type.element not in self.types[name]:
                return self._got(name, value.type.element)
        for index, value in enumerate(node.outputs):
            name = _repeating(outputs, index)
            if value is not None and value.element is not None and value.element not in self.types.get(name, _ANY):
                return self._got(name, value.element)
        return None

    def _got(self, name: str, element: ElementType) -> str:
        have = ", ".join(sorted(t.onnx_name for t in self.types[name]))
        return f"got {name}={element.onnx_name}, have {{{have}}}"

    def bind(self, node: Node, ctx: CompileContext) -> BoundKernel:
        """The kernel with the attributes of `node`."""
        attributes = {name: _python_value(node, name) for name in node.attributes}
        if inspect.isclass(self.implementation):
            instance: Any = self.implementation()
            instance.prepare(node, ctx, **attributes)
            return BoundKernel(instance.run, self.needs_context)
        call = functools.partial(self.implementation, **attributes) if attributes else self.implementation
        return BoundKernel(call, self.needs_context)


def kernel(
    op_type: str, *, domain: str = "", types: Mapping[str, Collection[ElementType]] | None = None
) -> Callable[[F], F]:
    """Declares a function or class as the kernel of an operator; it stays directly callable.

    Args:
        types: element types that it takes, by the operator's type constraint or by parameter name; others are declined.
    """
    domain = "" if domain == "ai.onnx" else domain

    def decorate(implementation: F) -> F:
        spec = _make_spec(implementation, op_type, domain, {k: frozenset(v) for k, v in (types or {}).items()})
        implementation.__ort_kernels__ = (*_declared(implementation), spec)  # type: ignore[attr-defined]
        return implementation

    return decorate


def collect_kernels(sources: Iterable[ModuleType]) -> dict[tuple[str, str], KernelSpec]:
    """The kernels declared in modules, and in all modules of packages, by (domain, op_type).

    Raises:
        ValueError: two kernels for one operator.
    """
    found: dict[tuple[str, str], KernelSpec] = {}
    for module in _modules(sources):
        for item in list(vars(module).values()):
            for spec in _declared(item) if callable(item) else ():
                known = found.setdefault((spec.domain, spec.op_type), spec)
                if known is not spec:
                    raise ValueError(
                        f"two kernels for {spec.domain or 'ai.onnx'}::{spec.op_type}: "
                        f"{known.implementation.__qualname__} and {spec.implementation.__qualname__}"
                    )
    return found


def _modules(sources: Iterable[ModuleType]) -> Iterator[ModuleType]:
    import importlib
    import pkgutil

    for source in sources:
        yield source
        for info in pkgutil.walk_packages(getattr(source, "__path__", ()), source.__name__ + "."):
            yield importlib.import_module(info.name)


def _make_spec(
    implementation: Callable[..., Any], op_type: str, domain: str, types: Mapping[str, frozenset[ElementType]]
) -> KernelSpec:
    is_class = inspect.isclass(implementation)
    call = getattr(implementation, "run", None) if is_class else implementation
    configure = getattr(implementation, "prepare", None) if is_class else implementation
    if call is None or configure is None:
        raise TypeError(
            f"kernel class {implementation.__qualname__} needs the methods prepare(node, ctx, ...) and run(...)"
        )
    parameters = list(inspect.signature(call).parameters.values())[1 if is_class else 0 :]
    needs_context = bool(parameters) and parameters[0].name == "ctx"
    positional = [p for p in parameters[needs_context:] if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    variadic = [p for p in parameters if p.kind is p.VAR_POSITIONAL]
    settings = list(inspect.signature(configure).parameters.values())
    named = [p for p in settings if p.kind is p.KEYWORD_ONLY]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in settings)
    return KernelSpec(
        op_type=op_type,
        domain=domain,
        types=types,
        implementation=implementation,
        needs_context=needs_context,
        parameters=tuple(p.name for p in positional + variadic),
        min_inputs=sum(p.default is p.empty for p in positional),
        max_inputs=None if variadic else len(positional),
        attributes=None if takes_any else frozenset(p.name for p in named),
        required=frozenset(p.name for p in named if p.default is p.empty),
    )


def _declared(implementation: Any) -> tuple[KernelSpec, ...]:
    """The kernels that the object itself declares, not what a base class or a proxy answers."""
    found: tuple[KernelSpec, ...] = getattr(implementation, "__dict__", {}).get("__ort_kernels__", ())
    return found


@functools.cache
def _constraints(schema: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The type constraints of the formal inputs and outputs."""
    return tuple(i.type_str for i in schema.inputs), tuple(o.type_str for o in schema.outputs)


def _repeating(names: tuple[str, ...], index: int) -> str:
    """The name at `index`; the last one stands for all that follow, as a variadic one does."""
    return names[min(index, len(names) - 1)] if names else ""


def present_inputs(node: Node) -> tuple[Value | None, ...]:
    """The inputs without absent ones at the end."""
    inputs = node.inputs
    count = len(inputs)
    while count and inputs[count - 1] is None:
        count -= 1
    return inputs[:count]


def _python_value(node: Node, name: str) -> Any:
    """An attribute as a kernel gets it: tensors as arrays, lists as tuples, strings decoded."""
    value = node.attr(name)
    if node.attributes[name].kind is AttributeKind.TENSORS:
        return tuple(item.array() for item in value)
    return value.array() if hasattr(value, "array") else value
