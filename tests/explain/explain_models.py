"""Models that the tests of explanations draw."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH = 8


def tensor(name, shape, element=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, element, shape)


def to_bytes(nodes, inputs, outputs, initializers=(), name="g") -> bytes:
    graph = helper.make_graph(nodes, name, inputs, outputs, list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def transformer(layers: int, batch: int | str = 1, length: int | str = 16) -> bytes:
    """Layers of attention and feed-forward with Erf in the middle."""
    nodes, weights = [], []

    def weight(name: str, rows: int = WIDTH, columns: int = WIDTH) -> str:
        weights.append(numpy_helper.from_array(np.full((rows, columns), 0.1, np.float32), name))
        return name

    def add(op: str, name: str, *inputs: str, **attributes) -> str:
        nodes.append(helper.make_node(op, inputs, [f"{name}:0"], name=name, **attributes))
        return f"{name}:0"

    weights.append(numpy_helper.from_array(np.float32(0.35), "scale"))
    hidden = add("Gather", "embed/Gather", weight("embed/table", 100), "ids")
    for layer in range(layers):
        at = f"layer.{layer}"
        query = add("MatMul", f"{at}/attention/query/MatMul", hidden, weight(f"{at}/q"))
        key = add("MatMul", f"{at}/attention/key/MatMul", hidden, weight(f"{at}/k"))
        value = add("MatMul", f"{at}/attention/value/MatMul", hidden, weight(f"{at}/v"))
        turned = add("Transpose", f"{at}/attention/key/Transpose", key, perm=[0, 2, 1])
        scores = add("MatMul", f"{at}/attention/scores/MatMul", query, turned)
        scaled = add("Mul", f"{at}/attention/scores/Mul", scores, "scale")
        shares = add("Softmax", f"{at}/attention/Softmax", scaled)
        mixed = add("MatMul", f"{at}/attention/mix/MatMul", shares, value)
        attended = add("Add", f"{at}/attention/Add", hidden, mixed)
        wide = add("MatMul", f"{at}/mlp/up/MatMul", attended, weight(f"{at}/up"))
        bent = add("Erf", f"{at}/mlp/act/Erf", wide)
        down = add("MatMul", f"{at}/mlp/down/MatMul", bent, weight(f"{at}/down"))
        hidden = add("Add", f"{at}/mlp/Add", attended, down)
    nodes.append(helper.make_node("Tanh", [hidden], ["y"], name="head/Tanh"))
    return to_bytes(
        nodes,
        [tensor("ids", [batch, length], TensorProto.INT64)],
        [tensor("y", [batch, length, WIDTH])],
        weights,
        "transformer",
    )


def chain(*ops: str) -> bytes:
    names = ["x", *(f"v{i}" for i in range(1, len(ops))), "y"]
    nodes = [helper.make_node(op, [a], [b]) for op, a, b in zip(ops, names, names[1:], strict=False)]
    return to_bytes(nodes, [tensor("x", ["N"])], [tensor("y", ["N"])])


def control_flow() -> bytes:
    """A Loop whose body holds an If; `x` is captured by both."""
    then = helper.make_graph(
        [helper.make_node("Tanh", ["state"], ["bent"], name="bend")], "then", [], [tensor("bent", [4])]
    )
    other = helper.make_graph([helper.make_node("Sub", ["state", "x"], ["less"], name="reduce")], "else", [],
                              [tensor("less", [4])])  # fmt: skip
    body = helper.make_graph(
        [
            helper.make_node("ReduceSum", ["state"], ["total"], keepdims=0, name="sum"),
            helper.make_node("Greater", ["total", "limit"], ["big"], name="compare"),
            helper.make_node("If", ["big"], ["next"], then_branch=then, else_branch=other, name="choose"),
            helper.make_node("Identity", ["go"], ["go_on"], name="keep"),
            helper.make_node("Mul", ["next", "x"], ["scan"], name="scale"),
        ],
        "body",
        [tensor("i", [], TensorProto.INT64), tensor("go", [], TensorProto.BOOL), tensor("state", [4])],
        [tensor("go_on", [], TensorProto.BOOL), tensor("next", [4]), tensor("scan", [4])],
    )
    return to_bytes(
        [
            helper.make_node("Neg", ["x"], ["start"], name="negate"),
            helper.make_node("Loop", ["trips", "", "start"], ["end", "scans"], body=body, name="repeat"),
            helper.make_node("Add", ["end", "x"], ["y"], name="finish"),
        ],
        [tensor("x", [4]), tensor("trips", [], TensorProto.INT64)],
        [tensor("y", [4]), tensor("scans", ["T", 4])],
        [numpy_helper.from_array(np.float32(1), "limit")],
    )


def random_graph(count: int, seed: int = 0) -> bytes:
    """`count` nodes that read random earlier ones, without repeats."""
    rng = np.random.default_rng(seed)
    unary, binary = ["Relu", "Tanh", "Exp", "Neg", "Abs", "Sigmoid", "Sqrt"], ["Add", "Mul", "Sub", "Div"]
    nodes, values, unread = [], ["x"], {"x"}
    for index in range(count):
        recent = values[-40:]
        op = str(rng.choice(binary if rng.random() < 0.5 else unary))
        inputs = [str(rng.choice(recent)) for _ in range(2 if op in binary else 1)]
        unread -= set(inputs)
        nodes.append(helper.make_node(op, inputs, [f"v{index}"], name=f"node_{index}"))
        values.append(f"v{index}")
        unread.add(f"v{index}")
    outputs = [tensor(name, ["N"]) for name in values if name in unread]
    return to_bytes(nodes, [tensor("x", ["N"])], outputs, name="random")
