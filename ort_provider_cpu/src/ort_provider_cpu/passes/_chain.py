"""Elementwise operators as opcodes of `ort.cpu::Chain`, and the program that a set of nodes becomes."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ort_core.ir.graph import Node, Value
from ort_core.ir.types import ElementType
from ort_provider_cpu import _native
from ort_provider_cpu.passes._activation import fused_activation
from ort_provider_cpu.passes._elementwise import PLAIN_UNARY
from ort_provider_cpu.passes._match import rank_of, scalar

_UNARY = {name: name.lower() for name in PLAIN_UNARY}
_BINARY = {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Pow": "pow", "PRelu": "prelu"}
_VARIADIC = {"Max": "max", "Min": "min", "Sum": "add"}
_PARAMETERS: Mapping[str, tuple[str, Callable[[Node], Sequence[float]]]] = {
    "LeakyRelu": ("leaky_relu", lambda n: [n.attr("alpha", 0.01)]),
    "ThresholdedRelu": ("thresholded_relu", lambda n: [n.attr("alpha", 1.0)]),
    "Elu": ("elu", lambda n: [n.attr("alpha", 1.0)]),
    "Selu": ("selu", lambda n: [n.attr("alpha", 1.67326319), n.attr("gamma", 1.05070102)]),
    "Celu": ("celu", lambda n: [n.attr("alpha", 1.0)]),
    "HardSigmoid": ("hard_sigmoid", lambda n: [n.attr("alpha", 0.2), n.attr("beta", 0.5)]),
    "HardSwish": ("hard_swish", lambda n: [1 / 6, 0.5]),
    "Swish": ("silu", lambda n: [n.attr("alpha", 1.0)]),
}
_POWERS = {2.0: "square", 3.0: "cube"}


@dataclass(frozen=True, slots=True)
class Instruction:
    """An opcode with the values and the parameters that it takes; several values are combined one after the other."""

    opcode: str
    values: tuple[Value, ...]
    parameters: tuple[float, ...] = ()


def instruction(node: Node) -> Instruction | None:
    """What a float32 node computes of its inputs, element by element; None if Chain cannot compute it."""
    result = node.outputs[0]
    if node.domain or result is None or result.element is not ElementType.FLOAT or len(node.outputs) != 1:
        return None
    found = _instruction(node)
    if found is None or any(v.element is not ElementType.FLOAT for v in found.values):
        return None
    return found


def _instruction(node: Node) -> Instruction | None:
    values = tuple(v for v in node.inputs if v is not None)
    op_type = node.op_type
    if op_type == "Clip":
        bounds = fused_activation(node)
        return None if bounds is None else Instruction("clip", values[:1], (bounds.alpha, bounds.beta))
    if len(values) != len(node.inputs):
        return None
    if op_type in _UNARY:
        return Instruction(_UNARY[op_type], values)
    if op_type in _PARAMETERS:
        opcode, parameters = _PARAMETERS[op_type]
        return Instruction(opcode, values, tuple(float(p) for p in parameters(node)))
    if op_type == "Gelu":
        return Instruction("gelu_tanh" if node.attr("approximate", "none") == "tanh" else "gelu_erf", values)
    if op_type == "Pow" and (power := _POWERS.get(scalar(values[1], rank_of(values[0])) or 0.0)) is not None:
        return Instruction(power, values[:1])
    if op_type in _BINARY:
        return Instruction(_BINARY[op_type], values)
    return Instruction(_VARIADIC[op_type], values) if op_type in _VARIADIC and len(values) > 1 else None


@functools.cache
def _opcodes() -> dict[str, int]:
    return {name: index for index, (name, _, _) in enumerate(_native.chain_opcodes())}


@dataclass(slots=True)
class Program:
    """The attributes and the inputs of a Chain that computes some nodes."""

    inputs: list[Value] = field(default_factory=list)
    constants: list[float] = field(default_factory=list)
    program: list[int] = field(default_factory=list)


def compile_chain(nodes: Sequence[tuple[Node, Instruction]]) -> Program:
    """The program of nodes in topological order, of which the last gives the result."""
    result = Program()
    computed = {node.outputs[0] for node, _ in nodes}
    sources = {v: None for _, step in nodes for v in step.values if v not in computed}
    numbers = _numbers(sources)
    result.inputs = [v for v in sources if v not in numbers]
    ids: dict[Value | None, int] = {v: i for i, v in enumerate(result.inputs)}
    constants: dict[tuple[float, float], int] = {}
    first = len(result.inputs)

    def constant(number: float) -> int:
        key = (number, math.copysign(1.0, number))
        if key not in constants:
            constants[key] = first + len(result.constants)
            result.constants.append(number)
        return constants[key]

    for value, number in numbers.items():
        ids[value] = constant(number)
    parameters = [[constant(p) for p in step.parameters] for _, step in nodes]
    count = first + len(result.constants)
    for (node, step), extra in zip(nodes, parameters, strict=True):
        opcode = _opcodes()[step.opcode]
        operands = [ids[v] for v in step.values]
        if len(operands) == 1:
            result.program += [opcode, operands[0], *extra]
            count += 1
        else:
            left = operands[0]
            for right in operands[1:]:
                result.program += [opcode, left, right]
                left, count = count, count + 1
        ids[node.outputs[0]] = count - 1
    return result


def _numbers(sources: Iterable[Value]) -> dict[Value, float]:
    """Which of the inputs are single numbers that do not add dimensions to the result of the others."""
    found = {v: number for v in sources if (number := scalar(v, rank_of(v))) is not None}
    rank = max((rank_of(v) or 0 for v in sources if v not in found), default=-1)
    return {v: number for v, number in found.items() if (rank_of(v) or 0) <= rank}
