"""ONNX protobuf messages to and from our IR, without loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ort_core.ir.attributes import Attribute
from ort_core.ir.graph import Graph, Model, Node
from ort_core.ir.messages import ModelMessage
from ort_core.ir.proto_reader import Reader, read_model
from ort_core.ir.proto_scope import Scope
from ort_core.ir.proto_tensors import (
    WEIGHT_KEY,
    ExternalResolver,
    TensorStore,
    strip,
    weight_from_proto,
    weight_to_proto,
)
from ort_core.ir.proto_types import type_from_proto, type_to_proto
from ort_core.ir.proto_writer import Writer
from ort_core.ir.tensors import WeightRef
from ort_core.limits import Limits
from ort_core.progress import UNWATCHED, Progress

if TYPE_CHECKING:
    import onnx

__all__ = [
    "WEIGHT_KEY",
    "attribute_from_proto",
    "from_proto",
    "node_to_proto",
    "to_proto",
    "type_from_proto",
    "type_to_proto",
    "weight_from_proto",
    "weight_to_proto",
]


def from_proto(
    proto: onnx.ModelProto | ModelMessage,
    weights: Sequence[WeightRef] = (),
    *,
    external: ExternalResolver | None = None,
    limits: Limits | None = None,
    progress: Progress = UNWATCHED,
) -> Model:
    """The IR of a model.

    Nodes may come in any order. A name that a subgraph defines hides the same name of an outer graph; the inner value
    is renamed. Domains that are not imported count as `IMPLICIT_DOMAINS` says, others as version 1. Attribute
    documentation and the names of tensors inside attributes are dropped; everything else comes back through `to_proto`.

    Args:
        proto: a model, or a skeleton whose large tensors are EXTERNAL with the `external_data` key `ort_core.weight`.
        weights: what those keys index.
        external: finds the data of other EXTERNAL tensors; without it they are refused.
        limits: caps on nodes and nesting; the defaults of `Limits` if None.

    Raises:
        LimitExceeded: the model is not within `limits`.
        InvalidGraph: a name is dangling or defined twice, nodes form a cycle, an output is never produced, opset
            imports contradict each other or lack a domain, or a tensor's data does not fit its type.
    """
    return read_model(proto, weights, external, limits or Limits(), progress)


def to_proto(model: Model, *, stripped: bool = False, store: TensorStore | None = None) -> onnx.ModelProto:
    """The `onnx.ModelProto` of a model.

    Every output has its interface name: a value of another name is renamed, or copied by an Identity node. A model of an
    IR version below 4 is written at version 4, where constants need not be inputs.

    Args:
        stripped: replace the data of constants over 1 KiB by an external reference, for inference of shapes.
        store: where the data of constants over 1 KiB goes; without it the message holds it.
    """
    return Writer(strip if stripped else store).model(model)


def node_to_proto(node: Node) -> onnx.NodeProto:
    """One node, with its attributes and the tensors in them."""
    import onnx

    proto = onnx.NodeProto()
    Writer().node(proto, node)
    return proto


def attribute_from_proto(
    proto: onnx.AttributeProto, weights: Sequence[WeightRef] = (), imports: Mapping[str, int] | None = None
) -> Attribute:
    """One attribute; graphs in it may refer to no outer value.

    Args:
        weights: as for `from_proto`.
        imports: domain to version, for the nodes of graphs.

    Raises:
        InvalidGraph: the attribute is malformed.
    """
    import onnx

    reader = Reader(weights, int(onnx.IR_VERSION), {}, None, Limits(), UNWATCHED)
    return reader.attribute(proto, "a detached attribute", Scope(Graph(), dict(imports or {})))
