"""From a partition to a native program: slots for values, an instruction for each node, bodies of control flow as programs."""

from __future__ import annotations

import numpy as np

from ort_core.errors import NotImplemented as NotImplementedByProvider
from ort_core.ir.graph import Graph, Node, Value, captures
from ort_core.providers.spec import CompileContext
from ort_provider_cpu import _native
from ort_provider_cpu.signature import ABSENT, attribute_values, port_type

N_CAPTURES = "n_captures"
"""The attribute that tells control flow how many of its last inputs are values that its bodies take from around them."""

_NO_INPUT = -1


def lower(graph: Graph, environment: _native.Environment, ctx: CompileContext) -> _native.Program:
    """The program of a graph; its inputs and outputs are the graph's.

    Raises:
        NotImplemented: a value is no tensor of a known type.
    """
    return _Lowering(graph, environment, ctx, ()).program


class _Lowering:
    def __init__(
        self, graph: Graph, environment: _native.Environment, ctx: CompileContext, captured: tuple[Value, ...]
    ) -> None:
        self._environment = environment
        self._ctx = ctx
        self._slots: dict[Value, int] = {}
        self.program = _native.Program(environment)
        for value in (*graph.inputs, *captured):
            self._slots[value] = self.program.add_input(_known_type(value))
        for node in graph.nodes:
            ctx.check()
            self._add(node)
        self.program.finish([self._slot(v) for v in graph.outputs])

    def _add(self, node: Node) -> None:
        inputs = [_NO_INPUT if v is None else self._slot(v) for v in node.inputs]
        bodies = {name: a.value for name, a in node.attributes.items() if isinstance(a.value, Graph)}
        captured = tuple(v for v in captures(node) if not v.is_constant) if bodies else ()
        inputs += [self._slot(v) for v in captured]
        programs = {
            name: _Lowering(body, self._environment, self._ctx, captured).program for name, body in bodies.items()
        }
        attributes = attribute_values(node, programs)
        if bodies:
            attributes[N_CAPTURES] = ("INT", len(captured))
        outputs = [ABSENT if v is None or not v.is_used else _known_type(v) for v in node.outputs]
        slots = self.program.add_node(node.domain, node.op_type, node.where(), attributes, inputs, outputs)
        self._slots.update({v: slot for v, slot in zip(node.outputs, slots, strict=True) if v is not None})

    def _slot(self, value: Value) -> int:
        slot = self._slots.get(value)
        if slot is None:
            array = self._ctx.constant(value)
            if not isinstance(array, np.ndarray) or value.element is None:
                raise NotImplementedByProvider(f"constant '{value.name}' is no dense tensor")
            # A constant of an outer graph may be asked for again by another body.
            uses = len(value.uses)
            slot = self._slots[value] = self.program.add_constant(array, int(value.element), uses)
        return slot


def _known_type(value: Value) -> tuple[int, list[int] | None]:
    known = port_type(value)
    if known is None:
        raise NotImplementedByProvider(f"value '{value.name}' is no tensor of a known type, but {value.type}")
    return known
