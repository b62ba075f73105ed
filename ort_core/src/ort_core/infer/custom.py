"""Runs the type inference functions of custom operators in the middle of ONNX's own inference.

In the reduced model every custom node is an operator of a private domain. ONNX's inference calls back for it with the
input types known by then, so one run is enough for any mix of custom and standard nodes.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from ort_core.errors import Fail, OrtError
from ort_core.infer.skeleton import CUSTOM_DOMAIN, CUSTOM_INDEX, CUSTOM_OP
from ort_core.ir.graph import Node
from ort_core.ir.proto_types import type_from_proto, type_to_proto
from ort_core.ir.types import ElementType, ValueType

if TYPE_CHECKING:
    from onnx.shape_inference import InferenceContext

InferenceFunction: TypeAlias = Callable[[Node, Sequence["ValueType | None"]], Sequence["ValueType | None"]]
"""From a node and its input types (None for absent or unknown ones) to its output types (None for unknown ones)."""

CustomInference: TypeAlias = Mapping[tuple[str, str], InferenceFunction]
"""Inference functions by domain and operator."""

_running = threading.local()


class CustomRun:
    """The custom nodes of one inference run; a context manager around the call of ONNX's inference.

    Attributes:
        error: the first exception that an inference function raised.
    """

    def __init__(self, nodes: Sequence[Node], functions: CustomInference) -> None:
        self.nodes = nodes
        self.functions = functions
        self.error: Exception | None = None

    def __enter__(self) -> CustomRun:
        _register()
        self._outer = getattr(_running, "run", None)
        _running.run = self
        return self

    def __exit__(self, *exc: object) -> None:
        _running.run = self._outer

    def infer(self, context: InferenceContext) -> None:
        """Computes the output types of the node that `context` stands for."""
        attribute = context.get_attribute(CUSTOM_INDEX)
        node = self.nodes[attribute.i]
        try:
            types = self._output_types(node, context)
        except Exception as error:
            self.error = self.error or error
            types = [None] * len(node.outputs)
        for index, type_ in enumerate(types):
            if not context.has_output(index):
                continue
            if type_ is not None:
                context.set_output_type(index, type_to_proto(type_))

    def _output_types(self, node: Node, context: InferenceContext) -> Sequence[ValueType | None]:
        inputs: list[ValueType | None] = []
        for index in range(len(node.inputs)):
            proto = context.get_input_type(index) if context.has_input(index) else None
            inputs.append(None if proto is None else type_from_proto(proto, f"input {index} of {node.where()}"))
        function = self.functions.get((node.domain, node.op_type))
        if function is None:
            return [None if v is None else v.type for v in node.outputs]
        try:
            types = list(function(node, inputs))
        except OrtError:
            raise
        except Exception as error:
            raise Fail(
                f"{node.where()}: its type inference function raised {type(error).__name__}: {error}. "
                "Correct the function that is registered for this operator."
            ) from error
        types = types[: len(node.outputs)] + [None] * (len(node.outputs) - len(types))
        return [
            value.type if type_ is None and value is not None else type_
            for type_, value in zip(types, node.outputs, strict=True)
        ]


def _callback(context: Any) -> None:
    _running.run.infer(context)


_lock = threading.Lock()


def _register() -> None:
    with _lock:
        _register_once()


@functools.cache
def _register_once() -> None:
    from onnx.defs import OpSchema, get_schema, register_schema

    elements = {f"tensor({element.onnx_name})" for element in ElementType}
    lists = {f"{kind}({t})" for t in elements for kind in ("seq", "optional")} | {
        f"optional(seq({t}))" for t in elements
    }
    tensors = {t for c in get_schema("Identity").type_constraints for t in c.allowed_type_strs} | elements | lists
    sparse = {f"sparse_{t}" for t in tensors if t.startswith("tensor(")}
    scalars = ("int64", "string", "float", "double")
    maps = {f"map({key}, {value})" for key in ("int64", "string") for value in scalars}
    types = sorted(tensors | sparse | maps | {f"seq({m})" for m in maps})
    many: Any = {
        "param_option": OpSchema.FormalParameterOption.Variadic,
        "is_homogeneous": False,
        "min_arity": 0,
    }
    schema = OpSchema(
        CUSTOM_OP,
        CUSTOM_DOMAIN,
        1,
        inputs=[OpSchema.FormalParameter("inputs", "T", **many)],
        outputs=[OpSchema.FormalParameter("outputs", "U", **many)],
        type_constraints=[("T", types, ""), ("U", types, "")],
        attributes=[OpSchema.Attribute(CUSTOM_INDEX, OpSchema.AttrType.INT)],
    )
    schema.set_type_and_shape_inference_function(_callback)
    register_schema(schema)
