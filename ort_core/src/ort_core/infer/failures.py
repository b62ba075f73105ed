"""Turns a failure of ONNX's inference into an exception that names our node, its types and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ort_core.errors import Fail, InvalidGraph, OrtError
from ort_core.infer.custom import CustomInference, CustomRun
from ort_core.infer.skeleton import Skeleton
from ort_core.ir.graph import Model, Node, Value
from ort_core.ir.types import ValueType, describe

if TYPE_CHECKING:
    import onnx

_STEP = re.compile(r"\(op_type:[^,()]*(?:, node name: (\d+))?\):? ?")
_REWORDED = (
    (re.compile(r"(\w+) typestr: \w+, has unsupported type: (.*)"), r"its input '\1' does not take \2"),
    (
        re.compile(r"(\w+) has inconsistent type (.*)"),
        r"its input '\1' is \2, unlike the inputs that it must agree with",
    ),
    (re.compile(r" in node \w+( \(\d*\))?$"), ""),
)
_KIND = re.compile(r"\[(?:Shape|Type)InferenceError\] ?|Inference error\(s\): ?")


def run_onnx(skeleton: Skeleton, *, strict: bool) -> onnx.ModelProto:
    """ONNX's inference, without its data propagation.

    Args:
        strict: raise for every contradiction; otherwise leave the types of the nodes concerned unknown.
    """
    import onnx.shape_inference

    return onnx.shape_inference.infer_shapes(
        skeleton.proto.SerializeToString(), check_type=strict, strict_mode=strict, data_prop=False
    )


def explain_failure(
    model: Model, is_custom: Callable[[Node], bool], custom: CustomInference, error: Exception
) -> dict[Value, ValueType]:
    """Raises for the first node whose inputs are known and do not fit; else the types that could be inferred.

    ONNX's strict inference also fails on nodes whose input types are unknown, which is no fault of the model.

    Raises:
        InvalidGraph: an operator does not take an input type.
        Fail: shapes, types or attribute values of a node contradict each other.
    """
    skeleton = Skeleton(model, is_custom, named=True)
    with CustomRun(skeleton.custom, custom):
        types = infer_leniently(skeleton)
        try:
            run_onnx(skeleton, strict=True)
        except Exception as again:
            lines = [line for line in str(again).splitlines() if line.strip()]
        else:
            lines = []
    for line in lines:
        node, reason = _locate(line, skeleton.nodes)
        if node is None or _inputs_known(node, types):
            raise _exception(node, reason, types) from error
    return types


def infer_leniently(skeleton: Skeleton) -> dict[Value, ValueType]:
    """The types that can be told; nodes that contradict themselves get none.

    Raises:
        InvalidGraph: ONNX cannot work on the model at all.
    """
    try:
        return skeleton.read(run_onnx(skeleton, strict=False))
    except OrtError:
        raise
    except Exception as error:
        raise InvalidGraph(
            f"type and shape inference failed: {str(error).strip().rstrip('.')}. Check the model with onnx.checker."
        ) from error


def _locate(line: str, nodes: list[Node]) -> tuple[Node | None, str]:
    node = None
    for match in _STEP.finditer(line):
        if match[1] is not None and int(match[1]) < len(nodes):
            node = nodes[int(match[1])]
    reason = _KIND.sub("", _STEP.sub("", line)).strip().rstrip(".")
    for pattern, words in _REWORDED:
        reason = pattern.sub(words, reason)
    return node, reason


def _inputs_known(node: Node, types: Mapping[Value, ValueType]) -> bool:
    return all(v is None or v.type is not None or v in types for v in node.inputs)


def _exception(node: Node | None, reason: str, types: Mapping[Value, ValueType]) -> InvalidGraph | Fail:
    if node is None:
        return Fail(f"type and shape inference failed: {reason}. Check the model with onnx.checker.")
    inputs = ", ".join("(absent)" if v is None else describe(types.get(v, v.type)) for v in node.inputs)
    kind = InvalidGraph if "does not take" in reason else Fail
    return kind(
        f"{node.where()}: {reason}. Got inputs: {inputs or 'none'}. Correct the node, or insert a Cast or Reshape that "
        "makes its inputs fit."
    )
