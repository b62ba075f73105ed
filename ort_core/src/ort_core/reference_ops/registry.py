"""Finds our own kernels, importing only the family that has the operator asked for."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import pkgutil
import re
from collections.abc import Iterator, Mapping

from ort_core.providers.kernel import KernelSpec, collect_kernels

_PACKAGE = "ort_core.reference_ops.kernels"
_DECLARATION = re.compile(r'^@kernel\("(\w+)"', re.MULTILINE)


def find_kernel(op_type: str, domain: str) -> KernelSpec | None:
    """Our kernel for an operator, or None."""
    module = _modules_by_operator().get(op_type)
    return None if module is None else _kernels_of(module).get((domain, op_type))


def all_kernels() -> Mapping[tuple[str, str], KernelSpec]:
    """Every kernel of ours by (domain, op_type)."""
    return collect_kernels([importlib.import_module(_PACKAGE)])


@functools.cache
def _kernels_of(module: str) -> Mapping[tuple[str, str], KernelSpec]:
    return collect_kernels([importlib.import_module(module)])


@functools.cache
def _modules_by_operator() -> Mapping[str, str]:
    """The module of each operator, read from the source text: importing all modules takes longer than loading a model."""
    found: dict[str, str] = {}
    for name in _family_modules():
        source = _source(name)
        operators = _DECLARATION.findall(source) if source is not None else [op for _, op in _kernels_of(name)]
        found.update(dict.fromkeys(operators, name))
    return found


def _family_modules() -> Iterator[str]:
    package = importlib.import_module(_PACKAGE)
    for info in pkgutil.iter_modules(package.__path__, _PACKAGE + "."):
        yield info.name


def _source(name: str) -> str | None:
    spec = importlib.util.find_spec(name)
    loader = None if spec is None else spec.loader
    get_source = getattr(loader, "get_source", None)
    try:
        return get_source(name) if get_source is not None else None
    except (ImportError, OSError):
        return None
