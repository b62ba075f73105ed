"""The graph: nodes, values with use lists, subgraphs, functions, model.

A value has one producer (a node, or none for inputs and constants) and a list of uses. A graph output is a use whose user
is the graph itself; the interface name of an output is kept apart from the value's name, so rewrites may let an output
refer to any value. A subgraph refers to values of its outer graphs directly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ort_core.errors import InvalidGraph
from ort_core.ir.attributes import Attribute, AttributeKind, SparseWeight
from ort_core.ir.order import stable_topological_order
from ort_core.ir.types import ElementType, TensorType, ValueType, describe

if TYPE_CHECKING:
    from ort_core.ir.tensors import WeightRef

ONNX_DOMAIN = ""


class Origin(NamedTuple):
    """What a node was in the file before it was brought to the common opset; used in messages."""

    op_type: str
    domain: str
    opset: int


class Use(NamedTuple):
    """Input `slot` of a node, or output `slot` of a graph."""

    user: Node | Graph
    slot: int


class Value:
    """An edge of the graph.

    Attributes:
        name: unique within the graph and its outer scopes.
        type: the inferred type, or None while it is unknown.
        const: the constant, for initializers and for defaults of overridable inputs.
        producer: the node that computes it, or None.
        uses: every input of a node (of this graph or a subgraph) and every graph output that refers to it.
    """

    __slots__ = ("_uses", "const", "doc", "graph", "metadata", "name", "producer", "type")

    def __init__(self, name: str, type_: ValueType | None = None) -> None:
        self.name = name
        self.type = type_
        self.const: WeightRef | SparseWeight | None = None
        self.producer: Node | None = None
        self.graph: Graph | None = None
        self.doc = ""
        self.metadata: dict[str, str] = {}
        self._uses: dict[Use, None] = {}

    @property
    def uses(self) -> tuple[Use, ...]:
        """All uses, in the order in which they were made."""
        return tuple(self._uses)

    @property
    def is_used(self) -> bool:
        """Whether a node or a graph output refers to it."""
        return bool(self._uses)

    @property
    def is_constant(self) -> bool:
        """Whether the value is fixed at load: an initializer that no feed can override."""
        return self.const is not None and (self.graph is None or not self.graph.is_input(self))

    @property
    def is_graph_output(self) -> bool:
        """Whether a graph returns this value."""
        return any(isinstance(use.user, Graph) for use in self._uses)

    @property
    def element(self) -> ElementType | None:
        """The element type of a tensor, or None."""
        return self.type.element if isinstance(self.type, TensorType) else None

    @property
    def shape(self) -> tuple[Any, ...] | None:
        """The shape of a tensor, or None while its rank is unknown."""
        return self.type.shape if isinstance(self.type, TensorType) else None

    def __repr__(self) -> str:
        return f"%{self.name}: {describe(self.type)}"


class Node:
    """One operator call. Absent optional inputs and outputs are None."""

    __slots__ = (
        "_inputs",
        "attributes",
        "doc",
        "domain",
        "graph",
        "metadata",
        "name",
        "op_type",
        "origin",
        "outputs",
        "overload",
    )

    def __init__(
        self,
        op_type: str,
        inputs: Iterable[Value | None],
        outputs: Iterable[Value | None],
        attributes: Mapping[str, Attribute] | None = None,
        *,
        domain: str = ONNX_DOMAIN,
        name: str = "",
        overload: str = "",
        origin: Origin | None = None,
    ) -> None:
        self.op_type = op_type
        self.domain = domain
        self.overload = overload
        self.name = name
        self.attributes: dict[str, Attribute] = dict(attributes or {})
        self.doc = ""
        self.metadata: dict[str, str] = {}
        self.origin = origin
        self.graph: Graph | None = None
        self._inputs: list[Value | None] = []
        self.outputs: list[Value | None] = list(outputs)
        for value in inputs:
            self.append_input(value)
        for value in self.outputs:
            if value is not None:
                if value.producer is not None:
                    raise InvalidGraph(f"value '{value.name}' is produced by {value.producer} and again by {self}")
                value.producer = self

    @property
    def inputs(self) -> tuple[Value | None, ...]:
        """The inputs; change them with `set_input` and `append_input`."""
        return tuple(self._inputs)

    def set_input(self, index: int, value: Value | None) -> None:
        """Replaces one input and keeps the use lists right."""
        old = self._inputs[index]
        if old is not None:
            del old._uses[Use(self, index)]
        self._inputs[index] = value
        if value is not None:
            value._uses[Use(self, index)] = None

    def append_input(self, value: Value | None) -> None:
        """Adds an input at the end."""
        self._inputs.append(None)
        self.set_input(len(self._inputs) - 1, value)

    def set_inputs(self, values: Iterable[Value | None]) -> None:
        """Replaces all inputs."""
        for index in range(len(self._inputs)):
            self.set_input(index, None)
        self._inputs.clear()
        for value in values:
            self.append_input(value)

    def attr(self, name: str, default: Any = None) -> Any:
        """The value of an attribute; strings are decoded. `default` when the node does not set it."""
        attribute = self.attributes.get(name)
        if attribute is None:
            return default
        if attribute.kind is AttributeKind.STRING:
            return attribute.value.decode("utf-8", "surrogateescape")
        if attribute.kind is AttributeKind.STRINGS:
            return tuple(s.decode("utf-8", "surrogateescape") for s in attribute.value)
        return attribute.value

    @property
    def subgraphs(self) -> Iterator[Graph]:
        """The graphs among the attributes (If, Loop, Scan, ...)."""
        found: list[Graph] = []
        for attribute in self.attributes.values():
            if attribute.kind is AttributeKind.GRAPH and attribute.value is not None:
                found.append(attribute.value)
            elif attribute.kind is AttributeKind.GRAPHS and attribute.value is not None:
                found += attribute.value
        return iter(found)

    @property
    def label(self) -> str:
        """`domain::op`, with the ONNX domain spelt `ai.onnx`."""
        return f"{self.domain or 'ai.onnx'}::{self.op_type}"

    def where(self) -> str:
        """The node as messages name it: `node 'attn/qk' (ai.onnx::Einsum, opset 12)`, as it was in the file."""
        name = self.name or next((v.name for v in self.outputs if v is not None), "")
        if self.origin is None:
            return f"node '{name}' ({self.label})"
        return f"node '{name}' ({self.origin.domain or 'ai.onnx'}::{self.origin.op_type}, opset {self.origin.opset})"

    def __repr__(self) -> str:
        return self.where()


class Graph:
    """Nodes in topological order with inputs, outputs and constants.

    `add` appends and `remove` deletes in constant time; after out-of-order additions `sort()` restores the order.

    Attributes:
        declared_outputs: the output types that the file declares; for the main graph kept by the first type inference.
    """

    def __init__(self, name: str = "", parent: Node | None = None) -> None:
        self.name = name
        self.doc = ""
        self.metadata: dict[str, str] = {}
        self.annotations: tuple[Any, ...] = ()
        self.parent = parent
        self._inputs: dict[Value, None] = {}
        self._outputs: list[Value] = []
        self.output_names: list[str] = []
        self.declared_outputs: tuple[ValueType | None, ...] | None = None
        self.initializers: dict[str, Value] = {}
        self._nodes: dict[Node, None] = {}

    # -- interface
    @property
    def inputs(self) -> tuple[Value, ...]:
        """Formal inputs; one with a `const` is overridable."""
        return tuple(self._inputs)

    def is_input(self, value: Value) -> bool:
        """Whether `value` is a formal input of this graph."""
        return value in self._inputs

    def add_input(self, value: Value) -> Value:
        """Appends a formal input."""
        value.graph = self
        self._inputs[value] = None
        return value

    def remove_input(self, value: Value) -> None:
        """Removes a formal input; the value itself stays."""
        del self._inputs[value]

    @property
    def outputs(self) -> tuple[Value, ...]:
        """What the graph returns; `output_names` are the interface names in the same order."""
        return tuple(self._outputs)

    def add_output(self, value: Value, name: str | None = None) -> None:
        """Appends an output under its interface name."""
        self._outputs.append(value)
        self.output_names.append(value.name if name is None else name)
        value._uses[Use(self, len(self._outputs) - 1)] = None

    def set_output(self, index: int, value: Value) -> None:
        """Makes output `index` refer to another value."""
        del self._outputs[index]._uses[Use(self, index)]
        self._outputs[index] = value
        value._uses[Use(self, index)] = None

    # -- contents
    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes, as a snapshot that stays valid while the graph is rewritten."""
        return tuple(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, node: object) -> bool:
        return node in self._nodes

    def add(self, node: Node) -> Node:
        """Appends a node."""
        self._nodes[node] = None
        node.graph = self
        for value in node.outputs:
            if value is not None:
                value.graph = self
        for subgraph in node.subgraphs:
            subgraph.parent = node
        return node

    def remove(self, node: Node) -> None:
        """Deletes a node whose outputs have no uses left.

        Raises:
            InvalidGraph: an output is still used.
        """
        for value in node.outputs:
            if value is not None and value._uses:
                raise InvalidGraph(f"cannot remove {node}: '{value.name}' is used by {value.uses[0].user}")
        for subgraph in node.subgraphs:
            subgraph.clear()
        node.set_inputs(())
        for value in node.outputs:
            if value is not None:
                value.producer = None
        node.graph = None
        del self._nodes[node]

    def clear(self) -> None:
        """Releases every use that this graph makes of outer values."""
        for index, value in enumerate(self._outputs):
            del value._uses[Use(self, index)]
        self._outputs.clear()
        self.output_names.clear()
        for node in reversed(self.nodes):
            self.remove(node)

    def add_initializer(self, value: Value) -> Value:
        """Adds a constant value (its `const` is set)."""
        value.graph = self
        self.initializers[value.name] = value
        return value

    def remove_initializer(self, value: Value) -> None:
        """Forgets a constant."""
        del self.initializers[value.name]

    # -- order and scope
    def sort(self) -> None:
        """Stable topological sort, counting what subgraphs capture.

        Raises:
            InvalidGraph: the nodes form a cycle.
        """
        position = {node: i for i, node in enumerate(self._nodes)}
        needs = {node: {d for d in self._dependencies(node) if d in position} for node in self._nodes}
        if all(position[d] < position[node] for node, deps in needs.items() for d in deps):
            return
        self._nodes = dict.fromkeys(stable_topological_order(position, needs))

    def _dependencies(self, node: Node) -> Iterator[Node]:
        for value in node.inputs:
            if value is not None and value.producer is not None:
                yield value.producer
        for value in captures(node):
            if value.producer is not None:
                yield value.producer

    def walk(self) -> Iterator[Node]:
        """Every node of this graph and of all subgraphs, outer before inner."""
        for node in self.nodes:
            yield node
            for subgraph in node.subgraphs:
                yield from subgraph.walk()

    def graphs(self) -> Iterator[Graph]:
        """This graph and all subgraphs."""
        yield self
        for node in self.nodes:
            for subgraph in node.subgraphs:
                yield from subgraph.graphs()

    def fresh_name(self, base: str) -> str:
        """A value name that is free in the whole model, derived from `base`."""
        root = self
        while root.parent is not None and root.parent.graph is not None:
            root = root.parent.graph
        taken = root.used_names()
        if base not in taken:
            taken.add(base)
            return base
        number = taken.counters.get(base, 0)
        while (name := f"{base}_{(number := number + 1)}") in taken:
            pass
        taken.counters[base] = number
        taken.add(name)
        return name

    def used_names(self) -> _NameTable:
        """The names in use in this graph and its subgraphs; kept between calls."""
        table: _NameTable | None = getattr(self, "_names", None)
        if table is None:
            table = self._names = _NameTable()
            for graph in self.graphs():
                table.update(v.name for v in graph.inputs)
                table.update(graph.output_names)
                table.update(graph.initializers)
                for node in graph.nodes:
                    table.update(v.name for v in node.outputs if v is not None)
        return table

    def dump(self, indent: str = "") -> str:
        """A readable listing of the graph, one node a line."""
        from ort_core.ir.dump import dump_graph

        return dump_graph(self, indent)


