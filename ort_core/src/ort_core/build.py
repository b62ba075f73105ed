"""From a model source to a runnable model: prepares it, assigns it to providers, compiles and plans."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ort_core.cache.lookup import prepare_cached
from ort_core.compile_context import Context
from ort_core.custom_ops.provider import CustomOpProvider
from ort_core.devices import HOST
from ort_core.ir.graph import Model, Value
from ort_core.ir.passes import Level
from ort_core.ir.rewrite import check_invariants, release_weights
from ort_core.load.limit_checks import constant_bytes
from ort_core.partition.assign import assign
from ort_core.partition.claims import Assignment
from ort_core.partition.compile import CompiledGraph, CompileFailed, CompileSettings, ControlFlow, compile_graph
from ort_core.prepare import ModelInterface, PreparedModel, dump, is_dumped, level_for
from ort_core.progress import Progress
from ort_core.providers.spec import Partition, Provider, SessionEnv
from ort_core.run.deferred import DeferredRunnable
from ort_core.values import RuntimeValue

if TYPE_CHECKING:
    import logging

    from ort_core.options import SessionOptions
    from ort_core.run.runnable import Runnable

USE_ENV_ALLOCATORS = "session.use_env_allocators"
"""Configuration entry: `1` takes device memory from the allocators that were registered for the process."""


@dataclass(slots=True)
class BuiltModel:
    """The result of session creation.

    Attributes:
        defaults: the values of overridable initializers, by name.
        assignment: who runs what, for explanations.
    """

    runnable: DeferredRunnable
    compiled: CompiledGraph
    interface: ModelInterface
    defaults: dict[str, RuntimeValue]
    assignment: Assignment


def build(
    source: Any,
    options: SessionOptions,
    providers: list[Provider],
    fallback: Provider | None,
    env: SessionEnv,
    *,
    disabled_passes: Collection[str] = (),
    on_failure: Callable[[Provider, Exception], None],
    expose: Callable[[Model], None] | None = None,
) -> BuiltModel:
    """Loads, optimises, partitions and compiles a model.

    Args:
        providers: in priority order; one that fails is reported to `on_failure` (which may raise) and left out.
        fallback: takes the nodes that nobody else claims; None makes such nodes an error.
        expose: may add outputs to the model as it was loaded.
    """
    progress = Progress(options.load_cancelled, options.limits.load_timeout_s, options.load_progress)
    prepared = prepare_cached(source, options, disabled_passes=disabled_passes, progress=progress, expose=expose)
    devices = dict.fromkeys([*(p.device.type for p in providers if p.runs_custom_kernels), HOST.type])
    prepared = prepared._replace(custom_ops=prepared.custom_ops.for_devices([*devices]))
    model = prepared.model
    context = Context(env, progress, prepared.custom_ops.find)
    level = level_for(model, options, prepared.custom_ops)
    run_passes = functools.partial(_run_provider_passes, prepared, level, frozenset(disabled_passes))
    settings = CompileSettings(model.opset_imports, context, run_passes)
    compiled, assignment = _assign_and_compile(prepared, list(providers), fallback, settings, context, on_failure)
    from_environment = env.config.get(USE_ENV_ALLOCATORS) == "1"
    limit = options.limits.memory_bytes
    resident_bytes = 0 if limit is None else constant_bytes(model)
    constant = _plan_constants(compiled, context)

    def make() -> Runnable:
        from ort_core.memory.registry import allocator_for, runtime_for
        from ort_core.run.memory_meter import MemoryBudget
        from ort_core.run.runnable import Runnable

        budget = None if limit is None else MemoryBudget(limit, resident_bytes)
        return Runnable(compiled, constant, allocator_for if from_environment else runtime_for, budget)

    runnable = DeferredRunnable(compiled, make)
    if is_dumped("plan"):
        dump("plan", runnable.default_plan)
    defaults = {v.name: context.constant(v) for v in model.graph.inputs if v.const is not None}
    for graph in model.graphs():
        release_weights(graph)
    return BuiltModel(runnable, compiled, prepared.interface, defaults, assignment)


def _assign_and_compile(
    prepared: PreparedModel,
    active: list[Provider],
    fallback: Provider | None,
    settings: CompileSettings,
    context: Context,
    on_failure: Callable[[Provider, Exception], None],
) -> tuple[CompiledGraph, Assignment]:
    """Starts again without a provider that fails, until none does."""
    model = prepared.model
    last = [CustomOpProvider(prepared.custom_ops)] if prepared.custom_ops else []
    while True:
        context.progress.begin("assign")
        assignment = assign(
            model, [*active, *last], fallback=fallback, retype=prepared.infer, custom=prepared.custom_ops
        )
        for provider, error in assignment.failures.items():
            _drop(provider, error, active, on_failure)
        if assignment.failures:
            continue
        context.progress.begin("compile", constant_bytes(model))
        try:
            return compile_graph(model.graph, assignment, settings), assignment
        except CompileFailed as error:
            refusal = context.kernel_error
            if refusal is not None and error.__cause__ is refusal:
                raise refusal from refusal.__cause__
            _drop(error.failed, error, active, on_failure)


def _run_provider_passes(
    prepared: PreparedModel, level: Level, disabled: Collection[str], partition: Partition, provider: Provider
) -> None:
    from ort_core.optimize.pipeline import run_passes

    own = [p for p in provider.passes(level) if p.name not in disabled]
    if own:
        run_passes(Model(partition.graph, dict(partition.opsets)), own, prepared.passes)
        if os.environ.get("ORT_CORE_DEBUG"):
            check_invariants(Model(partition.graph, dict(partition.opsets)))
    dump("partition", partition.graph)


def _drop(
    provider: Provider,
    error: Exception,
    active: list[Provider],
    on_failure: Callable[[Provider, Exception], None],
) -> None:
    if provider not in active:
        raise error
    active.remove(provider)
    on_failure(provider, error)


def _plan_constants(compiled: CompiledGraph, context: Context) -> Callable[[Value], RuntimeValue]:
    """Reads every constant that a plan may need, before the weights are released."""
    values: dict[Value, RuntimeValue] = {}

    def visit(item: CompiledGraph) -> None:
        wanted = list(item.graph.outputs)
        for part in item.items:
            if isinstance(part, ControlFlow):
                wanted += [v for v in part.node.inputs if v is not None]
                for body in part.bodies.values():
                    visit(body)
            else:
                wanted += part.inputs
        values.update({v: context.constant(v) for v in wanted if v.is_constant and v not in values})

    visit(compiled)
    return values.__getitem__


def session_env(options: SessionOptions, log: logging.Logger, config: Mapping[str, str]) -> SessionEnv:
    """What providers may know of a session."""
    from ort_core.enums import ExecutionMode
    from ort_core.providers.spec import ThreadPolicy

    return SessionEnv(
        config=config,
        threads=ThreadPolicy(
            intra_op=options.intra_op_num_threads,
            inter_op=options.inter_op_num_threads,
            spin=config.get("session.intra_op.allow_spinning", "1") != "0",
            parallel=options.execution_mode is ExecutionMode.ORT_PARALLEL,
            per_session=options.use_per_session_threads,
        ),
        limits=options.limits,
        use_arena=options.enable_cpu_mem_arena,
        use_mem_pattern=options.enable_mem_pattern,
        use_mem_reuse=options.enable_mem_reuse,
        deterministic=options.use_deterministic_compute,
        execution_order=options.execution_order.name,
        logger=log,
    )
