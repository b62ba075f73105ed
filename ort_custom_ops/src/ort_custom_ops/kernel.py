"""One node's kernel: guards the inputs, calls the author's function, and checks the results.

The kernel is a function written for its node: what is known about the inputs and outputs costs nothing in a call.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import CodeType
from typing import Any

import numpy as np

from ort_core.errors import OrtError
from ort_core.ir.types import ElementType, TensorType, ValueType
from ort_custom_ops.patterns import Pattern
from ort_custom_ops.results import Expected, Site, checked, dims_check, failure, taken, wrong_count

ABSENT = object()
"""Stands for the type of an input that the node leaves out."""


def make_kernel(
    function: Callable[..., Any],
    inputs: Sequence[Any],
    settings: Mapping[str, Any],
    outputs: Sequence[Expected],
    site: Site,
    *,
    is_single: bool,
    patterns: Sequence[Pattern | None] = (),
    writable: bool = False,
) -> Callable[..., Any]:
    """The kernel of a node: called with the inputs, of which trailing absent ones may be left out.

    Args:
        function: the author's function.
        inputs: the types of the node's inputs, None where one is unknown, `ABSENT` for an absent one.
        settings: keyword arguments of the function, by names that it has.
        outputs: of the node; trailing ones of the operator may be missing.
        patterns: what the signature allows of each input, for those whose type is unknown.
        is_single: whether the function returns one value, not a tuple.
        writable: whether the function gets copies of its inputs instead of read-only views.
    """
    namespace: dict[str, Any] = {
        "function": function,
        "site": site,
        "outputs": outputs,
        "ndarray": np.ndarray,
        "guarded": _copied if writable else _guarded,
        "OrtError": OrtError,
        "checked": checked,
        "failure": failure,
        "patterns": patterns,
        "taken": taken,
        "wrong_count": wrong_count,
        **{f"setting_{name}": value for name, value in settings.items()},
    }
    lines = [f"def kernel({_parameters(inputs)}):"]
    if site.is_on_host:
        lines += _guards(inputs, writable=writable)
    names = [f"x{i}" for i in range(len(inputs))]
    result = "y0" if is_single else "results"
    lines += [
        "    try:",
        f"        {result} = function({', '.join([*names, *(f'{name}=setting_{name}' for name in settings)])})",
        "    except OrtError:",
        "        raise",
        "    except Exception as error:",
        f"        raise failure(site, [{', '.join(names)}], error) from error",
    ]
    count = len(outputs)
    targets = ", ".join(f"y{i}" for i in range(count))
    if not is_single:
        lines += [
            f"    if not isinstance(results, tuple) or len(results) < {count}:",
            "        raise wrong_count(results, outputs, site)",
        ]
    if not is_single and count:
        lines.append(
            f"    {targets}{',' if count == 1 else ''} = results if len(results) == {count} else results[:{count}]"
        )
    for index, expected in enumerate(outputs):
        condition = _condition(index, expected.type, namespace) if site.is_on_host else "False"
        lines += [
            f"    if not ({condition}):",
            f"        y{index} = checked(y{index}, outputs[{index}], {index}, site)",
        ]
    lines.append(f"    return {targets or '()'}")
    exec(_compiled("\n".join(lines)), namespace)
    kernel: Callable[..., Any] = namespace["kernel"]
    return kernel


@functools.lru_cache(maxsize=1024)
def _compiled(source: str) -> CodeType:
    return compile(source, "<kernel of a custom operator>", "exec")


def _parameters(inputs: Sequence[Any]) -> str:
    present = max((i + 1 for i, type_ in enumerate(inputs) if type_ is not ABSENT), default=0)
    return ", ".join(f"x{i}" if i < present else f"x{i}=None" for i in range(len(inputs)))


def _guards(inputs: Sequence[Any], *, writable: bool) -> Iterator[str]:
    for index, type_ in enumerate(inputs):
        if isinstance(type_, TensorType) and not writable:
            # The positional form takes half the time of the keyword.
            yield f"    x{index} = x{index}.view(); x{index}.setflags(False)"
        elif type_ is None:
            yield f"    x{index} = guarded(taken(x{index}, patterns[{index}], {index}, site))"
        elif type_ is not ABSENT:
            yield f"    x{index} = guarded(x{index})"


def _condition(index: int, type_: ValueType | None, namespace: dict[str, Any]) -> str:
    """An expression for whether an output is of its type as it is; false where that takes a closer look."""
    if not isinstance(type_, TensorType) or type_.element is ElementType.STRING:
        return "False"
    y = f"y{index}"
    terms = [f"{y}.__class__ is ndarray", f"{y}.dtype is dtype{index}", f"{y}.flags.c_contiguous"]
    namespace[f"dtype{index}"] = type_.element.dtype
    if type_.shape is not None and all(isinstance(d, int) for d in type_.shape):
        terms.append(f"{y}.shape == shape{index}")
        namespace[f"shape{index}"] = type_.shape
    elif type_.shape is not None and not any(isinstance(d, int) for d in type_.shape):
        terms.append(f"{y}.ndim == {len(type_.shape)}")
    elif type_.shape is not None:
        terms.append(f"fits{index}({y}.shape)")
        namespace[f"fits{index}"] = dims_check(type_.shape)
    return " and ".join(terms)


def _guarded(value: Any) -> Any:
    """A read-only view of an array, or a list of such; anything else as it is."""
    if isinstance(value, list):
        return [_guarded(item) for item in value]
    if value.__class__ is np.ndarray:
        value = value.view()
        value.setflags(write=False)
    return value


def _copied(value: Any) -> Any:
    """A copy of an array, or a list of such."""
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value.copy() if isinstance(value, np.ndarray) else value
