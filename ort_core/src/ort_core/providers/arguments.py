"""The `providers` and `provider_options` arguments: their checks, their form on command lines, and warnings that point at the
caller's line.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ort_core.errors import InvalidArgument


def normalize_arguments(
    providers: Sequence[str | tuple[str, Mapping[str, Any]]] | None,
    provider_options: Sequence[Mapping[str, Any]] | None,
) -> dict[str, dict[str, Any]]:
    """Names with their options, in order; a second entry of one name is ignored with a warning.

    Raises:
        InvalidArgument: the arguments are malformed.
    """
    if providers is None:
        return {}
    if isinstance(providers, str | bytes) or not isinstance(providers, Sequence):
        example = f" Write providers=[{providers!r}]." if isinstance(providers, str) else ""
        raise InvalidArgument(f"'providers': got {providers!r}, expected a sequence of names.{example}")
    pairs = _pairs(providers) if provider_options is None else _zipped(providers, provider_options)
    found: dict[str, dict[str, Any]] = {}
    for name, options in pairs:
        if name in found:
            warn_caller(f"Duplicate provider {name!r}: only its first entry counts.")
        else:
            found[name] = {str(key): value for key, value in options.items()}
    return found


def parse_provider(text: str) -> tuple[str, dict[str, str]]:
    """Name and options of `NAME:key=value,key=value`; a piece without `=` continues the value before it.

    Raises:
        InvalidArgument: there is no name, or an option has no key.
    """
    name, _, rest = text.partition(":")
    if not name:
        raise InvalidArgument(f"{text!r} has no name. Write NAME or NAME:key=value,key=value.")
    options: dict[str, str] = {}
    last = ""
    for piece in rest.split(",") if rest else []:
        key, equals, value = piece.partition("=")
        if equals and key and key not in options:
            options[key], last = value, key
        elif not equals and last:
            options[last] += f",{piece}"
        else:
            problem = "appears twice" if key in options else "is not key=value"
            raise InvalidArgument(f"{text!r}: option {piece!r} {problem}. Write NAME:key=value,key=value.")
    return name, options


def _pairs(providers: Sequence[Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    for item in providers:
        if isinstance(item, str):
            yield item, {}
        elif isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) and isinstance(item[1], Mapping):
            yield item
        else:
            raise InvalidArgument(
                f"'providers': got the entry {item!r}, expected a name or a tuple (name, options dict)."
            )


def _zipped(providers: Sequence[Any], options: Any) -> Iterable[tuple[str, Mapping[str, Any]]]:
    if isinstance(options, str | bytes) or not isinstance(options, Sequence):
        raise InvalidArgument(f"'provider_options': got {options!r}, expected a sequence with one dict per provider.")
    if len(providers) != len(options):
        raise InvalidArgument(
            f"'providers' has {len(providers)} entries and 'provider_options' {len(options)}; they must have the same length."
        )
    for item in providers:
        if not isinstance(item, str):
            raise InvalidArgument(
                f"'providers': got the entry {item!r} beside 'provider_options', expected names only. Give the options of "
                "all providers in one of the two arguments."
            )
    for entry in options:
        if not isinstance(entry, Mapping):
            raise InvalidArgument(f"'provider_options': got the entry {entry!r}, expected a dict.")
    return zip(providers, options, strict=True)


def warn_caller(text: str) -> None:
    """Warns at the line of the application that called into this package."""
    package = os.path.dirname(os.path.dirname(__file__)) + os.sep
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, UserWarning, stacklevel=level)
