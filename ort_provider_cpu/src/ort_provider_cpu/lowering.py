"""From a partition to a native program: slots for values, an instruction for each node, bodies of control flow as programs."""

from __future__ import annotations

import numpy as np

from ort_core.errors import NotImplemented as NotImplementedByProvider
from ort_core.ir.graph import Graph, Node, Value, captures
from ort_core.ir.tensors import ArrayWeight, WeightRef
from ort_core.ir.types import ElementType
from ort_core.providers.spec import CompileContext
from ort_provider_cpu import _native
from ort_provider_cpu.signature import ABSENT, PortType, attribute_values, port_type, type_of_port

N_CAPTURES = "n_captures"
"""The attribute that tells control flow how many of its last inputs are values that its bodies take from around them."""

SMALLEST_TRANSFER_BYTES = 256 << 10
ALIGNMENT_BYTES = 64

_NO_INPUT = -1
_PACKING = frozenset(
    (
        "Conv",
        "BlockedConv",
        "StemConv",
        "Gemm",
        "MatMul",
        "FusedMatMul",
        "MultiMatMul",
        "GatedMatMul",
        "LSTM",
        "GRU",
        "RNN",
    )
)
"""Operators whose kernels pack their weights and let go of the originals."""


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
        self._transfer = _Transfer(self.program, ctx)
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
        slots = self.program.add_node(node.domain, node.op_type, node.where(), attributes, inputs, outputs)
        self._transfer.node_added()
        self._slots.update({v: slot for v, slot in zip(node.outputs, slots, strict=True) if v is not None})

    def _slot(self, value: Value) -> int:
        slot = self._slots.get(value)
        if slot is None:
            slot = self._slots[value] = self._add_constant(value)
        return slot

    def _add_constant(self, value: Value) -> int:
        weight = value.const
        if not isinstance(weight, WeightRef):
            raise NotImplementedByProvider(f"constant '{value.name}' is no dense tensor")
        if _is_packed(value, weight):
            return self._transfer.add_constant(value, weight)
        array = self._ctx.constant(value)
        # A constant of an outer graph may be asked for again by another body.
        return self.program.add_constant(array, int(weight.element), len(value.uses))


class _Transfer:
    """Memory through which large weights pass from the file to the kernels that pack them."""

    def __init__(self, program: _native.Program, ctx: CompileContext) -> None:
        self._program = program
        self._ctx = ctx
        self._memory = np.empty(0, np.uint8)
        self._used = 0
        self._slots: list[int] = []

    def add_constant(self, value: Value, weight: WeightRef) -> int:
        """Adds the constant for the next node."""
        if len(self._memory) - self._used < weight.nbytes:
            self._memory, self._used = np.empty(weight.nbytes, np.uint8), 0
        memory = self._memory[self._used : self._used + weight.nbytes]
        self._used += weight.nbytes + -weight.nbytes % ALIGNMENT_BYTES
        self._ctx.read_constant(value, memory.data)
        array = memory.view(weight.element.dtype).reshape(weight.shape)
        self._slots.append(self._program.add_constant(array, int(weight.element), 1))
        return self._slots[-1]

    def node_added(self) -> None:
        """Uses the memory again, unless the node keeps what it was given."""
        if any(map(self._program.holds, self._slots)):
            self._memory = np.empty(0, np.uint8)
        self._slots.clear()
        self._used = 0


def _is_packed(value: Value, weight: WeightRef) -> bool:
    """Whether the constant is in a file and the only node that uses it will pack it."""
    user = value.uses[0].user if len(value.uses) == 1 else None
    return (
        isinstance(user, Node)
        and user.op_type in _PACKING
        and not isinstance(weight, ArrayWeight)
        and weight.nbytes >= SMALLEST_TRANSFER_BYTES
        and weight.element in {ElementType.FLOAT, ElementType.DOUBLE, ElementType.FLOAT16, ElementType.BFLOAT16}
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
