"""Replaces Gradient nodes, which name tensors of the graph around them, by nodes that compute the derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ort_core.errors import InvalidGraph
from ort_core.errors import NotImplemented as NotDifferentiable
from ort_core.ir.graph import Graph, Model, Node, Value
from ort_core.ir.rewrite import clone_node, graph_of, replace_node
from ort_core.load.derivatives import RULES, Emitter
from ort_core.load.opset_functions import bodies
from ort_core.load.opset_rules.edit import look

_DOMAIN = "ai.onnx.preview.training"


def bind_gradients(model: Model) -> list[Node]:
    """Makes the tensors that Gradient nodes name further inputs of theirs, so that rewrites keep track of them.

    Returns:
        The nodes, each after those that it depends on.

    Raises:
        InvalidGraph: a name is unknown, a tensor depends on its own gradient, or the number of inputs is wrong.
    """
    found: list[Node] = []
    for body, imports in bodies(model):
        if _DOMAIN not in imports:
            continue
        for graph in list(body.graphs()):
            nodes = [n for n in graph.nodes if n.op_type == "Gradient" and n.domain == _DOMAIN]
            if nodes:
                names = _visible(graph)
                for node in nodes:
                    _bind(node, names)
                graph.sort()
                found += [n for n in graph.nodes if n in nodes]
    return found


def expand_gradients(model: Model, nodes: Sequence[Node], infer: Callable[[Model], object] | None) -> None:
    """Replaces Gradient nodes that `bind_gradients` returned, once the model is at the common opset.

    Args:
        infer: sets the types of values; called where the derivative of a MatMul depends on a rank that is unknown.

    Raises:
        NotImplemented: an operator between has no derivative here.
    """
    for node in nodes:
        graph = graph_of(node)
        if infer is not None and any(_wants_ranks(n) for n in graph.nodes):
            infer(model)
        _expand(node)
        graph.sort()


def _wants_ranks(node: Node) -> bool:
    return node.op_type == "MatMul" and any(v is not None and v.shape is None for v in node.inputs)


def _visible(graph: Graph) -> dict[str, Value]:
    """The values that a node of `graph` may name."""
    outer = graph.parent.graph if graph.parent is not None else None
    names = {} if outer is None else _visible(outer)
    names.update({v.name: v for v in (*graph.inputs, *graph.initializers.values())})
    names.update({v.name: v for node in graph.nodes for v in node.outputs if v is not None})
    return names


def _bind(node: Node, names: dict[str, Value]) -> None:
    variables = (*look(node, "xs", ()), *look(node, "zs", ()))
    if None in node.inputs or len(node.inputs) != len(variables) or len(node.outputs) > len(look(node, "xs", ())):
        raise InvalidGraph(
            f"{node.where()} has {len(node.inputs)} inputs and {len(node.outputs)} outputs, expected one input for each name "
            f"in xs and zs ({', '.join(variables) or 'none'}) and at most one output for each in xs"
        )
    if len(set(variables)) != len(variables):
        raise InvalidGraph(f"{node.where()} names a tensor twice in xs and zs ({', '.join(variables)})")
    for name in (*variables, look(node, "y", "")):
        if name not in names:
            raise InvalidGraph(f"{node.where()} names the tensor '{name}', which graph '{graph_of(node).name}' lacks")
        node.append_input(names[name])


def _expand(node: Node) -> None:
    count = len(node.inputs) // 2
    given, variables, y = node.inputs[:count], node.inputs[count:-1], node.inputs[-1]
    points = [v for v in variables if v is not None]
    if y is None:
        raise InvalidGraph(f"{node.where()} has lost the tensor that it is to differentiate")
    emit = Emitter(node)
    path = _path(node, y, points)
    if given != variables:
        values = {p: emit("Identity", at) for p, at in zip(points, given, strict=True)}
        path = [graph_of(node).add(clone_node(n, values, names=node.graph)) for n in path]
        points, y = [values[p] for p in points], values.get(y, y)
    gradients = _differentiate(node, emit, path, y, points[: len(look(node, "xs"))])
    replace_node(
        node,
        [
            None if output is None else gradients.get(point) or emit.fill(0, point)
            for output, point in zip(node.outputs, points, strict=False)
        ],
    )


def _path(node: Node, y: Value, points: Sequence[Value]) -> list[Node]:
    """The nodes through which `y` depends on `points`, in topological order."""
    graph = graph_of(node)
    reached: set[Node] = set()
    open_values = [y]
    while open_values:
        value = open_values.pop()
        producer = value.producer
        if value in points or producer is None or producer in reached:
            continue
        if producer.graph is not graph:
            raise NotDifferentiable(
                f"{node.where()}: '{y.name}' depends on '{value.name}' of an outer graph, which is not differentiated. Name it "
                "in zs, or move the node into that graph."
            )
        reached.add(producer)
        open_values += [v for v in producer.inputs if v is not None]
    return list(_depending((n for n in graph.nodes if n in reached), set(points)))


def _depending(nodes: Iterable[Node], known: set[Value]) -> Iterator[Node]:
    """The nodes that depend on `known`, to which their outputs are added; subgraphs may depend on anything."""
    for node in nodes:
        if any(v in known for v in node.inputs) or any(True for _ in node.subgraphs):
            known.update(v for v in node.outputs if v is not None)
            yield node


def _differentiate(
    gradient: Node, emit: Emitter, path: Sequence[Node], y: Value, points: Sequence[Value]
) -> dict[Value, Value]:
    """The gradients of `y` with respect to each of the points that it depends on."""
    active = set(points)
    totals = {y: emit.fill(1, y)}
    for node in reversed(list(_depending(path, active))):
        known = [v for v in node.outputs if v in totals]
        if not known:
            continue
        rule = RULES.get(node.op_type)
        if rule is None or node.domain or len(node.outputs) != 1:
            raise NotDifferentiable(
                f"{gradient.where()} cannot be computed: {node.where()} has no derivative here. Operators that have one: "
                f"{', '.join(sorted(RULES))}."
            )
        for value, derivative in zip(node.inputs, rule(emit, node, totals[known[0]]), strict=False):
            if value is not None and value in active and derivative is not None:
                part = derivative()
                totals[value] = emit("Add", totals[value], part) if value in totals else part
    return totals
