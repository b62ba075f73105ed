"""Written cases: recurrent networks and loops."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from ort_core.testing.conformance.opset_cases.recipe import case
from ort_core.testing.conformance.opset_cases.samples import Attributes, f32, i64, scalar


def recurrent(gates: int, directions: int = 1) -> tuple[np.ndarray, ...]:
    """X, W, R and B for 4 hidden units."""
    rows = gates * 4
    return f32(5, 2, 3), f32(directions, rows, 3), f32(directions, rows, 4), f32(directions, rows * 2)


def running_sum() -> onnx.GraphProto:
    """A Scan body: (state, item) -> (state + item, 2 * (state + item))."""
    nodes = [helper.make_node("Add", ["s", "item"], ["next"]), helper.make_node("Add", ["next", "next"], ["twice"])]
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [3]) for n in ("s", "item", "next", "twice")]
    return helper.make_graph(nodes, "body", info[:2], info[2:])


def doubling() -> onnx.GraphProto:
    """A Loop body: (iteration, condition, state) -> (condition, 2 * state, state)."""
    nodes = [
        helper.make_node("Identity", ["go"], ["on"]),
        helper.make_node("Add", ["s", "s"], ["next"]),
        helper.make_node("Identity", ["s"], ["item"]),
    ]
    iteration = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    go, on = (helper.make_tensor_value_info(n, TensorProto.BOOL, []) for n in ("go", "on"))
    s, following, item = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [3]) for n in ("s", "next", "item"))
    return helper.make_graph(nodes, "body", [iteration, go, s], [on, following, item])


SCAN: Attributes = {"out": "state stack", "body": running_sum(), "num_scan_inputs": 1}
LOOP: Attributes = {"out": "state stack", "body": doubling()}

RECIPES = [
    case("RNN", (7, 14), *recurrent(1), hidden_size=4, out="y h"),
    case("GRU", (7, 14), *recurrent(3), hidden_size=4, linear_before_reset=1, out="y h"),
    case("LSTM", (7, 14), *recurrent(4), hidden_size=4, out="y h c"),
    case("Scan", 8, None, f32(2, 3), f32(2, 4, 3), **SCAN),
    case("Scan", 8, i64(2, 4), f32(2, 3), f32(2, 4, 3), **SCAN, note="lengths"),
    case("Scan", 8, i64(3, 1), f32(2, 3), f32(2, 4, 3), **SCAN, directions=[1], note="reversed"),
    case("Scan", (9, 11, 16), f32(3), f32(4, 3), **SCAN),
    case("Loop", (7, 11, 13, 16), scalar(3, np.int64), scalar(True, bool), f32(3), **LOOP),
    case("Loop", (7, 11), scalar(3, np.int64), scalar(False, bool), f32(3), **LOOP, note="never"),
    *(
        case(
            op,
            (7, 14, 22),
            *recurrent(gates, directions),
            np.array([5, 3], np.int32),
            f32(directions, 2, 4),
            hidden_size=4,
            direction="reverse" if directions == 1 else "bidirectional",
            activations=activations * directions,
            out=out,
            note=f"{directions}_with_lengths",
        )
        for directions in (1, 2)
        for op, gates, activations, out in (
            ("RNN", 1, ["Relu"], "y h"),
            ("GRU", 3, ["Sigmoid", "Relu"], "y h"),
            ("LSTM", 4, ["Sigmoid", "Tanh", "Relu"], "y h c"),
        )
    ),
    case("GRU", (7, 14), *recurrent(3), hidden_size=4, clip=0.3, out="y h", note="clip"),
    case("LSTM", (7, 14), *recurrent(4), None, None, None, f32(1, 12), hidden_size=4, out="y h c", note="peepholes"),
    case("Loop", (7, 11, 13), scalar(3, np.int64), None, f32(3), **LOOP, note="no_condition"),
    case("Scan", (9, 11), f32(3), f32(4, 3), **SCAN, scan_input_directions=[1], note="backward"),
    case("Scan", (9, 11), f32(3), f32(4, 3), **SCAN, scan_output_directions=[1], note="prepended"),
    case("Scan", (9, 11), f32(3), f32(3, 4), **SCAN, scan_input_axes=[1], scan_output_axes=[1], note="axes"),
    case("Scan", 11, f32(3), f32(3, 4), **SCAN, scan_input_axes=[-1], scan_output_axes=[-1], note="negative_axes"),
]
