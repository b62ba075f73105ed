from __future__ import annotations

import contextlib
import functools

from hypothesis import example, given, settings
from hypothesis import strategies as st
from load_samples import everywhere

from ort_core.errors import OrtError
from ort_core.ir.attributes import SparseWeight
from ort_core.ir.proto import to_proto
from ort_core.ir.rewrite import check_invariants
from ort_core.load.onnx_model import load_model


@functools.cache
def sample() -> bytes:
    return everywhere().SerializeToString()


def small_sample() -> bytes:
    proto = everywhere()
    large = [t for t in proto.graph.initializer if t.ByteSize() < 100]
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(large)
    proto.graph.node[3].ClearField("attribute")
    proto.graph.ClearField("sparse_initializer")
    return proto.SerializeToString()


def load_and_use(data: bytes) -> None:
    """Loads a model and reads all of it; only our exceptions may come out."""
    with contextlib.suppress(OrtError):
        model = load_model(data)
        check_invariants(model)
        for graph in model.graphs():
            for value in graph.initializers.values():
                parts = value.const[:2] if isinstance(value.const, SparseWeight) else (value.const,)
                for weight in parts:
                    weight.array()
        to_proto(model).SerializeToString()


@settings(max_examples=200, deadline=None)
@given(st.floats(0, 1, exclude_max=True))
def test_every_prefix_of_a_model_is_refused_or_loads(part: float) -> None:
    load_and_use(sample()[: int(part * len(sample()))])


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
def test_models_with_changed_bytes_are_refused_or_load(changes: list[tuple[float, int]]) -> None:
    data = bytearray(sample())
    for place, byte in changes:
        data[int(place * len(data))] = byte
    load_and_use(bytes(data))


@settings(max_examples=700, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=3))
def test_structure_with_changed_bytes_is_refused_or_loads(changes: list[tuple[float, int]]) -> None:
    data = bytearray(small_structure())
    for place, byte in changes:
        data[int(place * len(data))] = byte
    load_and_use(bytes(data))


@functools.cache
def small_structure() -> bytes:
    return small_sample()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
@example(b"")
@example(b"\x08\x0a")
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    load_and_use(data)
