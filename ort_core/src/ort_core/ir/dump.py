"""Readable text of graphs, for `ORT_CORE_DUMP`, tests and messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ort_core.ir.types import describe

if TYPE_CHECKING:
    from ort_core.ir.attributes import Attribute
    from ort_core.ir.graph import Graph, Node, Value


def dump_graph(graph: Graph, indent: str = "") -> str:
    """One line per input, constant, node and output; subgraphs indented below their node."""
    lines = [f"{indent}graph {graph.name or '(unnamed)'}"]
    inner = indent + "  "
    lines += [f"{inner}input %{v.name}: {describe(v.type)}{' = default' if v.const else ''}" for v in graph.inputs]
    lines += [
        f"{inner}const %{v.name}: {describe(v.type)}" for v in graph.initializers.values() if not graph.is_input(v)
    ]
    for node in graph.nodes:
        lines.append(inner + dump_node(node))
        for name, attribute in node.attributes.items():
            graphs = {5: (attribute.value,), 10: attribute.value}.get(int(attribute.kind), ())
            for subgraph in graphs:
                lines += [f"{inner}  {name} =", dump_graph(subgraph, inner + "    ")]
    lines.append(
        f"{inner}return " + ", ".join(_output(n, v) for n, v in zip(graph.output_names, graph.outputs, strict=True))
    )
    return "\n".join(lines)


def dump_node(node: Node) -> str:
    """`%y: tensor(float) [N, 8] = Gemm(%x, %w) {transB=1}`."""
    outputs = ", ".join("_" if v is None else f"%{v.name}: {describe(v.type)}" for v in node.outputs)
    inputs = ", ".join("_" if v is None else f"%{v.name}" for v in node.inputs)
    attributes = ", ".join(f"{k}={_attribute(a)}" for k, a in node.attributes.items() if int(a.kind) not in (5, 10))
    op = node.op_type if not node.domain else f"{node.domain}::{node.op_type}"
    return f"{outputs} = {op}({inputs})" + (f" {{{attributes}}}" if attributes else "")


def _output(name: str, value: Value) -> str:
    return f"%{value.name}" if name == value.name else f"%{value.name} as {name}"


def _attribute(attribute: Attribute) -> str:
    if attribute.ref:
        return f"@{attribute.ref}"
    if int(attribute.kind) in (4, 9, 11, 12):
        return "<tensor>"
    text = repr(attribute.value)
    return text if len(text) <= 60 else text[:57] + "..."
