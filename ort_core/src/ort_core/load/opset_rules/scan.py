"""Upgrade of Scan 8, which looped over a batch axis by itself and took a length for each sequence."""

from __future__ import annotations

import numpy as np

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.rewrite import add_constant, make_attribute
from ort_core.ir.types import TensorType
from ort_core.load.opset_rules.edit import emit, put, take
from ort_core.load.opset_rules.registry import upgrade


@upgrade("Scan", to=9)
def scan_batch_axis(node: Node) -> None:
    """Scans over the batch with a body that scans over the sequence, cut to its length and padded again."""
    lengths, *tensors = node.inputs
    body, n_scans, directions = take(node, "body"), take(node, "num_scan_inputs"), take(node, "directions")
    n_states = len(tensors) - n_scans
    batch = Graph(f"{body.name}_batch", node)
    items = [_item(batch, value) for value in tensors]
    states, steps = items[:n_states], items[n_states:]
    if lengths is None:
        results = _inner_scan(batch, node, (*states, *steps), body, n_scans, directions)
    else:
        end = emit(node, "Reshape", _item(batch, lengths), _ints(batch, [1]), graph=batch)
        zero = _ints(batch, [0])
        cut = [emit(node, "Slice", value, zero, end, zero, graph=batch) for value in steps]
        results = _inner_scan(batch, node, (*states, *cut), body, n_scans, directions)
        full = emit(node, "Shape", steps[0], graph=batch, start=0, end=1)
        pads = emit(node, "Concat", zero, emit(node, "Sub", full, end, graph=batch), graph=batch, axis=0)
        results[n_states:] = [emit(node, "Pad", v, pads, None, zero, graph=batch) for v in results[n_states:]]
        tensors.append(lengths)
    for value in results:
        batch.add_output(value)
    node.set_inputs(tensors)
    put(node, body=batch, num_scan_inputs=len(tensors))


def _inner_scan(
    batch: Graph, node: Node, inputs: tuple[Value, ...], body: Graph, n_scans: int, directions: tuple[int, ...] | None
) -> list[Value]:
    outputs = [Value(batch.fresh_name(f"{value.name}_stack")) for value in body.outputs]
    attributes = {"body": make_attribute(body), "num_scan_inputs": make_attribute(n_scans)}
    if directions is not None:
        attributes["scan_input_directions"] = make_attribute(directions)
    batch.add(Node("Scan", inputs, outputs, attributes, name=f"{node.name}/sequence", origin=node.origin))
    return outputs


def _item(batch: Graph, value: Value | None) -> Value:
    """A formal input of the batch body: one element of `value` along its first axis."""
    type_ = None
    if value is not None and isinstance(value.type, TensorType):
        shape = value.type.shape
        type_ = TensorType(value.type.element, None if shape is None else shape[1:])
    return batch.add_input(Value(batch.fresh_name(f"{value.name if value else 'absent'}_item"), type_))


def _ints(batch: Graph, values: list[int]) -> Value:
    return add_constant(batch, np.array(values, np.int64))
