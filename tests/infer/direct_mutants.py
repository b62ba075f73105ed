"""Variants of ONNX's own node tests: other shapes, constants, attributes, and a node more."""

from __future__ import annotations

import functools
import random
import warnings
from collections import defaultdict
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from ort_core.infer.direct_rules import direct_rule
from ort_core.infer.replacements import REPLACEMENTS

DIMS = ("n", "m", None, 0, 1, 2, 3, 5)
TYPES = (1, 2, 3, 6, 7, 9, 10, 11)
WORDS = (b"VALID", b"SAME_UPPER", b"SAME_LOWER", b"NOTSET", b"not_larger", b"not_smaller", b"stretch", b"bidirectional")


@functools.cache
def node_tests() -> tuple[Any, ...]:
    """ONNX's tests of one or several nodes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(collect_testcases(None))


@functools.cache
def by_operators() -> dict[tuple[str, ...], list[Any]]:
    """The tests all of whose operators have rules, by operators."""
    groups = defaultdict(list)
    for case in node_tests():
        keys = {(node.domain, node.op_type) for node in case.model.graph.node}
        if all(key == ("", "Constant") or key in REPLACEMENTS or direct_rule(*key) for key in keys):
            groups[tuple(sorted(name for _, name in keys))].append(case)
    return dict(groups)


def mutant(rng: random.Random) -> onnx.ModelProto:
    """A variant of a random test; many do not fit."""
    groups = by_operators()
    case = rng.choice(groups[rng.choice(sorted(groups))])
    proto = onnx.ModelProto()
    proto.CopyFrom(case.model)
    graph = proto.graph
    feeds = list(case.data_sets[0][0]) if case.data_sets else []
    feeds += [None] * (len(graph.input) - len(feeds))
    kept = [i for i, feed in zip(graph.input, feeds, strict=False) if not _fix(graph, i.name, feed, rng)]
    inputs = [_changed(value, rng) for value in kept]
    del graph.input[:]
    graph.input.extend(inputs)
    for node in graph.node:
        _change_attributes(node, rng)
        if len(node.input) > 1 and rng.random() < 0.05:
            node.input[rng.randrange(1, len(node.input))] = ""
    for output in graph.output:
        output.type.Clear()
    _append(graph, rng)
    return proto


def _fix(graph: onnx.GraphProto, name: str, feed: Any, rng: random.Random) -> bool:
    """Perhaps makes an input a constant."""
    if not isinstance(feed, np.ndarray) or feed.size > 200 or feed.dtype.kind not in "iufb":
        return False
    if rng.random() > (0.6 if feed.dtype.kind == "i" else 0.25):
        return False
    array = feed.copy()
    if array.dtype.kind == "i" and array.size and rng.random() < 0.3:
        array.reshape(-1)[rng.randrange(array.size)] += rng.choice((-5, -2, -1, 1, 2))
    if rng.random() < 0.08:
        array = array.reshape(-1)[: rng.randint(0, array.size)]
    graph.initializer.append(numpy_helper.from_array(array, name))
    return True


def _changed(value: onnx.ValueInfoProto, rng: random.Random) -> onnx.ValueInfoProto:
    if not value.type.HasField("tensor_type") or rng.random() < 0.4:
        return value
    tensor = value.type.tensor_type
    if rng.random() < 0.08:
        tensor.ClearField("shape")
    for dim in tensor.shape.dim:
        if rng.random() < 0.35:
            _set(dim, rng.choice(DIMS))
    if tensor.shape.dim and rng.random() < 0.07:
        del tensor.shape.dim[-1]
    if tensor.HasField("shape") and rng.random() < 0.07:
        tensor.shape.dim.add().dim_value = rng.choice((1, 2, 4))
    if rng.random() < 0.05:
        tensor.elem_type = rng.choice(TYPES)
    return value


def _set(dim: Any, size: int | str | None) -> None:
    dim.Clear()
    if isinstance(size, int):
        dim.dim_value = size
    elif size:
        dim.dim_param = size


def _change_attributes(node: onnx.NodeProto, rng: random.Random) -> None:
    for attribute in list(node.attribute):
        if rng.random() < 0.07:
            node.attribute.remove(attribute)
        elif rng.random() < 0.15:
            if attribute.type == AttributeProto.INT:
                attribute.i += rng.choice((-2, -1, 1, 2))
            elif attribute.type == AttributeProto.INTS and attribute.ints:
                attribute.ints[rng.randrange(len(attribute.ints))] += rng.choice((-1, 1, 2))
            elif attribute.type == AttributeProto.STRING and attribute.name != "equation":
                attribute.s = rng.choice(WORDS)


def _append(graph: onnx.GraphProto, rng: random.Random) -> None:
    """Perhaps adds a user of the first output, which shows what became of unknown sizes."""
    source = graph.output[0].name
    other = rng.choice([source, *(i.name for i in graph.input)])
    graph.initializer.append(numpy_helper.from_array(np.array([rng.choice((-1, 0, 1))]), "appended_axis"))
    node = rng.choice(
        (
            None,
            helper.make_node("Concat", [source, other], ["appended"], axis=rng.choice((-1, 0, 1))),
            helper.make_node("Add", [source, other], ["appended"]),
            helper.make_node("Unsqueeze", [source, "appended_axis"], ["appended"]),
        )
    )
    if node is not None:
        graph.node.append(node)
        graph.output.append(helper.make_empty_tensor_value_info("appended"))
