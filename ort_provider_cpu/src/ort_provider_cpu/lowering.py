"""From a partition to a native program: slots for values, an instruction for each node, bodies of control flow as programs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ort_core.errors import NotImplemented as NotImplementedByProvider
from ort_core.ir.graph import Graph, Node, Value, captures
from ort_core.ir.tensors import WeightRef
from ort_core.ir.types import ElementType
from ort_core.providers.spec import CompileContext
from ort_provider_cpu import _native
from ort_provider_cpu.signature import ABSENT, PortType, attribute_values, port_type, type_of_port

N_CAPTURES = "n_captures"
"""The attribute that tells control flow how many of its last inputs are values that its bodies take from around them."""

SMALLEST_STORED_BYTES = 256 << 10
"""Smaller constants are read at once."""

_NO_INPUT = -1
_STORED_AS_USED = frozenset(
    (
        ElementType.FLOAT,
        ElementType.DOUBLE,
        ElementType.FLOAT16,
        ElementType.BFLOAT16,
        ElementType.INT8,
        ElementType.UINT8,
    )
)


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
            if any(v is not None and v.is_used for v in node.outputs):
                self._add(node)
        self.program.finish([self._slot(v) for v in graph.outputs], _output_types(graph))

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
        if _native.has_kernel(node.domain, node.op_type):
            slots = self.program.add_node(node.domain, node.op_type, node.where(), attributes, inputs, outputs)
        else:
            slots = self._add_custom(node, inputs, outputs)
        self._slots.update({v: slot for v, slot in zip(node.outputs, slots, strict=True) if v is not None})

    def _add_custom(self, node: Node, inputs: Sequence[int], outputs: Sequence[PortType]) -> list[int]:
        kernel = self._ctx.kernel(node)
        if kernel.native is None:
            raise NotImplementedByProvider(f"the kernel of {node.where()} has no native entry")
        return self.program.add_custom_node(kernel.fn, kernel.native, node.op_type, node.where(), inputs, outputs)

    def _slot(self, value: Value) -> int:
        slot = self._slots.get(value)
        if slot is None:
            slot = self._slots[value] = self._add_constant(value)
        return slot

    def _add_constant(self, value: Value) -> int:
        weight = value.const
        if not isinstance(weight, WeightRef):
            raise NotImplementedByProvider(f"constant '{value.name}' is no dense tensor")
        if _is_read_late(value, weight):
            return self.program.add_stored_constant(
                partial(self._ctx.read_constant, value), int(weight.element), weight.shape
            )
        array = self._ctx.constant(value)
        # A constant of an outer graph may be asked for again by another body.
        return self.program.add_constant(array, int(weight.element), len(value.uses))


def _is_read_late(value: Value, weight: WeightRef) -> bool:
    """Whether the constant stays in its file until the kernel of the only node that uses it asks for it."""
    return (
        len(value.uses) == 1
        and isinstance(value.uses[0].user, Node)
        and weight.is_seekable
        and weight.nbytes >= SMALLEST_STORED_BYTES
        and weight.element in _STORED_AS_USED
    )


def _output_types(graph: Graph) -> list[PortType]:
    """The types of the outputs as inferred, or as the model declares them where not even the rank is known."""
    declared = graph.declared_outputs or ()
    types = []
    for index, value in enumerate(graph.outputs):
        known = _known_type(value)
        if known[1] is None and len(declared) == len(graph.outputs):
            stated = type_of_port(declared[index])
            known = stated if stated is not None and stated[0] == known[0] else known
        types.append(known)
    return types


def _known_type(value: Value) -> PortType:
    known = port_type(value)
    if known is None:
        raise NotImplementedByProvider(f"value '{value.name}' is no tensor of a known type, but {value.type}")
    return known
