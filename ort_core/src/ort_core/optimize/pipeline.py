"""Runs the graph passes of a level, round after round, until nothing changes."""

from __future__ import annotations

import functools
import importlib
import os
import pkgutil
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from ort_core.errors import Fail, OrtError
from ort_core.infer.refine import is_vague
from ort_core.infer.shapes import infer_types
from ort_core.ir.graph import Graph, Model
from ort_core.ir.passes import Level, Pass, PassContext
from ort_core.ir.rewrite import check_invariants
from ort_core.log import logger_of
from ort_core.optimize.determinism import DOMAINS

if TYPE_CHECKING:
    from ort_core.infer.custom import CustomInference

logger = logger_of("ort_core.optimize")

MAX_ROUNDS = 10
_MAX_INFERENCES = 3
_DEFAULT_ORDER = 50

ONNXRUNTIME_NAMES = {
    "CastElimination": ("eliminate_noop",),
    "CastChainElimination": ("merge_casts",),
    "CommonSubexpressionElimination": ("eliminate_duplicate",),
    "ConstantFolding": ("fold_constants", "simplify_shapes"),
    "ConstantSharing": ("eliminate_duplicate",),
    "EliminateDropout": ("eliminate_noop",),
    "EliminateIdentity": ("eliminate_identity",),
    "EliminateSlice": ("eliminate_noop",),
    "ExpandElimination": ("eliminate_noop",),
    "NoopElimination": ("eliminate_noop",),
    "ReshapeFusion": ("merge_reshapes", "simplify_shapes"),
    "ShapeInputMerge": ("simplify_shapes",),
    "TransposeOptimizer": ("merge_transposes",),
    "UnsqueezeElimination": ("merge_unsqueezes",),
}
"""ONNX Runtime's optimizer names and the passes here that do their work."""


@functools.cache
def find_passes() -> tuple[Pass, ...]:
    """The passes declared in the modules of `ort_core.optimize.passes`, in their order."""
    from ort_core.optimize import passes as package

    found: dict[str, Pass] = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        declared = getattr(module, info.name, None)
        if declared is None or not callable(declared) or not hasattr(declared, "level"):
            raise Fail(f"{module.__name__} declares no graph pass named '{info.name}'. Decorate one with @graph_pass.")
        found[info.name] = declared
    return tuple(sorted(found.values(), key=_order))


def _order(item: Pass) -> tuple[int, str]:
    return getattr(item, "order", _DEFAULT_ORDER), item.name


def optimize(
    model: Model,
    level: Level,
    ctx: PassContext,
    *,
    extra: Sequence[Pass] = (),
    disabled: Collection[str] = (),
    custom: CustomInference | None = None,
) -> None:
    """Optimises the main graph, its subgraphs and the bodies of functions in place, after `infer_types`.

    Results do not change by a bit, in so far as `ctx.evaluate` computes what the provider would.

    Args:
        level: the passes of this level and below run; none at `DISABLE_ALL`.
        extra: passes of plugins, run among the core's by their order.
        disabled: names of passes, or ONNX Runtime's names for them, that do not run.
        custom: inference functions of custom operators, for types that become known on the way.

    Raises:
        Fail: a pass of a plugin raised.
        InvalidGraph: a constant is malformed, or (with `ORT_CORE_DEBUG=1`) a pass broke the graph.
    """
    if level is Level.DISABLE_ALL:
        return
    if any(domain in DOMAINS for domain, _, _ in model.functions):
        logger.info("the model redefines standard operators as functions; its graph is not optimised")
        return
    off = {inner for name in disabled for inner in (name, *ONNXRUNTIME_NAMES.get(name, ()))}
    selected = sorted((p for p in (*find_passes(), *extra) if p.level <= level and p.name not in off), key=_order)
    for _ in range(_MAX_INFERENCES):
        changed = run_passes(model, selected, ctx)
        if not changed or not _has_gaps(model) or not infer_types(model, custom, declared=False, progress=ctx.progress):
            break
    _drop_unused_functions(model)


def run_passes(model: Model, passes: Sequence[Pass], ctx: PassContext) -> bool:
    """Runs the passes on all graphs of the model until none changes anything; returns whether any did.

    Raises:
        Fail: a pass raised something that is no `OrtError`.
        InvalidGraph: with `ORT_CORE_DEBUG=1`, a pass broke the graph.
    """
    debug = os.environ.get("ORT_CORE_DEBUG") == "1"
    version = 0
    clean: dict[tuple[str, Graph], int] = {}
    ctx.memo.clear()
    for _ in range(MAX_ROUNDS):
        before = version
        graphs = tuple(model.graphs())
        for item in passes:
            for graph in graphs:
                ctx.progress.check()
                key = (item.name, graph)
                if clean.get(key) == version:
                    continue
                if _apply(item, graph, ctx):
                    version += 1
                    if debug:
                        _check(model, item)
                else:
                    clean[key] = version
        if version == before:
            break
    ctx.memo.clear()
    return version > 0


def _apply(item: Pass, graph: Graph, ctx: PassContext) -> bool:
    try:
        return item(graph, ctx)
    except OrtError:
        raise
    except Exception as error:
        raise Fail(
            f"graph pass '{item.name}' failed on graph '{graph.name}': {type(error).__name__}: {error}. "
            f"Disable it with disabled_optimizers=['{item.name}'], and report the failure to its author."
        ) from error


def _check(model: Model, item: Pass) -> None:
    try:
        check_invariants(model)
    except OrtError as error:
        raise type(error)(f"graph pass '{item.name}' broke the graph: {error}") from error


def _has_gaps(model: Model) -> bool:
    """Whether inference might still learn something in the main graph or a subgraph."""
    for graph in model.graph.graphs():
        for node in graph.nodes:
            if any(value is not None and value.is_used and is_vague(value.type) for value in node.outputs):
                return True
    return False


def _drop_unused_functions(model: Model) -> None:
    called: set[tuple[str, str, str]] = set()
    pending = [model.graph]
    while pending:
        for node in pending.pop().walk():
            key = (node.domain, node.op_type, node.overload)
            if key in model.functions and key not in called:
                called.add(key)
                pending.append(model.functions[key].graph)
    for key in model.functions.keys() - called:
        del model.functions[key]
