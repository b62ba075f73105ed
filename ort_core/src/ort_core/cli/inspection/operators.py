"""The operators of a model: how often each is called, which ONNX lacks, and what tells of quantisation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ort_core.ir.graph import Model, Node
from ort_core.ir.schema import operator_schema
from ort_core.ir.tensors import WeightRef
from ort_core.load.opset import CANONICAL_OPSETS

_QUANTIZED = frozenset(
    {
        "ConvInteger", "DequantizeLinear", "DynamicQuantizeLSTM", "DynamicQuantizeLinear", "DynamicQuantizeMatMul",
        "GatherBlockQuantized", "MatMulBnb4", "MatMulFpQ4", "MatMulInteger", "MatMulIntegerToFloat", "MatMulNBits",
        "QAttention", "QGemm", "QMoE", "QuantizeLinear",
    }
)  # fmt: skip
_SMALL_BITS = 8


@dataclass(frozen=True, slots=True)
class OperatorCount:
    """An operator with the number of its nodes in all graphs.

    Attributes:
        operator: `ai.onnx::Conv`.
        origin: `onnx`; `function` of the model; `custom` for another domain; `unknown` if its standard domain has no such
            operator at the declared opset.
    """

    operator: str
    count: int
    origin: str


@dataclass(frozen=True, slots=True)
class Quantization:
    """What tells of quantisation: counts of operators, and of constants of small types that such operators read.

    Attributes:
        style: `QDQ`, `QLinear`, `dynamic`, `weights only`, or empty for none.
    """

    style: str
    operators: dict[str, int]
    constants: dict[str, int]


def count_operators(model: Model) -> list[OperatorCount]:
    """The operators, the most frequent first."""
    counts: Counter[str] = Counter()
    examples: dict[str, Node] = {}
    for node in _nodes(model):
        counts[node.label] += 1
        examples.setdefault(node.label, node)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [OperatorCount(label, count, _origin(examples[label], model)) for label, count in ordered]


def find_quantization(model: Model) -> Quantization:
    """Quantised operators and the constants that they read."""
    operators: Counter[str] = Counter()
    constants: dict[object, str] = {}
    for node in _nodes(model):
        if not _is_quantized(node):
            continue
        operators[node.label] += 1
        for value in node.inputs:
            const = None if value is None else value.const
            if isinstance(const, WeightRef) and 0 < const.element.bits <= _SMALL_BITS:
                bits = node.attr("bits")
                packed = f"{bits}-bit in " if isinstance(bits, int) else ""
                constants[value] = packed + const.element.onnx_name
    names = {label.partition("::")[2] for label in operators}
    if any(name.startswith("QLinear") for name in names):
        style = "QLinear"
    elif "QuantizeLinear" in names:
        style = "QDQ"
    elif names:
        style = "dynamic" if names & {"DynamicQuantizeLinear", "DynamicQuantizeMatMul"} else "weights only"
    else:
        style = ""
    return Quantization(style, dict(operators.most_common()), dict(Counter(constants.values()).most_common()))


def _nodes(model: Model) -> Iterable[Node]:
    return (node for graph in model.graphs() for node in graph.nodes)


def _is_quantized(node: Node) -> bool:
    return node.op_type in _QUANTIZED or node.op_type.startswith("QLinear")


def _origin(node: Node, model: Model) -> str:
    if (node.domain, node.op_type, node.overload) in model.functions:
        return "function"
    if node.domain not in CANONICAL_OPSETS:
        return "custom"
    opset = node.origin.opset if node.origin is not None else CANONICAL_OPSETS[node.domain]
    return "unknown" if operator_schema(node.op_type, node.domain, opset) is None else "onnx"
