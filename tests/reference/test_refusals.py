"""What nodes do not accept: an exception of ours that names the operator, never another one and never a guess."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from onnx import helper
from reference_helpers import f32, i64, noise, run
from type_sweep import Case, Key, feeds_of, onnx_cases, run_model, schemas

from ort_core.errors import OrtError

X = noise(1, 2, 4, 4)

REFUSED: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("Attention", (noise(1, 2, 3, 4), noise(1, 2, 3, 5), noise(1, 2, 3, 4)), {}, "do not fit together"),
    ("Attention", (noise(1, 3, 8), noise(1, 3, 8), noise(1, 3, 8)), {"q_num_heads": 3, "kv_num_heads": 3}, "divide"),
    ("Compress", (f32(1, 2), np.array([True] * 3)), {"axis": 0}, "out of bounds"),
    ("CumSum", (f32(1, 2), i64(0, 0)), {}, "axis must be one number"),
    ("DepthToSpace", (noise(1, 4, 1, 1),), {"blocksize": 2, "mode": "bogus"}, "must be DCR or CRD"),
    ("Einsum", (noise(2, 3),), {"equation": "ij->ijk"}, "one that no input has"),
    ("GridSample", (X, noise(1, 2, 2, 2)), {"mode": "bogus"}, "is unknown"),
    ("LRN", (X,), {"size": 0}, "must be at least 1"),
    ("LpNormalization", (X,), {"p": 3}, "must be 1 or 2"),
    ("LpPool", (X,), {"kernel_shape": [1, 1], "p": 0}, "must be at least 1"),
    ("MaxUnpool", (noise(1, 1, 1, 1), np.full((1, 1, 1, 1), -1)), {"kernel_shape": [2, 2]}, "point into a tensor"),
    ("NegativeLogLikelihoodLoss", (noise(2, 3), i64(0, 3)), {}, "target 3 is out of range for 3 classes"),
    ("NonMaxSuppression", (noise(1, 2, 4), noise(1, 1, 2), i64(1), f32(2)), {}, "must be from 0 to 1"),
    ("Reshape", (X, i64(-2, 16)), {}, "must be at least -1"),
    ("Resize", (X, None, f32(1, 1, 0, 1)), {}, "must be positive"),
    ("ReverseSequence", (noise(2, 3), i64(4, 1)), {"batch_axis": 0, "time_axis": 1}, "from 0 to 3"),
    ("RoiAlign", (X, noise(1, 4), i64(-1)), {}, "from 0 to 0"),
    ("RoiAlign", (X, noise(1, 4), i64(0)), {"mode": "bogus"}, "is unknown"),
    ("RoiAlign", (X, f32([0, 0, 1e6, 1e6]), i64(0)), {}, "samples"),
    ("RoiAlign", (X, f32([0, 0, 1e30, 1]), i64(0)), {}, "samples"),
    ("RotaryEmbedding", (noise(1, 1, 1, 4), noise(3, 2), noise(3, 2), i64([-1])), {}, "do not fit 3 positions"),
    ("Slice", (X, i64(0, 0), i64(1, 1), i64(1, -3)), {}, "must differ"),
    ("Tile", (X, i64(2)), {}, "for each of 4 axes"),
]


@pytest.mark.parametrize(("op_type", "inputs", "attributes", "reason"), REFUSED)
def test_the_reason_is_given(op_type: str, inputs: tuple[Any, ...], attributes: dict[str, Any], reason: str) -> None:
    with pytest.raises(OrtError, match=reason) as caught:
        run(op_type, *inputs, name="here", **attributes)
    assert f"node 'here' (ai.onnx::{op_type})" in str(caught.value)


def distorted(case: Case) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The case with one attribute or input made senseless."""
    feeds = feeds_of(case, case.inputs)
    for index, attribute in enumerate(case.node.attribute):
        if attribute.type in (helper.AttributeProto.STRING, helper.AttributeProto.INTS):
            node = copy.deepcopy(case.node)
            value = "bogus" if attribute.type == helper.AttributeProto.STRING else [-7] * (len(attribute.ints) + 1)
            node.attribute[index].CopyFrom(helper.make_attribute(attribute.name, value))
            yield node, feeds
    for name, value in feeds.items():
        if isinstance(value, np.ndarray) and value.dtype != object:
            yield case.node, {**feeds, name: np.zeros((0,), value.dtype)}
            yield case.node, {**feeds, name: value[None]}
            if value.dtype.kind == "i":
                yield case.node, {**feeds, name: np.full_like(value, np.iinfo(value.dtype).min)}


@pytest.mark.parametrize("key", sorted(k for k in schemas() if k in onnx_cases()), ids="::".join)
def test_senseless_nodes_raise_nothing_but_our_exceptions(key: Key) -> None:
    refusals = []
    for node, feeds in distorted(onnx_cases()[key][0]):
        try:
            run_model(node, feeds)
        except OrtError as error:
            refusals.append(str(error))
    assert [text for text in refusals if key[1] not in text] == []
