"""The sizes that are known before a node is computed, against what it then gives."""

import time
import warnings
from typing import Any

import numpy as np
import pytest
from onnx.backend.test.case.node import collect_testcases
from reference_helpers import ML, as_value, f32, i64, make_node, noise, strings

import ort_core
from ort_core import reference_ops
from ort_core.load.opset import CANONICAL_OPSETS
from ort_core.reference_ops.bounds import exceeds, find_rule, result_bytes
from ort_core.reference_ops.bounds.rules import nbytes

HUGE = 1 << 40
MODERATE = 1 << 33

LARGE: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("Add", (np.broadcast_to(f32(1), (HUGE, 1)), np.broadcast_to(f32(1), (HUGE,))), {}),
    ("AffineGrid", (noise(1, 2, 3), i64(1, 1, 1 << 30, 1 << 30)), {}),
    ("BlackmanWindow", (np.array(HUGE),), {}),
    ("CenterCropPad", (f32(1), i64(HUGE)), {}),
    ("Col2Im", (noise(1, 4, 1), i64(1 << 30, 1 << 30), i64(2, 2)), {}),
    ("Concat", (np.broadcast_to(f32(1), (MODERATE,)),) * 3, {"axis": 0}),
    ("ConstantOfShape", (i64(HUGE, HUGE, HUGE),), {}),
    ("Conv", (noise(1, 1, 1, 1), noise(1, 1, 1, 1)), {"pads": [1 << 30] * 4}),
    ("ConvTranspose", (noise(1, 1, 2, 2), noise(1, 1, 1, 1)), {"strides": [1 << 30, 1 << 30]}),
    ("DFT", (noise(4, 1), np.array(HUGE)), {}),
    ("Einsum", (np.broadcast_to(f32(1), (1 << 20,)),) * 2, {"equation": "a,b->ab"}),
    ("Expand", (f32(1), i64(1 << 20, 1 << 20)), {}),
    ("Gather", (noise(1 << 16, 1), np.broadcast_to(np.int64(0), (MODERATE,))), {"axis": 1}),
    ("Gemm", (np.broadcast_to(f32(1), (1 << 20, 1)), np.broadcast_to(f32(1), (1, 1 << 20))), {}),
    ("HannWindow", (np.array(HUGE),), {}),
    ("MatMul", (np.broadcast_to(f32(1), (1 << 20, 1)), np.broadcast_to(f32(1), (1, 1 << 20))), {}),
    ("MaxUnpool", (noise(1, 1, 2), np.zeros((1, 1, 2), np.int64), i64(1, 1, HUGE)), {"kernel_shape": [1]}),
    ("MelWeightMatrix", (np.array(1 << 20), np.array(1 << 20), np.array(8), f32(0), f32(1)), {}),
    ("Mul", (np.broadcast_to(f32(1), (1 << 20, 1)), np.broadcast_to(f32(1), (1 << 20,))), {}),
    ("NonMaxSuppression", (np.broadcast_to(f32(1), (1, HUGE, 4)), np.broadcast_to(f32(1), (1, 1, HUGE)), i64(HUGE)), {}),
    ("OneHot", (i64(1), i64(HUGE), f32(0, 1)), {}),
    ("Pad", (f32(1), i64(0, HUGE)), {}),
    ("Range", (np.array(0), np.array(HUGE), np.array(1)), {}),
    ("Range", (np.array(0.0), np.array(1e12), np.array(1.0)), {}),
    ("RandomNormal", (), {"shape": [HUGE]}),
    ("RandomUniform", (), {"shape": [1 << 20, 1 << 20]}),
    ("Resize", (noise(1, 1, 2, 2), None, f32(1, 1, 1 << 20, 1 << 20)), {}),
    ("Resize", (noise(1, 1, 2, 2), None, None, i64(1, 1, 1 << 20, 1 << 20)), {}),
    ("RoiAlign", (noise(1, 1, 2, 2), noise(1, 4), i64(0)), {"output_height": 1 << 20, "output_width": 1 << 20}),
    ("SequenceInsert", ([np.broadcast_to(f32(1), (HUGE,))], np.broadcast_to(f32(1), (HUGE,))), {}),
    ("STFT", (np.broadcast_to(f32(1), (1, 1 << 22, 1)), np.array(1), None, np.array(1 << 21)), {}),
    ("Tile", (f32(1), i64(HUGE)), {}),
]  # fmt: skip


@pytest.mark.parametrize(("op_type", "inputs", "attributes"), LARGE, ids=lambda p: p if isinstance(p, str) else "")
def test_large_results_are_seen_before_they_are_computed(op_type, inputs, attributes) -> None:
    size = result_bytes(make_node(op_type, *inputs, **attributes), inputs)
    assert size is not None
    assert size > 1 << 33


