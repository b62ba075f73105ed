"""The signature of an operator, read once from a Python function or class."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args, get_origin

from ort_core.errors import InvalidArgument
from ort_custom_ops.annotation_reader import read_pattern, resolved, without_none
from ort_custom_ops.attributes import MISSING, AttributeSpec, read_attribute
from ort_custom_ops.node_info import NodeInfo
from ort_custom_ops.patterns import Pattern


class InputSpec(NamedTuple):
    """A formal input: whether a node may leave it out, and whether it stands for any number of inputs."""

    name: str
    pattern: Pattern
    is_optional: bool = False
    is_variadic: bool = False


class OutputSpec(NamedTuple):
    """A formal output, by number if it has no name."""

    name: str
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs, outputs and attributes of an operator.

    Attributes:
        is_single: whether the function returns one value, not a tuple.
        is_variadic: whether the last input stands for any number of inputs.
        has_variadic_outputs: whether the only formal output stands for any number of outputs.
        node_parameter: the keyword that gets the `NodeInfo`, if one asks for it.
    """

    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    attributes: Mapping[str, AttributeSpec]
    is_single: bool
    has_variadic_outputs: bool
    node_parameter: str | None

    @property
    def is_variadic(self) -> bool:
        """Whether the last input repeats."""
        return bool(self.inputs) and self.inputs[-1].is_variadic

    @property
    def min_inputs(self) -> int:
        """The index after the last input that a node cannot leave out."""
        return max((i + 1 for i, s in enumerate(self.inputs) if not s.is_optional and not s.is_variadic), default=0)

    def input_at(self, index: int) -> InputSpec | None:
        """The formal input of a node's input; None if there is none."""
        if index < len(self.inputs):
            return self.inputs[index]
        return self.inputs[-1] if self.is_variadic else None

    def output_at(self, index: int) -> OutputSpec | None:
        """The formal output of a node's output; None if there is none."""
        if self.has_variadic_outputs:
            return self.outputs[0]
        return self.outputs[index] if index < len(self.outputs) else None

    def __str__(self) -> str:
        parts = [
            f"{'*' if s.is_variadic else ''}{s.name}: {s.pattern}{' | None = None' if s.is_optional else ''}"
            for s in self.inputs
        ]
        if self.attributes and not self.is_variadic:
            parts.append("*")
        parts += [f"{a.name}: {a}{'' if a.is_required else f' = {a.default!r}'}" for a in self.attributes.values()]
        results = ", ".join(f"{s.name}: {s.pattern}" for s in self.outputs)
        return f"({', '.join(parts)}) -> ({results}{', ...' if self.has_variadic_outputs else ''})"


def read_signature(target: Callable[..., Any], names: Mapping[str, Any]) -> Signature:
    """The signature of a function, or of a class: attributes from its constructor, inputs and outputs from `__call__`.

    Args:
        names: what annotations may refer to besides the module's own names.

    Raises:
        InvalidArgument: an annotation is missing or stands for nothing that ONNX has.
    """
    where = f"operator {target.__qualname__}"
    if inspect.isclass(target):
        call: Callable[..., Any] = target.__call__
        if "__call__" not in dir(target) or call is type.__call__:
            raise InvalidArgument(f"{where}: the class has no __call__(self, inputs...). Add it.")
        settings = _settings(target, names)
        arguments = _parameters(call, names)[1:]
    else:
        call = target
        arguments = settings = _parameters(target, names)
    attributes, node_parameter = _read_attributes(settings, where, is_class=inspect.isclass(target))
    keyword = [p for p in arguments if p.kind is p.KEYWORD_ONLY]
    if keyword and arguments is not settings:
        raise InvalidArgument(f"{where}: __call__ takes inputs only; move '{keyword[0].name}' to the constructor")
    inputs = tuple(_read_input(p, where) for p in arguments if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD))
    outputs, is_single, repeats = _read_outputs(_hints(call, names).get("return", MISSING), names, where)
    return Signature(inputs, outputs, attributes, is_single, repeats, node_parameter)


