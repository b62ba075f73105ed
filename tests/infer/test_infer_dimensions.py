from __future__ import annotations

import logging

import pytest
from infer_helpers import load, parse, value

from ort_core.errors import InvalidArgument
from ort_core.infer.dimensions import override_dimensions
from ort_core.infer.shapes import infer_types
from ort_core.ir.proto import from_proto

TEXT = "g (float[N,M] x, float[N,3] y) => (float[A,B] z) { z = Concat<axis = 1>(x, y) }"


def test_dimensions_are_fixed_by_name_in_every_input() -> None:
    model = load(TEXT)
    override_dimensions(model, {"N": 2})
    infer_types(model)
    assert [v.shape for v in model.graph.inputs] == [(2, "M"), (2, 3)]
    override_dimensions(model, {"M": 4})
    infer_types(model)
    assert value(model, "z").shape == (2, 7)


def test_name_that_no_input_has_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ort_core.infer")
    model = load(TEXT)
    override_dimensions(model, {"K": 2})
    assert [v.shape for v in model.graph.inputs] == [("N", "M"), ("N", 3)]
    assert "'K' fits no dimension" in caplog.text


def _denoted(mark: str = "DATA_BATCH", axis: int = 0):
    proto = parse(TEXT)
    proto.graph.input[0].type.tensor_type.shape.dim[axis].denotation = mark
    proto.graph.input[1].type.tensor_type.shape.dim[1].denotation = "DATA_CHANNEL"
    return from_proto(proto)


def test_dimensions_are_fixed_by_denotation() -> None:
    model = _denoted()
    override_dimensions(model, {}, {"DATA_BATCH": 5})
    assert [v.shape for v in model.graph.inputs] == [(5, "M"), ("N", 3)]


def test_name_wins_over_denotation() -> None:
    model = _denoted()
    override_dimensions(model, {"N": 2}, {"DATA_BATCH": 5})
    assert [v.shape for v in model.graph.inputs] == [(2, "M"), (2, 3)]


def test_override_of_a_fixed_size_must_agree() -> None:
    model = _denoted()
    override_dimensions(model, {}, {"DATA_CHANNEL": 3})
    with pytest.raises(InvalidArgument, match=r"'DATA_CHANNEL'=4: dimension 1 of input 'y' has the fixed size 3"):
        override_dimensions(model, {}, {"DATA_CHANNEL": 4})


def test_negative_size_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="'N': got -1"):
        override_dimensions(load(TEXT), {"N": -1})


def test_nothing_to_override_changes_nothing() -> None:
    model = load(TEXT)
    override_dimensions(model)
    assert model.graph.inputs[0].shape == ("N", "M")
