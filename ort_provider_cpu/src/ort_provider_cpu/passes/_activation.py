"""Which operators convolutions and matrix products can apply to their results, as attributes of the fused node."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.rewrite import constant_array, replace_uses


class FusedActivation(NamedTuple):
    """An activation by the engine's name, with its parameters (see `native/simd/activation.h`)."""

    name: str
    alpha: float = 0.0
    beta: float = 0.0


def fused_activation(node: Node) -> FusedActivation | None:
    """The activation that `node` computes of its first input, if the engine's products can apply it."""
    if node.domain:
        return None
    match node.op_type:
        case "Relu":
            return FusedActivation("relu")
        case "LeakyRelu":
            return FusedActivation("leaky_relu", node.attr("alpha", 0.01))
        case "PRelu":
            slope = _number(node, 1, 0.0)
            return None if slope is None else FusedActivation("leaky_relu", slope)
        case "Sigmoid":
            return FusedActivation("sigmoid")
        case "Tanh":
            return FusedActivation("tanh")
        case "Swish":
            return FusedActivation("silu", node.attr("alpha", 1.0))
        case "HardSigmoid":
            return FusedActivation("hard_sigmoid", node.attr("alpha", 0.2), node.attr("beta", 0.5))
        case "HardSwish":
            return FusedActivation("hard_swish", 1 / 6, 0.5)
        case "Gelu":
            return FusedActivation("gelu_tanh" if node.attr("approximate", "none") == "tanh" else "gelu_erf")
        case "Elu":
            return FusedActivation("elu", node.attr("alpha", 1.0))
        case "Softplus":
            return FusedActivation("softplus")
        case "Mish":
            return FusedActivation("mish")
        case "Clip":
            return _clip(node)
    return None


def _clip(node: Node) -> FusedActivation | None:
    low = _number(node, 1, -math.inf)
    high = _number(node, 2, math.inf)
    if low is None or high is None or not low <= high:
        return None
    return FusedActivation("clip", low, high)


def _number(node: Node, index: int, default: float) -> float | None:
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None:
        return default
    array = constant_array(value)
    return None if array is None or array.size != 1 else float(array.reshape(-1)[0])


def only_user(value: Value | None) -> Node | None:
    """The node that is the only use of `value`, in the same graph."""
    if value is None or len(value.uses) != 1:
        return None
    user = value.uses[0].user
    return user if isinstance(user, Node) and user.graph is value.graph else None


def absorb(graph: Graph, user: Node, result: Value | None) -> None:
    """Lets `result` stand for the first output of `user`, whose work its producer has taken over, and removes `user`."""
    output = user.outputs[0]
    user.set_inputs(())
    if output is not None and result is not None:
        replace_uses(output, result)
    graph.remove(user)


def activation_attributes(activation: FusedActivation, prefix: str = "") -> dict[str, Any]:
    """The attributes of the fused node."""
    return {
        "activation": activation.name,
        f"{prefix}alpha": float(activation.alpha),
        f"{prefix}beta": float(activation.beta),
    }
