"""Where the custom operators of a session come from: its options, hooks, installed packages, compiled libraries."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ort_core.custom_ops.catalog import CustomOps, operators_of
from ort_core.custom_ops.spec import CustomOp
from ort_core.errors import Fail, OrtError
from ort_core.providers import discovery, hooks
from ort_core.providers.entry_points import CUSTOM_OP_LIBRARIES, CUSTOM_OPS, EntryPoint
from ort_core.providers.loading import load_object

if TYPE_CHECKING:
    from ort_core.ir.graph import Model

LIBRARY_HOST = "onnxruntime"
"""The entry point of what loads ONNX Runtime's libraries of custom operators."""

_loaded: dict[EntryPoint, tuple[CustomOp, ...]] = {}


def custom_ops_of(model: Model, registered: Sequence[CustomOp]) -> CustomOps:
    """What a model may call: the operators registered for its session, then those of hooks, then those that installed packages
    publish for the domains that it uses.
    """
    domains = {node.domain for graph in model.graphs() for node in graph.nodes}
    return CustomOps((*registered, *published_ops(domains)), model.original_opsets or model.opset_imports)


def published_ops(domains: Collection[str]) -> Iterator[CustomOp]:
    """The operators of hooks, and those of packages that have an entry point for one of the domains.

    Raises:
        Fail: such a package cannot be loaded, or holds no operators.
    """
    for distribution, source in hooks.custom_ops():
        try:
            yield from (op for op in operators_of(source) if op.domain in domains)
        except TypeError as error:
            raise Fail(f"a hook of {distribution} registers no custom operators: {error}") from error
    for entry in discovery.entries(CUSTOM_OPS):
        if entry.name in domains:
            if entry not in _loaded:
                _loaded[entry] = _load(entry)
            yield from _loaded[entry]


def load_library(path: str, config: Mapping[str, str]) -> Sequence[CustomOp]:
    """The operators of a compiled library, by the package that hosts such libraries.

    Args:
        config: the configuration entries of the session options that it is registered with.

    Raises:
        NotImplemented: no such package is installed.
        Fail: the library cannot be used.
    """
    from ort_core.errors import NotImplemented as NotImplementedHere

    entry = next((e for e in discovery.entries(CUSTOM_OP_LIBRARIES) if e.name == LIBRARY_HOST), None)
    if entry is None:
        raise NotImplementedHere(
            f"cannot load the custom-op library {path!r}: the package 'ort-custom-ops' is not installed. "
            "Install it with: pip install ort-custom-ops"
        )
    found: Sequence[CustomOp] = _object(entry)(path, config)
    return found


def _load(entry: EntryPoint) -> tuple[CustomOp, ...]:
    try:
        found = tuple(operators_of(_object(entry)))
    except (TypeError, OrtError) as error:
        raise Fail(f"the entry point '{entry.name}' of {entry} publishes no custom operators: {error}") from error
    if all(op.domain != entry.name for op in found):
        domains = ", ".join(sorted({op.domain for op in found}))
        raise Fail(
            f"the entry point '{entry.name}' of {entry} publishes operators of the domain {domains} only. "
            "Name it after its domain."
        )
    return found


def _object(entry: EntryPoint) -> Any:
    try:
        return load_object(entry)
    except (KeyboardInterrupt, OrtError):
        raise
    except BaseException as error:
        raise Fail(
            f"the custom operators '{entry.name}' ({entry}) cannot be loaded: {type(error).__name__}: {error}. "
            f"Reinstall or remove the package {entry.distribution}."
        ) from error