def test_sizes_are_exact_where_they_follow_from_shapes_and_values() -> None:
    def size(op_type: str, *inputs: Any, **settings: Any) -> int | None:
        return result_bytes(make_node(op_type, *inputs, types=(np.float32,), **settings), inputs)

    x = noise(3, 4)
    assert size("Add", x, noise(2, 1, 4)) == 4 * 24
    assert size("Slice", x, i64(-9), i64(-9), i64(1), i64(-1)) == 4 * 3
    assert size("Slice", x, i64(3), i64(-9), i64(1), i64(-2)) == 4 * 6
    assert size("Compress", x, np.array([True, False, True]), axis=1) == 4 * 6
    assert size("Range", np.array(7), np.array(0), np.array(-2)) == 4 * 4
    assert size("Range", np.array(0), np.array(7), np.array(-2)) == 0
    assert size("Einsum", x, noise(1, 1, 5), equation="i...,...j->ji") is None
    assert size("Einsum", x, noise(4, 1, 5), equation="ij,j...->i...") == 4 * 15
    assert size("Resize", x, None, None, i64(6, 20), keep_aspect_ratio_policy="not_larger") == 4 * 48


def test_the_types_of_the_outputs_count() -> None:
    x = noise(6)
    assert result_bytes(make_node("Cast", x, to=11, types=(np.float64,)), [x]) == 48
    assert result_bytes(make_node("Cast", x, to=2, types=(np.uint8,)), [x]) == 6
    both = make_node("TopK", x, i64(2), types=(np.float32, np.int64))
    assert result_bytes(both, [x, i64(2)]) == 2 * 4 + 2 * 8
    both.outputs[1] = None
    assert result_bytes(both, [x, i64(2)]) == 2 * 4


def test_what_does_not_fit_the_operator_has_no_size_and_may_be_too_large() -> None:
    for op_type, inputs, attributes in (
        ("Add", (noise(2), noise(3)), {}),
        ("ConstantOfShape", (i64(-1, -1),), {}),
        ("Range", (np.array(0), np.array(4), np.array(0)), {}),
        ("Slice", (noise(2), i64(0), i64(1), i64(7)), {}),
        ("NoSuchOperator", (noise(2),), {}),
    ):
        node = make_node(op_type, *inputs, **attributes)
        assert result_bytes(node, inputs) is None
        assert exceeds(node, inputs, 1 << 60)


def test_inferred_shapes_stand_in_for_a_rule() -> None:
    node = make_node("Unknown", noise(2), domain="custom")
    assert result_bytes(node, [noise(2)]) is None
    node.outputs[0].type = ort_core.ir.types.TensorType(ort_core.ir.types.ElementType.DOUBLE, (2, 3))
    assert result_bytes(node, [noise(2)]) == 48


def test_strings_are_measured_without_splitting_them() -> None:
    words = strings("a b  c", " d ")
    node = make_node("StringSplit", words, types=(object, np.int64))
    assert result_bytes(node, [words]) == 2 * 3 * 8 + 2 * 8
    one = make_node("OneHotEncoder", words, types=(np.float32,), domain=ML, cats_strings=["a", "b", "c"])
    assert result_bytes(one, [words]) == 2 * 3 * 4


def test_joined_strings_are_measured_by_their_lengths() -> None:
    words = strings("a", "bcd")
    node = make_node("StringConcat", words, words, types=(object,))
    assert result_bytes(node, [words, words]) == 2 * (8 + 3 + 3)


def test_a_small_node_is_measured_in_microseconds() -> None:
    x = noise(3, 4)
    node = make_node("Add", x, x, types=(np.float32,))
    result_bytes(node, [x, x])
    start = time.perf_counter()
    for _ in range(1000):
        result_bytes(node, [x, x])
    assert time.perf_counter() - start < 0.05


def test_every_operator_that_the_adapter_runs_has_a_rule() -> None:
    from onnx import defs

    from ort_core.reference_ops.onnx_ops import DOMAINS, find_class
    from ort_core.reference_ops.registry import find_kernel

    schemas = {(s.domain, s.name) for s in defs.get_all_schemas() if not s.deprecated and s.domain in DOMAINS}
    run_here = {
        (domain, name)
        for domain, name in schemas
        if find_kernel(name, domain) or find_class(name, domain, CANONICAL_OPSETS[domain])
    }
    of_the_core = {("", name) for name in ("If", "Loop", "Scan", "SequenceMap")}
    assert {key for key in run_here - of_the_core if find_rule(*key) is None} == set()


def test_no_result_of_onnx_node_cases_is_larger_than_its_bound(monkeypatch) -> None:
    too_small = []
    bind_kernel = reference_ops.bind_kernel

    def measured(node, opsets, ctx=None):
        call = bind_kernel(node, opsets, ctx)

        def run(*inputs):
            bound = result_bytes(node, inputs)
            results = call(*inputs)
            given = results if len(node.outputs) != 1 else (results,)
            size = sum(nbytes(r) for r, value in zip(given, node.outputs, strict=False) if value is not None)
            if bound is None or bound < size:
                too_small.append((node.op_type, bound, size))
            return results

        return run

    monkeypatch.setattr(reference_ops, "bind_kernel", measured)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    for case in cases:
        session = ort_core.InferenceSession(case.model.SerializeToString(), providers=["ReferenceExecutionProvider"])
        for inputs, _ in case.data_sets:
            session.run(None, {i.name: as_value(v) for i, v in zip(session.get_inputs(), inputs, strict=True)})
    assert not too_small
    assert len(cases) > 1800
