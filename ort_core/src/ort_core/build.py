"""From a model source to a runnable model: the pipeline of session creation, one stage after another."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ort_core.compile_context import Context
from ort_core.errors import InvalidArgument, InvalidGraph
from ort_core.ir.graph import Graph, Model, SparseWeight, Value
from ort_core.ir.passes import Level, PassContext
from ort_core.ir.rewrite import check_invariants, release_weights
from ort_core.ir.tensors import ArrayWeight, WeightRef
from ort_core.ir.types import TensorType, ValueType, describe
from ort_core.memory.registry import allocator_for, runtime_for
from ort_core.metadata import ModelMetadata, metadata_of
from ort_core.partition.assign import assign
from ort_core.partition.claims import Assignment
from ort_core.partition.compile import CompiledGraph, CompileFailed, CompileSettings, ControlFlow, compile_graph
from ort_core.providers.spec import Partition, Provider, SessionEnv
from ort_core.run.runnable import Runnable
from ort_core.values import RuntimeValue

if TYPE_CHECKING:
    from ort_core.options import SessionOptions

T = TypeVar("T")

logger = logging.getLogger("ort_core.build")

USE_ENV_ALLOCATORS = "session.use_env_allocators"
"""Configuration entry: `1` takes device memory from the allocators that were registered for the process."""


@dataclass(frozen=True, slots=True)
class Interface:
    """An input or output as the model declares it."""

    name: str
    type: ValueType | None


@dataclass(frozen=True, slots=True)
class ModelInterface:
    """What users see of a model.

    Attributes:
        inputs: what must be fed.
        overridable: initializers that a feed may replace.
        outputs: with the types that the model declares, completed by what inference found.
        result_types: the types of the outputs that inference found.
    """

    inputs: tuple[Interface, ...]
    overridable: tuple[Interface, ...]
    outputs: tuple[Interface, ...]
    result_types: dict[str, ValueType | None]
    metadata: ModelMetadata


@dataclass(slots=True)
class BuiltModel:
    """The result of session creation.

    Attributes:
        defaults: the values of overridable initializers, by name.
        assignment: who runs what, for explanations.
    """

    runnable: Runnable
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
) -> BuiltModel:
    """Loads, optimises, partitions and compiles a model.

    Args:
        providers: in priority order; one that fails is reported to `on_failure` (which may raise) and left out.
        fallback: takes the nodes that nobody else claims; None makes such nodes an error.
    """
    from ort_core.infer.dimensions import override_dimensions
    from ort_core.infer.shapes import infer_types
    from ort_core.load.declared_opset import older_declaration
    from ort_core.load.opset import normalize_opset
    from ort_core.load.save import save_model
    from ort_core.optimize.pipeline import optimize, run_passes
    from ort_core.providers import hooks

    context = Context(env, options.load_cancelled)
    context.check()
    model = load(source, options)
    declared_ir = model.header.ir_version
    context.check()
    model = normalize_opset(model, infer=infer_types)
    override_dimensions(model, options.free_dimensions_by_name, options.free_dimensions_by_denotation)
    infer_types(model)
    interface = _interface(model)
    level = Level(options.graph_optimization_level)
    passes = _pass_context(model, env)
    optimize(model, level, passes, extra=hooks.graph_passes(level), disabled=disabled_passes)
    context.check()
    if options.optimized_model_filepath:
        with older_declaration(model, declared_ir):
            save_model(model, options.optimized_model_filepath)
    dump("optimize", model.graph)
    settings = CompileSettings(
        model.opset_imports,
        context,
        functools.partial(_run_provider_passes, level, passes, run_passes),
    )
    compiled, assignment = _assign_and_compile(model, list(providers), fallback, settings, on_failure)
    allocator = allocator_for if env.config.get(USE_ENV_ALLOCATORS) == "1" else runtime_for
    runnable = Runnable(compiled, _plan_constants(compiled, context), allocator)
    dump("plan", runnable.default_plan)
    defaults = {v.name: context.constant(v) for v in model.graph.inputs if v.const is not None}
    for graph in model.graphs():
        release_weights(graph)
    return BuiltModel(runnable, compiled, interface, defaults, assignment)


def _assign_and_compile(
    model: Model,
    active: list[Provider],
    fallback: Provider | None,
    settings: CompileSettings,
    on_failure: Callable[[Provider, Exception], None],
) -> tuple[CompiledGraph, Assignment]:
    """Starts again without a provider that fails, until none does."""
    from ort_core.infer.shapes import infer_types

    while True:
        assignment = assign(model, active, fallback=fallback, retype=infer_types)
        for name, error in assignment.failures.items():
            _drop(name, error, active, on_failure)
        if assignment.failures:
            continue
        try:
            return compile_graph(model.graph, assignment, settings), assignment
        except CompileFailed as error:
            _drop(error.provider, error, active, on_failure)


def load(source: Any, options: SessionOptions) -> Model:
    """Loads a model as it declares itself, with the initializers that the options give."""
    from ort_core.load.function_limits import check_functions
    from ort_core.load.onnx_model import load_model
    from ort_core.load.sparse import make_sparse_dense
    from ort_core.providers import hooks

    model = hooks.load_model(source)
    if model is None:
        root = options.config.get("session.model_external_initializers_file_folder_path") or None
        arrays = {name: value.numpy() for name, value in options.external_initializers.items()}
        model = load_model(
            source, external_root=root, external_files=options.external_files, external_initializers=arrays
        )
    check_functions(model)
    _check_inputs(model.graph)
    make_sparse_dense(model)
    for name, value in options.initializers.items():
        _replace_initializer(model.graph, name, value.numpy())
    return model


def dump(stage: str, what: Any) -> None:
    """Logs the text of a stage if `ORT_CORE_DUMP` names it."""
    if stage in os.environ.get("ORT_CORE_DUMP", "").split(","):
        logger.warning("%s:\n%s", stage, what.dump())


def _interface(model: Model) -> ModelInterface:
    from ort_core.infer.shapes import output_types

    graph = model.graph
    declared = [v.type for v in graph.inputs] + list(graph.declared_outputs or ())
    names = {d for t in declared for d in getattr(t, "shape", None) or () if isinstance(d, str)}
    outputs = [_with_names(t, names) for t in output_types(graph)]
    return ModelInterface(
        tuple(Interface(v.name, v.type) for v in graph.inputs if v.const is None),
        tuple(Interface(v.name, v.type) for v in graph.inputs if v.const is not None),
        tuple(Interface(name, t) for name, t in zip(graph.output_names, outputs, strict=True)),
        {name: v.type for name, v in zip(graph.output_names, graph.outputs, strict=True)},
        metadata_of(model),
    )


def _with_names(type_: ValueType | None, names: Collection[str]) -> ValueType | None:
    """A type in which only the symbolic dimensions that the model declares have names."""
    if not isinstance(type_, TensorType) or type_.shape is None:
        return type_
    return replace(type_, shape=tuple(None if isinstance(d, str) and d not in names else d for d in type_.shape))


def _pass_context(model: Model, env: SessionEnv) -> PassContext:
    from ort_core.reference_ops import evaluate

    return PassContext(
        lambda node, inputs: evaluate(node, inputs, model.opset_imports, max_bytes=env.limits.fold_bytes),
        env.limits.fold_bytes,
        model.opset_imports,
    )


def _run_provider_passes(
    level: Level, passes: PassContext, run_passes: Any, partition: Partition, provider: Provider
) -> None:
    own = provider.passes(level)
    if own:
        run_passes(Model(partition.graph, dict(partition.opsets)), own, passes)
        if os.environ.get("ORT_CORE_DEBUG"):
            check_invariants(Model(partition.graph, dict(partition.opsets)))
    dump("partition", partition.graph)


def _drop(
    name: str,
    error: Exception,
    active: list[Provider],
    on_failure: Callable[[Provider, Exception], None],
) -> None:
    provider = next((p for p in active if p.name == name), None)
    if provider is None:
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


def _check_inputs(graph: Graph) -> None:
    for value in graph.inputs:
        if value.type is None and isinstance(value.const, WeightRef):
            value.type = TensorType(value.const.element, tuple(value.const.shape))
        if value.type is None:
            raise InvalidGraph(
                f"input '{value.name}' of graph '{graph.name}' has no element type. Declare one of onnx.TensorProto's types."
            )


def _replace_initializer(graph: Graph, name: str, array: np.ndarray) -> None:
    value = graph.initializers.get(name)
    if value is None:
        logger.info("SessionOptions.add_initializer names '%s', which graph '%s' does not have", name, graph.name)
        return
    weight = ArrayWeight(array)
    given = TensorType(weight.element, weight.shape)
    have = value.const
    if have is not None:
        element = have.values.element if isinstance(have, SparseWeight) else have.element
        known = TensorType(element, tuple(have.shape))
        if known != given:
            raise InvalidArgument(
                f"the value given for initializer '{name}' with SessionOptions.add_initializer is {describe(given)}, the model "
                f"has {describe(known)}. Give a value of that type and shape."
            )
    value.const = weight


def session_env(options: SessionOptions, log: logging.Logger, config: Mapping[str, str]) -> SessionEnv:
    """What providers may know of a session."""
    from ort_core.enums import ExecutionMode
    from ort_core.providers.spec import Limits, ThreadPolicy

    return SessionEnv(
        config=config,
        threads=ThreadPolicy(
            intra_op=options.intra_op_num_threads,
            inter_op=options.inter_op_num_threads,
            spin=config.get("session.intra_op.allow_spinning", "1") != "0",
            parallel=options.execution_mode is ExecutionMode.ORT_PARALLEL,
            per_session=options.use_per_session_threads,
        ),
        limits=Limits(),
        use_arena=options.enable_cpu_mem_arena,
        use_mem_pattern=options.enable_mem_pattern,
        use_mem_reuse=options.enable_mem_reuse,
        deterministic=options.use_deterministic_compute,
        execution_order=options.execution_order.name,
        logger=log,
    )
