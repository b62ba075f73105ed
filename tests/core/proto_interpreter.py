"""An interpreter of the ONNX protos that `random_models` makes; it knows nothing of the core."""

from __future__ import annotations

from collections import ChainMap
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper


def interpret(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs of a model that `random_case` made, straight from the definitions of the operators."""
    functions = {(f.domain, f.name): f for f in model.functions}
    graph = model.graph
    scope: ChainMap[str, Any] = ChainMap(dict(feeds))
    with np.errstate(all="ignore"):
        return _run_graph(graph, [feeds[v.name] for v in graph.input], scope, {}, functions)


def _run_graph(graph: Any, inputs: list[Any], scope: Any, attributes: Any, functions: Any) -> list[np.ndarray]:
    scope = scope.new_child({t.name: numpy_helper.to_array(t) for t in graph.initializer})
    scope.update({v.name: value for v, value in zip(graph.input, inputs, strict=True)})
    for node in graph.node:
        _run_node(node, scope, attributes, functions)
    return [scope[v.name] for v in graph.output]


def _run_node(node: Any, scope: Any, attributes: Any, functions: Any) -> None:
    inputs = [scope[n] if n else None for n in node.input]
    own = {}
    for a in node.attribute:
        if not a.ref_attr_name:
            own[a.name] = helper.get_attribute_value(a)
        elif a.ref_attr_name in attributes:
            own[a.name] = attributes[a.ref_attr_name]
    function = functions.get((node.domain, node.op_type))
    if function is not None:
        defaults = {a.name: helper.get_attribute_value(a) for a in function.attribute_proto}
        inner: ChainMap[str, Any] = ChainMap(dict.fromkeys(function.input))
        inner.update(zip(function.input, inputs, strict=False))
        for each in function.node:
            _run_node(each, inner, defaults | own, functions)
        results = [inner[n] for n in function.output]
    elif node.op_type in CONTROL:
        results = CONTROL[node.op_type](
            inputs, own, lambda body, args: _run_graph(body, args, scope, attributes, functions)
        )
    else:
        results = OPERATORS[node.op_type](*inputs, **own)
        results = results if isinstance(results, tuple | list) else [results]
    for name, value in zip(node.output, results, strict=False):
        if name:
            scope[name] = np.asarray(value)


def _if(inputs: Any, own: Any, run: Any) -> list[np.ndarray]:
    return run(own["then_branch" if inputs[0] else "else_branch"], [])


def _loop(inputs: Any, own: Any, run: Any) -> list[np.ndarray]:
    body = own["body"]
    n_state = len(body.input) - 2
    limit, proceed, *state = [*inputs, *[None] * 2][: 2 + n_state]
    proceed = True if proceed is None else proceed
    rows: list[list[Any]] = []
    while proceed and (limit is None or len(rows) < limit):
        proceed, *results = run(body, [np.array(len(rows)), np.array(True), *state])
        state = results[:n_state]
        rows.append(results[n_state:])
    return [*state, *_stacked(body.output[1 + n_state :], rows, [0] * 9, [0] * 9)]


def _scan(inputs: Any, own: Any, run: Any) -> list[np.ndarray]:
    body, n = own["body"], own["num_scan_inputs"]
    state, scanned = inputs[: len(inputs) - n], inputs[len(inputs) - n :]
    axes, backwards = own.get("scan_input_axes", [0] * n), own.get("scan_input_directions", [0] * n)
    length = scanned[0].shape[axes[0]]
    rows = []
    for i in range(length):
        slices = [
            np.take(t, length - 1 - i if b else i, axis=a) for t, a, b in zip(scanned, axes, backwards, strict=True)
        ]
        results = run(body, [*state, *slices])
        rows.append(results[len(state) :])
        state = results[: len(state)]
    outputs = body.output[len(state) :]
    n_out = len(outputs)
    stacked = _stacked(
        outputs, rows, own.get("scan_output_axes", [0] * n_out), own.get("scan_output_directions", [0] * n_out)
    )
    return [*state, *stacked]


def _stacked(outputs: Any, rows: Any, axes: Any, backwards: Any) -> list[np.ndarray]:
    found = []
    for k, info in enumerate(outputs):
        items = [row[k] for row in rows]
        axis = axes[k]
        if items:
            found.append(np.stack(items[::-1] if backwards[k] else items, axis))
        else:
            shape = [d.dim_value for d in info.type.tensor_type.shape.dim]
            shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, 0)
            found.append(np.zeros(shape, helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)))
    return found


def _reduce_sum(x: np.ndarray, axes: Any = None, *, keepdims: int = 1) -> np.ndarray:
    return np.sum(x, None if axes is None else tuple(axes), dtype=x.dtype, keepdims=bool(keepdims))


def _clip(x: np.ndarray, low: Any = None, high: Any = None) -> np.ndarray:
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


CONTROL: dict[str, Any] = {"If": _if, "Loop": _loop, "Scan": _scan}
OPERATORS: dict[str, Any] = {
    "Abs": np.abs,
    "Add": np.add,
    "And": np.logical_and,
    "Cast": lambda x, to, **_: x.astype(helper.tensor_dtype_to_np_dtype(to)),
    "Clip": _clip,
    "Concat": lambda *xs, axis: np.concatenate(xs, axis),
    "Constant": lambda **kw: numpy_helper.to_array(kw["value"]) if "value" in kw else np.float32(kw["value_float"]),
    "Dropout": lambda x: (x, np.ones(x.shape, np.bool_)),
    "Greater": np.greater,
    "Identity": lambda x: x,
    "Less": np.less,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Not": np.logical_not,
    "Or": np.logical_or,
    "ReduceSum": _reduce_sum,
    "Relu": lambda x: np.maximum(x, np.float32(0)),
    "Reshape": lambda x, shape: x.reshape(shape),
    "Split": lambda x, axis, num_outputs: np.split(x, num_outputs, axis),
    "Sub": np.subtract,
    "Transpose": np.transpose,
    "Where": np.where,
}
