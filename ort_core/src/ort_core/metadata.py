"""What a session tells of its model: `NodeArg` and `ModelMetadata`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ort_core.ir.proto_types import read_entries
from ort_core.ir.shapes import Dim
from ort_core.ir.types import OptionalType, ValueType

if TYPE_CHECKING:
    from ort_core.ir.graph import Model


class NodeArg:
    """An input, output or overridable initializer."""

    __slots__ = ("_name", "_type")

    def __init__(self, name: str, type_: ValueType | None) -> None:
        self._name = name
        self._type = type_

    @property
    def name(self) -> str:
        """The name under which it is fed or fetched."""
        return self._name

    @property
    def type(self) -> str:
        """The type as ONNX Runtime spells it: `tensor(float)`, `seq(map(int64,tensor(float)))`."""
        return "" if self._type is None else str(self._type)

    @property
    def shape(self) -> list[Dim]:
        """The dimensions: a size, a symbolic name, or None; empty for a scalar and for an unknown rank."""
        tensor = self._type.element if isinstance(self._type, OptionalType) else self._type
        return list(getattr(tensor, "shape", None) or ())

    def __repr__(self) -> str:
        return f"NodeArg(name={self.name!r}, type={self.type!r}, shape={self.shape!r})"


@dataclass(slots=True)
class ModelMetadata:
    """The model's descriptive fields."""

    producer_name: str = ""
    graph_name: str = ""
    domain: str = ""
    description: str = ""
    graph_description: str = ""
    version: int = 0
    custom_metadata_map: dict[str, str] = field(default_factory=dict)


def metadata_of(model: Model) -> ModelMetadata:
    """The metadata of a loaded model; a model without version has the largest int64, as in ONNX Runtime."""
    header: Any = model.header
    entries = read_entries(header.metadata_props)
    return ModelMetadata(
        producer_name=header.producer_name,
        graph_name=model.graph.name,
        domain=header.domain,
        description=header.doc_string,
        graph_description=model.graph.doc,
        version=header.model_version if header.HasField("model_version") else 2**63 - 1,
        custom_metadata_map={k: v for k, v in entries.items() if not k.startswith("ort_core.")},
    )