class _NameTable(set[str]):
    def __init__(self) -> None:
        super().__init__()
        self.counters: dict[str, int] = {}


def captures(node: Node) -> tuple[Value, ...]:
    """The values of outer scopes that the subgraphs of `node` use, each once."""
    found: dict[Value, None] = {}
    for subgraph in node.subgraphs:
        inside = set(subgraph.graphs())
        for graph in inside:
            for value in graph.outputs:
                if value.graph not in inside:
                    found[value] = None
            for inner in graph.nodes:
                for used in inner.inputs:
                    if used is not None and used.graph not in inside:
                        found[used] = None
    return tuple(found)


@dataclass(slots=True)
class Function:
    """A model-local function: its body, its opsets, and its attributes with their defaults (None where required)."""

    domain: str
    name: str
    overload: str
    graph: Graph
    attributes: dict[str, Attribute | None] = field(default_factory=dict)
    doc: str = ""
    opset_imports: dict[str, int] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        """Domain, name and overload: what a node must match to call it."""
        return (self.domain, self.name, self.overload)


@dataclass(slots=True)
class Model:
    """A graph with its functions, opsets and metadata.

    Attributes:
        opset_imports: domain to version; after normalisation the ONNX domain is at `CANONICAL_OPSET`.
        original_opsets: as the file declared them.
        header: the `onnx.ModelProto` without graph and functions, for lossless saving.
        sources: the files and buffers that it was read from: the model itself under the empty name, external data by location.
    """

    graph: Graph
    opset_imports: dict[str, int]
    functions: dict[tuple[str, str, str], Function] = field(default_factory=dict)
    original_opsets: dict[str, int] = field(default_factory=dict)
    header: Any = None
    sources: Mapping[str, Any] = field(default_factory=dict)

    def graphs(self) -> Iterator[Graph]:
        """The main graph, the function bodies and every subgraph of them."""
        yield from self.graph.graphs()
        for function in self.functions.values():
            yield from function.graph.graphs()
