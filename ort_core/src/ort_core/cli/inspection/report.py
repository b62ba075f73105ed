"""The facts of a model as text."""

from __future__ import annotations

from collections.abc import Sequence

from ort_core.cli.inspection.facts import ModelFacts, NodeFacts, Port
from ort_core.cli.inspection.support import Support
from ort_core.cli.inspection.weights import Constant, totals_by_type
from ort_core.cli.tables import print_table, printable
from ort_core.cli.units import format_bytes, format_count
from ort_core.ir.shapes import format_shape

_NO_VERSION = 2**63 - 1
_LARGEST = 5
_PLACES = 4
_ORIGINS = {"onnx": "", "function": "function of the model", "custom": "not of ONNX", "unknown": "does not exist"}


def print_facts(facts: ModelFacts, *, all_constants: bool) -> None:
    """Prints everything but nodes."""
    _print_head(facts)
    _print_ports("input", facts.inputs)
    _print_ports("overridable initializer", facts.overridable_initializers)
    _print_ports("output", facts.outputs)
    print()
    rows = [(o.operator, f"{o.count:,}", _ORIGINS[o.origin]) for o in facts.operators]
    plain = all(not origin for *_, origin in rows)
    print_table(("operator", "nodes", "origin")[: 2 if plain else 3], [row[: 2 if plain else 3] for row in rows])
    if facts.functions:
        print()
        print_table(("function", "nodes", "calls"), [(f.name, str(f.nodes), str(f.calls)) for f in facts.functions])
    _print_constants(facts, all_constants)
    for problem in facts.problems:
        print(f"\nproblem: {printable(problem)}")


def print_nodes(nodes: Sequence[NodeFacts]) -> None:
    """Prints one row for each node."""
    print()
    scoped = any(node.scope for node in nodes)
    rows = [(n.name or "-", n.text, n.scope) for n in nodes]
    print_table(("node", "computes", "in")[: 3 if scoped else 2], [row[: 3 if scoped else 2] for row in rows])


def print_support(support: Support) -> None:
    """Prints what each provider takes, then what each does not take and why."""
    rows = [(p.name, f"{p.claimed} of {p.asked} nodes" if not p.problem else "failed") for p in support.providers]
    if rows:
        print()
        print_table(("provider", "takes"), rows)
    for provider in support.providers:
        for operator, reason in provider.declined.items():
            print(f"  {printable(provider.name)} declines {printable(operator)}: {printable(reason)}")
        if provider.problem:
            print(f"  {printable(provider.name)}: {printable(provider.problem)}")
    if support.problem:
        print(f"\nproblem: {printable(support.problem)}")


def _print_head(facts: ModelFacts) -> None:
    meta, size = facts.metadata, facts.size
    producer = " ".join(filter(None, (meta.producer_name, facts.producer_version))) or "unknown producer"
    opsets = [
        f"{o.domain} {o.declared}" + (f" (runs as {o.runs_as})" if o.runs_as not in (None, o.declared) else "")
        for o in facts.opsets
    ]
    graph = [format_count(size.nodes, "node"), format_count(len(facts.operators), "operator")]
    if facts.functions:
        graph.append(format_count(len(facts.functions), "function"))
    if size.subgraphs:
        graph.append(f"{format_count(size.subgraphs, 'subgraph')} nested {format_count(size.nesting, 'level')} deep")
    lines = {
        "model": f"{facts.path}, {format_bytes(facts.file_bytes)}",
        "made by": f"{producer}, IR version {facts.ir_version}",
        "opsets": ", ".join(opsets),
        "domain": meta.domain,
        "version": "" if meta.version == _NO_VERSION else str(meta.version),
        "description": meta.description or meta.graph_description,
        "graph": f"{meta.graph_name or '(unnamed)'}: {', '.join(graph)}",
        "dynamic": "; ".join(f"{name}: {_places(where)}" for name, where in facts.dynamic_dimensions.items()),
        "quantised": _quantization(facts),
        **{f"  {key}": value for key, value in meta.custom_metadata_map.items()},
    }
    width = min(max(len(key) for key, text in lines.items() if text), 24)
    for key, text in lines.items():
        if text:
            print(f"{printable(key):{width}}  {printable(_shorten(text))}")


def _places(places: Sequence[str]) -> str:
    more = len(places) - _PLACES
    return ", ".join(places[:_PLACES]) + (f" and {more} more" if more > 0 else "")


def _quantization(facts: ModelFacts) -> str:
    found = facts.quantization
    if not found.style:
        return ""
    operators = [f"{count} {label.partition('::')[2]}" for label, count in found.operators.items()]
    constants = [f"{count} {name} constants" for name, count in found.constants.items()]
    return f"{found.style}: {', '.join([*operators, *constants])}"


def _print_ports(title: str, ports: Sequence[Port]) -> None:
    if ports:
        print()
        print_table((title, "type", "shape"), [(p.name, p.type or "?", format_shape(p.shape)) for p in ports])


def _print_constants(facts: ModelFacts, all_constants: bool) -> None:
    if not facts.constants:
        return
    print()
    totals = totals_by_type(facts.constants)
    rows = [(t.type, f"{t.tensors:,}", f"{t.parameters:,}", format_bytes(t.size_bytes)) for t in totals]
    if len(rows) > 1:
        parameters, size = sum(t.parameters for t in totals), sum(t.size_bytes for t in totals)
        rows.append(("total", f"{len(facts.constants):,}", f"{parameters:,}", format_bytes(size)))
    print_table(("constants", "tensors", "parameters", "size"), rows)
    unused = [c for c in facts.constants if not c.used]
    if unused:
        size = sum(c.size_bytes for c in unused)
        print(f"nothing uses {format_count(len(unused), 'of them', 'of them')} ({format_bytes(size)})")
    if len(facts.files) > 1:
        print()
        places = [
            (
                file.location or "(the model)",
                f"{file.tensors:,}",
                format_bytes(file.tensor_bytes),
                "-" if file.file_bytes is None else format_bytes(file.file_bytes),
                "unreadable" if file.problem else "ok",
            )
            for file in facts.files
        ]
        print_table(("stored in", "tensors", "tensor data", "file", "state"), places)
    chosen = facts.constants if all_constants else largest(facts.constants)
    print()
    print_table(
        ("constant" if all_constants else "largest constants", "type", "shape", "size", "in"),
        [(c.name, c.type, format_shape(c.shape), format_bytes(c.size_bytes), c.location or "model") for c in chosen],
    )


def largest(constants: Sequence[Constant]) -> list[Constant]:
    """The few largest constants, the largest first."""
    return sorted(constants, key=lambda c: -c.size_bytes)[:_LARGEST]


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 300 else text[:297] + "..."