def _settings(target: type, names: Mapping[str, Any]) -> list[inspect.Parameter]:
    """The parameters of the constructor; those of a data class with the values that its default factories make."""
    initializer = target.__init__  # type: ignore[misc]
    if initializer is object.__init__:
        return []
    fields = dataclasses.fields(target) if dataclasses.is_dataclass(target) else ()
    made = {f.name: f.default_factory() for f in fields if f.default_factory is not dataclasses.MISSING}
    return [p.replace(default=made.get(p.name, p.default)) for p in _parameters(initializer, names)[1:]]


def _hints(function: Callable[..., Any], names: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, localns=dict(names), include_extras=True)
    except NameError as error:
        raise InvalidArgument(
            f"operator {function.__qualname__}: {error} in its annotations. Import the name at run time, not only under "
            "TYPE_CHECKING."
        ) from error


def _parameters(function: Callable[..., Any], names: Mapping[str, Any]) -> list[inspect.Parameter]:
    hints = _hints(function, names)
    return [p.replace(annotation=hints.get(p.name, MISSING)) for p in inspect.signature(function).parameters.values()]


def _read_attributes(
    parameters: list[inspect.Parameter], where: str, *, is_class: bool
) -> tuple[dict[str, AttributeSpec], str | None]:
    found: dict[str, AttributeSpec] = {}
    node_parameter = None
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            raise InvalidArgument(f"{where}: attributes are declared one by one, **{parameter.name} cannot be one")
        if parameter.kind is not parameter.KEYWORD_ONLY:
            if is_class:
                raise InvalidArgument(
                    f"{where}: '{parameter.name}' of the constructor is not keyword-only. Attributes come after a '*'."
                )
            continue
        if without_none(parameter.annotation)[0] is NodeInfo:
            node_parameter = parameter.name
        else:
            found[parameter.name] = read_attribute(parameter, parameter.annotation, where)
    return found, node_parameter


def _read_input(parameter: inspect.Parameter, where: str) -> InputSpec:
    name = parameter.name
    if parameter.annotation is MISSING:
        raise InvalidArgument(f"{where}: input '{name}' has no annotation. Use Tensor for a tensor of any type.")
    if parameter.default is not MISSING and parameter.default is not None:
        raise InvalidArgument(
            f"{where}: input '{name}' has the default {parameter.default!r}. An input's default can only be None; a setting "
            "of the node is an attribute: put it after a '*'."
        )
    annotation, has_none = without_none(parameter.annotation)
    pattern = read_pattern(annotation, f"{where}: input '{name}'")
    is_variadic = parameter.kind is parameter.VAR_POSITIONAL
    return InputSpec(name, pattern, not is_variadic and (has_none or parameter.default is None), is_variadic)


def _read_outputs(annotation: Any, names: Mapping[str, Any], where: str) -> tuple[tuple[OutputSpec, ...], bool, bool]:
    """The outputs, whether the function returns one value, and whether the one output stands for many."""
    annotation = resolved(annotation)
    if annotation in (MISSING, None, type(None)):
        raise InvalidArgument(
            f"{where} does not say what it returns. Annotate it: a type of ort_custom_ops, or tuple[...] of them."
        )
    fields = getattr(annotation, "_fields", None)
    if fields is not None and isinstance(annotation, type) and issubclass(annotation, tuple):
        hints = typing.get_type_hints(annotation, localns=dict(names), include_extras=True)
        named = [OutputSpec(f, read_pattern(hints[f], f"{where}: output '{f}'")) for f in fields]
        return tuple(named), False, False
    if get_origin(annotation) is not tuple:
        return (OutputSpec("output", read_pattern(annotation, f"{where}: the result")),), True, False
    arguments = get_args(annotation)
    repeats = len(arguments) == 2 and arguments[1] is ...
    outputs = tuple(
        OutputSpec(f"output{i}", read_pattern(without_none(a)[0], f"{where}: output {i}"))
        for i, a in enumerate(arguments[:1] if repeats else arguments)
    )
    return outputs, False, repeats
