"""Type and shape inference of a whole model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ort_core.errors import InvalidGraph
from ort_core.infer.check import check_nodes
from ort_core.infer.direct import infer_directly
from ort_core.infer.guards import is_guarded
from ort_core.infer.refine import more_precise, refine_shapes, unchanged, without_shapes
from ort_core.infer.replacements import REPLACEMENTS
from ort_core.ir.graph import Graph, Model, Node, Value
from ort_core.ir.schema import is_defined
from ort_core.ir.shapes import compatible, merge_shapes
from ort_core.ir.types import TensorType, ValueType, describe
from ort_core.log import logger_of
from ort_core.progress import UNWATCHED, Progress

if TYPE_CHECKING:
    from ort_core.infer.by_onnx import OnnxInference
    from ort_core.infer.custom import CustomInference

logger = logger_of("ort_core.infer")

_MAX_ROUNDS = 3


def infer_types(
    model: Model,
    custom: CustomInference | None = None,
    *,
    declared: bool | None = None,
    progress: Progress = UNWATCHED,
) -> bool:
    """Infers the types of all values of the main graph and its subgraphs, by rules of ours or `onnx.shape_inference`, and shape
    arithmetic.

    Sizes that the file declares for node outputs are not kept unless inference confirms them, since nothing checks them
    when the model runs: what remains in `Value.type` follows from the inputs. Nodes that ONNX does not know get their
    types from `custom`; without a function they keep the declared type with unknown sizes. Calls of model-local
    functions are inferred through their bodies; the bodies themselves get no types.

    Args:
        custom: inference functions by domain and operator.
        declared: whether the types of node outputs are what the file declares; then the model is checked. Otherwise they
            were inferred before, can only become more precise, and contradictions leave shapes unknown. By
            default True in the first call for a model.

    Returns:
        Whether any type became known or more precise.

    Raises:
        InvalidGraph: a node does not fit its operator's schema, or a declared element type is wrong.
        Fail: types or shapes of a node contradict each other.
    """
    functions = {f.key[:2] for f in model.functions.values() if not is_guarded(f)}

    def is_custom(node: Node) -> bool:
        key = (node.domain, node.op_type)
        return key not in functions and (key in REPLACEMENTS or not is_defined(node.op_type, node.domain))

    if declared is None:
        declared = model.graph.declared_outputs is None
    before = {value: value.type for value in _computed_values(model)}
    if declared:
        if model.graph.declared_outputs is None:
            model.graph.declared_outputs = tuple(value.type for value in model.graph.outputs)
        check_nodes(model, custom or {})
        for value, type_ in before.items():
            node = value.producer
            keep = node is not None and is_custom(node) and not is_defined(node.op_type, node.domain)
            value.type = _unconfirmed(type_) if keep else None
    try:
        found = _infer(model, is_custom, {**REPLACEMENTS, **(custom or {})}, before, progress, check=declared)
    except BaseException:
        for value, type_ in before.items():
            value.type = type_
        raise
    for value, type_ in before.items():
        if declared:
            value.type = _settle(value, type_, found.get(value))
        else:
            value.type = more_precise(found.get(value), type_)
    return not unchanged(before)


def output_types(graph: Graph) -> tuple[ValueType | None, ...]:
    """The output types of the main graph as ONNX Runtime reports them: as declared, completed by what was inferred.

    Dimensions in which the two contradict each other are unknown, and so is a rank that differs; a warning names them.
    """
    declared = graph.declared_outputs or (None,) * len(graph.outputs)
    return tuple(
        _output_type(name, given, value.type)
        for name, given, value in zip(graph.output_names, declared, graph.outputs, strict=True)
    )


def _output_type(name: str, declared: ValueType | None, inferred: ValueType | None) -> ValueType | None:
    if not isinstance(declared, TensorType) or not isinstance(inferred, TensorType):
        return inferred if declared is None else declared
    if compatible(declared.shape, inferred.shape):
        return replace(declared, shape=merge_shapes(declared.shape, inferred.shape))
    logger.warning(
        "output '%s' is declared as %s, but inference gives %s; the dimensions that differ count as unknown. "
        "Correct the declaration.",
        name,
        describe(declared),
        describe(inferred),
    )
    if declared.shape is None or inferred.shape is None or len(declared.shape) != len(inferred.shape):
        return replace(declared, shape=None)
    pairs = zip(declared.shape, inferred.shape, strict=True)
    return replace(declared, shape=tuple(d if compatible((d,), (i,)) else None for d, i in pairs))


def _infer(
    model: Model,
    is_custom: Callable[[Node], bool],
    custom: CustomInference,
    before: Mapping[Value, ValueType | None],
    progress: Progress,
    *,
    check: bool,
) -> dict[Value, ValueType]:
    """Alternates inference, by rules or by ONNX, and shape arithmetic, so that each can go on from what the other found."""
    onnx: OnnxInference | None = None
    hints: dict[Value, ValueType] = {}
    for _ in range(_MAX_ROUNDS):
        progress.check()
        direct = infer_directly(model, custom, hints) if onnx is None else None
        if direct is not None:
            found = direct
        else:
            onnx = onnx or _by_onnx(model, is_custom, custom)
            onnx.hint(hints)
            found = onnx.run(check=check)
            hints = {}
        for value in before:
            value.type = more_precise(found.get(value), value.type)
            if value.type is not None:
                found[value] = value.type
        progress.check()
        gained = refine_shapes(model, found, progress)
        if not gained:
            break
        hints |= gained
        check = False
    return found


def _by_onnx(model: Model, is_custom: Callable[[Node], bool], custom: CustomInference) -> OnnxInference:
    from ort_core.infer.by_onnx import OnnxInference

    return OnnxInference(model, is_custom, custom)


def _computed_values(model: Model) -> Iterator[Value]:
    for graph in model.graph.graphs():
        if graph is not model.graph:
            yield from graph.inputs
        for node in graph.nodes:
            for value in node.outputs:
                if value is not None:
                    yield value


def _unconfirmed(type_: ValueType | None) -> ValueType | None:
    """What is believed of a declared type that no inference can confirm."""
    if isinstance(type_, TensorType) and type_.shape is not None:
        return replace(type_, shape=tuple(None if isinstance(d, int) else d for d in type_.shape))
    return without_shapes(type_)


def _settle(value: Value, declared: ValueType | None, found: ValueType | None) -> ValueType | None:
    """The type of a value from what the file declares and what inference found."""
    if found is None:
        return value.type if value.type is not None else without_shapes(declared)
    if declared is None or declared == found:
        return found
    if str(declared) != str(found):
        producer = value.producer
        where = (
            f"input '{value.name}' of a subgraph" if producer is None else f"{producer.where()}, output '{value.name}'"
        )
        raise InvalidGraph(
            f"{where}: the model declares {declared}, but inference gives {found}. "
            "Correct the declaration in value_info or the graph's outputs, or insert a Cast."
        )
    if (
        isinstance(declared, TensorType)
        and isinstance(found, TensorType)
        and not compatible(declared.shape, found.shape)
    ):
        logger.warning(
            "'%s' is declared as %s, but inference gives %s, which is used. Correct or remove the declaration.",
            value.name,
            describe(declared),
            describe(found),
        )
    return found
