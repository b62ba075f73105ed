"""What names mean while a protobuf graph is read: values by scope, opset versions by domain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ort_core.errors import InvalidGraph
from ort_core.ir.graph import Graph, Value
from ort_core.ir.proto_types import checked_name
from ort_core.ir.schema import newest_version

if TYPE_CHECKING:
    import onnx

IMPLICIT_DOMAINS = {
    "": 0,
    "ai.onnx.ml": 0,
    "ai.onnx.preview": 1,
    "ai.onnx.preview.training": 1,
    "ai.onnx.training": 1,
    "com.microsoft": 1,
    "com.microsoft.experimental": 1,
    "com.microsoft.nchwc": 1,
    "com.ms.internal.nhwc": 1,
    "org.pytorch.aten": 1,
}
"""Versions of domains that a model uses without importing them, as in onnxruntime; 0 stands for the latest version of onnx."""


def normal_domain(domain: str) -> str:
    """The domain with `ai.onnx` spelt as the empty string."""
    return "" if domain == "ai.onnx" else domain


class Scope:
    """The values that a graph's names stand for, and the graphs around it."""

    def __init__(self, graph: Graph, imports: dict[str, int], outer: Scope | None = None, title: str = "") -> None:
        self.graph = graph
        self.imports = imports
        self.outer = outer
        self.title = title
        self.values: dict[str, Value] = {}
        self.depth: int = outer.depth + 1 if outer else 0
        self.renamed: set[str] = outer.renamed if outer else set()

    def find(self, name: str) -> Value | None:
        """The value of the innermost graph that has one of that name."""
        scope: Scope | None = self
        while scope is not None:
            value = scope.values.get(name)
            if value is not None:
                return value
            scope = scope.outer
        return None

    def define(self, name: str, what: object) -> Value:
        """A new value, defined by `what`; it is renamed if an outer graph has one of that name.

        Raises:
            InvalidGraph: this graph has one of that name.
        """
        checked_name(name, what)
        if name in self.values:
            raise InvalidGraph(
                f"{what} of {self.title} defines '{name}', which {_definition(self.values[name])} already defines. "
                "ONNX graphs are in single static assignment form: give every value a name of its own."
            )
        unique = name
        if self.outer is not None and (name in self.renamed or self.outer.find(name) is not None):
            number = 1
            while (unique := f"{name}_{number}") in self.renamed or self.find(unique) is not None:
                number += 1
            self.renamed.add(unique)
        value = self.values[name] = Value(unique)
        value.graph = self.graph
        return value


def _definition(value: Value) -> str:
    if value.producer is not None:
        return str(value.producer)
    if value.graph is not None and value.graph.is_input(value):
        return "a graph input"
    return "an initializer" if value.const is not None else "another node"


def read_imports(protos: Iterable[onnx.OperatorSetIdProto], where: str) -> dict[str, int]:
    """Domain to version.

    Raises:
        InvalidGraph: one domain is imported twice with different versions.
    """
    imports: dict[str, int] = {}
    for item in protos:
        domain = normal_domain(checked_name(item.domain, where))
        if imports.setdefault(domain, item.version) != item.version:
            raise InvalidGraph(
                f"{where} imports domain '{domain or 'ai.onnx'}' twice, at versions {imports[domain]} and "
                f"{item.version}. Keep one opset_import per domain."
            )
    return imports


class FallbackImports(dict[str, int]):
    """Versions of domains that a model does not import; those of custom operators count as version 1."""

    def __missing__(self, domain: str) -> int:
        version = IMPLICIT_DOMAINS.get(domain, 1)
        if not version:
            version = newest_version(domain)
        self[domain] = version
        return version


class AttributeTitle:
    """An attribute as messages name it; the text is made only when it is asked for."""

    __slots__ = ("_owner", "_proto")

    def __init__(self, proto: onnx.AttributeProto, owner: object) -> None:
        self._proto = proto
        self._owner = owner

    def __str__(self) -> str:
        return f"attribute '{self._proto.name}' of {self._owner}"


class NodeTitle:
    """A node as messages name it before it is converted."""

    __slots__ = ("_proto",)

    def __init__(self, proto: onnx.NodeProto) -> None:
        self._proto = proto

    def __str__(self) -> str:
        return node_title(self._proto)


def node_title(proto: onnx.NodeProto) -> str:
    """The node as messages name it before it is converted."""
    name = proto.name or next((o for o in proto.output if o), "")
    return f"node '{name}' ({normal_domain(proto.domain) or 'ai.onnx'}::{proto.op_type})"


def refuse_ambiguous_names(protos: Iterable[onnx.NodeProto], scope: Scope) -> None:
    """Raises if a node reads a name that a later node of its graph and an outer graph both define."""
    seen: set[str] = set()
    for proto in protos:
        for name in proto.input:
            value = scope.values.get(name)
            if value is not None and value.name != name and name not in seen and not _given(value, scope.graph):
                raise InvalidGraph(
                    f"{node_title(proto)} of {scope.title} reads '{name}' before a later node of the same graph defines "
                    "it, and an outer graph has a value of that name too, so it is unclear which is meant. Rename one."
                )
        seen.update(proto.output)


def _given(value: Value, graph: Graph) -> bool:
    return value.const is not None or graph.is_input(value)
