from __future__ import annotations

import os

import numpy as np
import onnx
import onnx.parser
import pytest
from session_models import ADD, model

import ort_core as ort
from ort_core.errors import InvalidArgument, NoSuchFile

CHAIN = model(
    "g (float[N,4] x) => (float[N,3] y, float[3] k) <float[4,3] w={1,2,3,4,5,6,7,8,9,10,11,12}, float[3] b={1,2,3}> {"
    " a = Identity (x) c = MatMul (a, w) d = Add (c, b) e = Relu (d) f = Dropout (e) k = Add (b, b) y = Add (f, k) }"
)
FEED = {"x": np.arange(-4, 4, dtype=np.float32).reshape(2, 4)}


def save(source, path, level=ort.GraphOptimizationLevel.ORT_ENABLE_ALL):
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(path)
    options.graph_optimization_level = level
    with ort.InferenceSession(source, options) as session:
        return session.run(None, FEED)


@pytest.mark.parity
@pytest.mark.parametrize("level", [0, 1, 99])
def test_saved_model_gives_the_same_results_in_onnxruntime(tmp_path, onnxruntime_results, level):
    path = tmp_path / "saved.onnx"
    ours = save(CHAIN, path, ort.GraphOptimizationLevel(level))
    onnx.checker.check_model(str(path), full_check=True)
    for optimize in (True, False):
        (theirs,) = onnxruntime_results(str(path), [FEED], optimize=optimize)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)
            assert a.dtype == b.dtype


OLD = {
    "softmax of opset 11": (
        'opset_import: ["" : 11]', "float[2,3,4] x", "float[2,3,4] y", "y = Softmax <axis=1> (x)", (2, 3, 4)
    ),
    "squeeze and clip of opset 9": (
        'opset_import: ["" : 9]', "float[1,3,4] x", "float[3,4] y",
        "a = Squeeze <axes=[0]> (x) y = Clip <min=-0.5, max=0.5> (a)", (1, 3, 4),
    ),
    "reductions of opset 12": (
        'opset_import: ["" : 12]', "float[2,3,4] x", "float[2,4] y",
        "a = ReduceSum <axes=[1], keepdims=0> (x) b = ReduceMax <axes=[1], keepdims=0> (x) y = Mul (a, b)", (2, 3, 4),
    ),
    "resize of opset 10": (
        'opset_import: ["" : 10]', "float[1,1,2,2] x", "float[1,1,4,4] y",
        "s = Constant <value = float[4] {1, 1, 2, 2}> () y = Resize <mode = \"nearest\"> (x, s)", (1, 1, 2, 2),
    ),
    "normalization of opset 17": (
        'opset_import: ["" : 17]', "float[2,4] x", "float[2,4] y",
        "s = Constant <value = float[4] {1, 2, 3, 4}> () y = LayerNormalization <axis=-1> (x, s)", (2, 4),
    ),
    "gelu function of opset 20": ('opset_import: ["" : 20]', "float[2,4] x", "float[2,4] y", "y = Gelu (x)", (2, 4)),
}  # fmt: skip


@pytest.mark.parity
def test_saved_models_of_older_opsets_run_in_onnxruntime(tmp_path, onnxruntime_results):
    rng = np.random.default_rng(3)
    for number, (label, (imports, inputs, outputs, body, shape)) in enumerate(OLD.items()):
        proto = onnx.parser.parse_model(f"<ir_version: 7, {imports}> g ({inputs}) => ({outputs}) {{ {body} }}")
        feed = {"x": rng.standard_normal(shape).astype(np.float32)}
        options = ort.SessionOptions()
        options.optimized_model_filepath = tmp_path / f"{number}.onnx"
        with ort.InferenceSession(proto, options) as session:
            ours = session.run(None, feed)
        (original,) = onnxruntime_results(proto.SerializeToString(), [feed])
        (saved,) = onnxruntime_results(str(tmp_path / f"{number}.onnx"), [feed])
        for a, b, c in zip(ours, original, saved, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=label)
            np.testing.assert_allclose(c, b, rtol=1e-5, atol=1e-6, err_msg=label)


def test_saved_model_declares_no_newer_opset_than_it_needs(tmp_path):
    save(CHAIN, tmp_path / "saved.onnx")
    saved = onnx.load(tmp_path / "saved.onnx")
    assert saved.ir_version == 8
    assert [(o.domain, o.version) for o in saved.opset_import] == [("", 17)]


def test_saved_model_runs_here_with_the_same_bits_and_interface(tmp_path):
    path = tmp_path / "saved.onnx"
    ours = save(CHAIN, path)
    with ort.InferenceSession(path) as session, ort.InferenceSession(CHAIN) as original:
        for a, b in zip(ours, session.run(None, FEED), strict=True):
            assert a.tobytes() == b.tobytes()
        assert [str(i) for i in session.get_inputs()] == [str(i) for i in original.get_inputs()]
        assert [str(i) for i in session.get_outputs()] == [str(i) for i in original.get_outputs()]
        assert session.get_modelmeta() == original.get_modelmeta()


def test_optimised_model_is_smaller(tmp_path):
    save(CHAIN, tmp_path / "saved.onnx")
    kinds = [n.op_type for n in onnx.load(tmp_path / "saved.onnx").graph.node]
    assert "Identity" not in kinds
    assert "Dropout" not in kinds
    assert len(kinds) < 6


@pytest.mark.parametrize("content", [ADD, b"my notes", b""], ids=["a model", "text", "empty"])
def test_files_of_others_are_never_overwritten(tmp_path, content):
    path = tmp_path / "precious.onnx"
    path.write_bytes(content)
    with pytest.raises(InvalidArgument, match=r"precious\.onnx' exists and is no model that ort_core saved"):
        save(CHAIN, path)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["precious.onnx"]


def test_source_itself_is_never_overwritten(tmp_path):
    path = tmp_path / "source.onnx"
    path.write_bytes(CHAIN)
    with pytest.raises(InvalidArgument, match="exists"):
        save(str(path), path)
    assert path.read_bytes() == CHAIN


def test_model_that_was_saved_before_is_replaced(tmp_path):
    path = tmp_path / "saved.onnx"
    save(CHAIN, path)
    first = path.read_bytes()
    save(CHAIN, path, ort.GraphOptimizationLevel.ORT_DISABLE_ALL)
    assert path.read_bytes() != first
    assert os.listdir(tmp_path) == ["saved.onnx"]


def test_missing_folder_is_an_error_before_anything_is_written(tmp_path):
    with pytest.raises(NoSuchFile, match="does not exist"):
        save(CHAIN, tmp_path / "no" / "saved.onnx")
    assert os.listdir(tmp_path) == []


def test_folder_as_path_is_refused(tmp_path):
    with pytest.raises(InvalidArgument, match="not a file"):
        save(CHAIN, tmp_path)


def test_free_dimensions_and_replaced_initializers_are_saved(tmp_path):
    options = ort.SessionOptions()
    options.optimized_model_filepath = tmp_path / "saved.onnx"
    options.add_free_dimension_override_by_name("N", 1)
    options.add_initializer("w", ort.OrtValue.ortvalue_from_numpy(np.float32([5, 6])))
    ort.InferenceSession(ADD, options).close()
    with ort.InferenceSession(tmp_path / "saved.onnx") as session:
        assert session.get_inputs()[0].shape == [1, 2]
        assert session.run(None, {"x": np.ones((1, 2), np.float32)})[0].tolist() == [[6, 7]]
