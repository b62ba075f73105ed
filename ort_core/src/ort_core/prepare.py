"""From a model source to an optimised model at one opset: the stages of session creation that know no provider."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ort_core.custom_ops.catalog import CustomOps
from ort_core.custom_ops.published import custom_ops_of
from ort_core.errors import InvalidArgument, InvalidGraph
from ort_core.ir.attributes import SparseWeight
from ort_core.ir.graph import Graph, Model, Node, Value
from ort_core.ir.passes import Level, PassContext
from ort_core.ir.tensors import ArrayWeight, WeightRef
from ort_core.ir.types import TensorType, ValueType, describe
from ort_core.log import logger_of
from ort_core.metadata import ModelMetadata, metadata_of
from ort_core.progress import UNWATCHED, Progress

if TYPE_CHECKING:
    from ort_core.limits import Limits
    from ort_core.options import SessionOptions

logger = logger_of("ort_core.build")


class Interface(NamedTuple):
    """An input or output as the model declares it."""

    name: str
    type: ValueType | None


class ModelInterface(NamedTuple):
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


class PreparedModel(NamedTuple):
    """An optimised model, ready to be assigned to providers.

    Attributes:
        infer: infers types again after a change of the graph.
        passes: what providers' own passes get.
        custom_ops: what its nodes may call beside ONNX's operators.
    """

    model: Model
    interface: ModelInterface
    infer: Callable[[Model], object]
    passes: PassContext
    custom_ops: CustomOps


def prepare(
    source: Any,
    options: SessionOptions,
    *,
    disabled_passes: Collection[str] = (),
    progress: Progress = UNWATCHED,
    expose: Callable[[Model], None] | None = None,
) -> PreparedModel:
    """Loads, normalises, infers and optimises a model.

    Args:
        source: what users give, or a `Model` that was loaded from it.
        expose: may add outputs to the model as it was loaded.
    """
    from ort_core.load.opset import normalize_opset
    from ort_core.optimize.pipeline import optimize
    from ort_core.providers import hooks

    model = load(source, options, progress)
    if expose is not None:
        expose(model)
    declared_ir = model.header.ir_version
    custom = custom_ops_of(model, options.custom_ops)
    if custom:
        _forget_scalars(model.graph, custom)
    infer = inference(progress, custom)
    model = normalize_opset(model, infer=infer, custom=custom.keys, progress=progress)
    if options.free_dimensions_by_name or options.free_dimensions_by_denotation:
        from ort_core.infer.dimensions import override_dimensions

        override_dimensions(model, options.free_dimensions_by_name, options.free_dimensions_by_denotation)
    progress.begin("infer")
    infer(model)
    interface = _interface(model)
    level = level_for(model, options, custom)
    passes = pass_context(model, options.limits, progress)
    progress.begin("optimize")
    optimize(model, level, passes, extra=hooks.graph_passes(level), disabled=disabled_passes, custom=custom.inference)
    if options.optimized_model_filepath:
        from ort_core.load.declared_opset import older_declaration
        from ort_core.load.save import save_model

        with older_declaration(model, declared_ir):
            save_model(model, options.optimized_model_filepath)
    dump("optimize", model.graph)
    return PreparedModel(model, interface, infer, passes, custom)


def level_for(model: Model, options: SessionOptions, custom: CustomOps) -> Level:
    """How far a model may be optimised: not at all if custom operators stand in for ONNX's, whose semantics passes rely on."""
    return Level.DISABLE_ALL if custom.replaces_standard(model) else Level(options.graph_optimization_level)


def load(source: Any, options: SessionOptions, progress: Progress = UNWATCHED) -> Model:
    """Loads a model as it declares itself, with the initializers that the options give.

    Raises:
        LimitExceeded: it is not within `options.limits`.
    """
    from ort_core.load.limit_checks import check_limits
    from ort_core.load.onnx_model import load_model
    from ort_core.load.sparse import make_sparse_dense
    from ort_core.providers import hooks

    progress.begin("read")
    model = source if isinstance(source, Model) else hooks.load_model(source)
    if model is None:
        arrays = {name: value.numpy() for name, value in options.external_initializers.items()}
        model = load_model(
            source,
            external_root=external_root(options),
            external_files=options.external_files,
            external_initializers=arrays,
            limits=options.limits,
            progress=progress,
        )
    check_limits(model, options.limits)
    _check_inputs(model.graph)
    make_sparse_dense(model)
    for name, value in options.initializers.items():
        _replace_initializer(model.graph, name, value.numpy())
    return model


def is_dumped(stage: str) -> bool:
    """Whether `ORT_CORE_DUMP` names a stage."""
    return stage in os.environ.get("ORT_CORE_DUMP", "").split(",")


def dump(stage: str, what: Any) -> None:
    """Logs the text of a stage if `ORT_CORE_DUMP` names it."""
    if is_dumped(stage):
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


def inference(progress: Progress, custom: CustomOps) -> Callable[[Model], object]:
    """Type inference for `PreparedModel.infer`, loaded when it is called."""

    def infer(model: Model) -> object:
        from ort_core.infer.shapes import infer_types

        return infer_types(model, custom.inference, progress=progress)

    return infer


def pass_context(model: Model, limits: Limits, progress: Progress) -> PassContext:
    """What passes over the model get; the reference operators are loaded when one evaluates a node."""

    def evaluate(node: Node, inputs: Sequence[np.ndarray | None]) -> Sequence[np.ndarray] | None:
        from ort_core import reference_ops

        return reference_ops.evaluate(node, inputs, model.opset_imports, max_bytes=limits.fold_bytes)

    return PassContext(evaluate, limits.fold_bytes, model.opset_imports, progress=progress)


def external_root(options: SessionOptions) -> str | None:
    """The folder of external data, in place of the model's own folder."""
    return options.config.get("session.model_external_initializers_file_folder_path") or None


def _check_inputs(graph: Graph) -> None:
    for value in graph.inputs:
        if value.type is None and isinstance(value.const, WeightRef):
            value.type = TensorType(value.const.element, tuple(value.const.shape))
        if value.type is None:
            raise InvalidGraph(
                f"input '{value.name}' of graph '{graph.name}' has no element type. Declare one of onnx.TensorProto's types."
            )


def _forget_scalars(graph: Graph, custom: CustomOps) -> None:
    """Takes inputs declared as scalars for tensors of any rank where only custom operators read them.

    Authors of custom operators declare them so without meaning it, since ONNX Runtime does not check the rank of such inputs.
    """

    def is_read_by_custom_only(value: Value) -> bool:
        todo, found = [value], False
        while todo:
            for use in todo.pop().uses:
                node = use.user
                if not isinstance(node, Node):
                    return False
                if (node.domain, node.op_type) in custom.keys:
                    found = True
                elif node.op_type == "Identity" and not node.domain and node.outputs and node.outputs[0] is not None:
                    todo.append(node.outputs[0])
                else:
                    return False
        return found

    for value in graph.inputs:
        if isinstance(value.type, TensorType) and value.type.shape == () and is_read_by_custom_only(value):
            value.type = replace(value.type, shape=None)


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
