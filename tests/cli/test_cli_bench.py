"""`ort-core bench`: feeds that nobody gave, timing, comparison of engines, profiles."""

from __future__ import annotations

import importlib.util
import json
import math

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper

from ort_core.cli import main
from ort_core.cli.benchmark.agreement import compare_outputs
from ort_core.cli.benchmark.inputs import make_inputs
from ort_core.cli.benchmark.profile import read_profile
from ort_core.errors import OrtError

REFERENCE = "ReferenceExecutionProvider"
TEST = "TestExecutionProvider"
QUICK = ["--runs", "3", "--warmup", "1"]
SOURCE = """
import os, sys
from ort_core.providers.kernel_provider import KernelProvider, kernel
from ort_core.providers.spec import Plugin

@kernel("Add")
def add(a, b):
    {add}

class TestProvider(KernelProvider):
    kernels = (sys.modules[__name__],)

class TestPlugin(Plugin):
    api = (1, 0)
    name = "TestExecutionProvider"

    def create(self, options, env):
        return TestProvider(self.name, options, env)

plugin = TestPlugin()
"""
EMBEDDING = """
<ir_version: 9, opset_import: ["": 18]>
g (int64[batch, seq] ids, int64[batch, seq] mask, float[batch, 1, past, 4] cache, int32[2] kind, int8[3] data, bool[2] flag)
  => (float[a, b, c] y, float[d, e, f, g] c)
<float[7, 4] table = {0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}>
{
    one = Constant <value_ints = [1]> ()
    wide = Unsqueeze (ids, one)
    same = Cast <to = 6> (wide)
    y = Gather <axis = 0> (table, same)
    c = Identity (cache)
}
"""


@pytest.fixture
def embedding_model(tmp_path):
    onnx.save(onnx.parser.parse_model(EMBEDDING), tmp_path / "embedding.onnx")
    return str(tmp_path / "embedding.onnx")


@pytest.fixture
def install_test_provider(install):
    def add(body: str) -> None:
        install("ort-provider-test", SOURCE.format(add=body), providers={TEST: "ort_provider_test:plugin"})

    return add


def bench(capsys, *argv: str, code: int = 0) -> dict:
    assert main(["bench", *argv, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def refuse(capsys, *argv: str) -> str:
    assert main(["bench", *argv]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("ort-core bench: ")
    return captured.err


# -- measuring


def test_json_has_timings_of_the_engine(add_model, capsys):
    document = bench(capsys, add_model, "--runs", "7", "--threads", "1")
    assert document["chosen_dimensions"] == {"N": 1}
    assert [i["shape"] for i in document["inputs"]] == [[1, 2], [1, 2]]
    (engine,) = document["engines"]
    assert engine["providers"] == [REFERENCE]
    assert engine["error"] == ""
    timing = engine["timing"]
    assert timing["runs"] == 7
    assert 0 < timing["min_s"] <= timing["median_s"] <= timing["p90_s"] < 10
    assert timing["runs_per_s"] == pytest.approx(1 / timing["mean_s"])
    assert engine["create_s"] > 0
    assert engine["first_run_s"] > 0
    assert engine["peak_memory_bytes"] > 1 << 20
    assert engine["relative"] == [1.0, 1.0, 1.0]
    assert engine["profile"] is None


def test_seconds_limit_the_time(add_model, capsys):
    timing = bench(capsys, add_model, "--seconds", "0.2")["engines"][0]["timing"]
    assert timing["runs"] > 50
    assert 0.1 < timing["runs"] * timing["mean_s"] < 1


def test_text_shows_feeds_choices_and_a_row_for_each_engine(add_model, capsys):
    assert main(["bench", add_model, *QUICK]) == 0
    out = capsys.readouterr().out
    assert "a      tensor(float)  [1, 2]  random, normal" in out
    assert "chosen: N = 1 (--dim or --shape changes it)" in out
    assert "median" in out
    assert REFERENCE in out


def test_profile_lists_operators_and_nodes(add_model, capsys):
    profile = bench(capsys, add_model, *QUICK, "--profile")["engines"][0]["profile"]
    assert {c["operator"] for c in profile["operators"]} == {"Add", "Mul"}
    assert len(profile["nodes"]) == 2
    assert sum(c["share"] for c in profile["nodes"]) == pytest.approx(1)
    assert main(["bench", add_model, *QUICK, "--profile", "1"]) == 0
    assert "where the time of ort-core" in capsys.readouterr().out


def test_profile_counts_no_first_run(tmp_path):
    def event(name, category, ts, dur, **args):
        return {"name": name, "cat": category, "ts": ts, "dur": dur, "args": args}

    node = {"op_name": "Add", "provider": "P"}
    events = [
        event("n_kernel_time", "Node", 10, 500, **node),
        event("model_run", "Session", 5, 600),
        event("n_kernel_time", "Node", 700, 10, **node),
        event("m_kernel_time", "Node", 715, 30, **node),
        event("model_run", "Session", 690, 100),
        event("n_kernel_time", "Node", 900, 10, **node),
        event("model_run", "Session", 890, 100),
    ]
    (tmp_path / "trace.json").write_text(json.dumps(events))
    profile = read_profile(str(tmp_path / "trace.json"))
    assert profile.runs == 2
    assert [(c.name, c.seconds, c.calls) for c in profile.nodes] == [("m", 15e-6, 0.5), ("n", 10e-6, 1)]
    assert [(c.operator, round(c.seconds * 1e6), c.calls) for c in profile.operators] == [("Add", 25, 1.5)]


def test_profile_counts_nodes_by_their_labels(tmp_path):
    args = {"op_name": "Conv", "provider": "P"}
    events = [
        {"name": "node '/a/Conv' (ai.onnx::Conv, opset 18)", "cat": "Node", "ts": 10, "dur": 20, "args": args},
        {"name": "something else", "cat": "Node", "ts": 11, "dur": 99, "args": args},
        {"name": "p0", "cat": "partition", "ts": 5, "dur": 90, "args": {}},
        {"name": "model_run", "cat": "Session", "ts": 0, "dur": 100, "args": {}},
    ]
    (tmp_path / "trace.json").write_text(json.dumps(events))
    profile = read_profile(str(tmp_path / "trace.json"))
    assert [(c.name, c.operator, c.seconds) for c in profile.nodes] == [("/a/Conv", "Conv", 20e-6)]


def test_providers_are_compared_and_agree(add_model, install_test_provider, capsys):
    install_test_provider("return a + b")
    argv = [add_model, *QUICK, "--provider", REFERENCE, "--provider", TEST]
    first, second = bench(capsys, *argv)["engines"]
    assert first["agreement"] is None
    assert second["agreement"]["agrees"] is True
    assert TEST in second["providers"]
    assert second["relative"][1] <= second["relative"][0] <= second["relative"][2]
    assert main(["bench", *argv]) == 0
    assert "outputs agree: equal" in capsys.readouterr().out


def test_wrong_results_are_told(add_model, install_test_provider, capsys):
    install_test_provider("return a + b + 1")
    argv = [add_model, *QUICK, "--provider", REFERENCE, "--provider", TEST]
    agreement = bench(capsys, *argv)["engines"][1]["agreement"]
    assert agreement["agrees"] is False
    assert agreement["output"] == "sum"
    assert agreement["difference"] == pytest.approx(1, rel=1e-3)
    assert main(["bench", *argv]) == 0
    assert "outputs DO NOT AGREE: largest difference 1 in sum, 2 of 2 elements" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "message"),
    [("raise ValueError('no device')", "no device"), ("os._exit(3)", "its process ended with exit code 3 (first)")],
)
def test_engine_that_fails_does_not_end_the_others(body, message, add_model, install_test_provider, capsys):
    install_test_provider(body)
    argv = [add_model, *QUICK, "--provider", TEST, "--provider", REFERENCE]
    failed, fine = bench(capsys, *argv, code=1)["engines"]
    assert message in failed["error"]
    assert failed["timing"] is None
    assert fine["timing"]["runs"] == 3
    assert main(["bench", *argv]) == 1
    assert f"failed: ort-core/{TEST}: " in capsys.readouterr().out


def test_provider_that_cannot_be_used_is_not_replaced_by_another(add_model, capsys):
    (engine,) = bench(capsys, add_model, *QUICK, "--provider", "NoSuchExecutionProvider", code=1)["engines"]
    assert "NoSuchExecutionProvider" in engine["error"]
    assert engine["timing"] is None


@pytest.mark.parity
@pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="onnxruntime is not installed")
def test_onnxruntime_is_compared(digits_folder, capsys):
    argv = [str(digits_folder / "digits.onnx"), *QUICK, "--compare", "onnxruntime", "--profile", "--threads", "1"]
    ours, theirs = bench(capsys, *argv)["engines"]
    assert (ours["package"], theirs["package"]) == ("ort_core", "onnxruntime")
    assert theirs["providers"] == ["CPUExecutionProvider"]
    assert theirs["agreement"]["agrees"] is True
    assert theirs["timing"]["runs"] == 3
    assert theirs["profile"]["nodes"]


def test_package_that_is_not_installed_is_a_failed_engine(add_model, capsys, tmp_path, monkeypatch):
    (tmp_path / "onnxruntime.py").write_text("raise ModuleNotFoundError('no onnxruntime here')")
    monkeypatch.syspath_prepend(str(tmp_path))
    ours, theirs = bench(capsys, add_model, *QUICK, "--compare", "onnxruntime", code=1)["engines"]
    assert ours["timing"]["runs"] == 3
    assert "no onnxruntime here" in theirs["error"]


# -- feeds


def test_random_feeds_follow_types_names_and_use(embedding_model):
    inputs = make_inputs(embedding_model, [], [], ["past=3"], 0)
    feeds = inputs.feeds
    assert inputs.chosen == {"batch": 1, "seq": 128}
    assert feeds["ids"].shape == feeds["mask"].shape == (1, 128)
    assert feeds["cache"].shape == (1, 1, 3, 4)
    assert feeds["ids"].dtype == np.int64
    assert feeds["ids"].min() >= 0
    assert feeds["ids"].max() == 6
    assert (feeds["mask"] == 1).all()
    assert feeds["kind"].dtype == np.int32
    assert feeds["data"].dtype == np.int8
    assert feeds["flag"].dtype == bool
    assert inputs.values["ids"] == "random, 0 to 6"


def test_random_feeds_are_reproducible_and_follow_the_seed(embedding_model):
    first, again, other = (make_inputs(embedding_model, [], [], [], seed).feeds for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["ids"], other["ids"])


def test_given_inputs_fix_the_dimensions_of_others(embedding_model, capsys):
    document = bench(capsys, embedding_model, *QUICK, "--input", "ids=[[1, 2, 3], [4, 5, 6]]")
    shapes = {i["name"]: i["shape"] for i in document["inputs"]}
    assert shapes["mask"] == [2, 3]
    assert shapes["cache"] == [2, 1, 0, 4]
    assert next(i for i in document["inputs"] if i["name"] == "ids")["values"] == "given"


def test_shapes_may_be_given(embedding_model):
    inputs = make_inputs(embedding_model, [], ["ids=2,5"], [], 0)
    assert inputs.feeds["mask"].shape == (2, 5)
    assert inputs.chosen == {"past": 0}


def test_images_are_scaled_to_the_input(digits_folder, capsys):
    document = bench(
        capsys, str(digits_folder / "digits.onnx"), *QUICK, "--input", str(digits_folder / "samples" / "0.png")
    )
    assert document["inputs"][0]["values"] == "given"


@pytest.mark.parametrize("element", [t for t in TensorProto.DataType.values() if t != TensorProto.UNDEFINED])
def test_every_element_type_can_be_made_up(element, save_identity):
    (array,) = make_inputs(save_identity(x=(element, ["N", None])), [], [], [], 0).feeds.values()
    assert array.shape == (1, 32)
    if array.dtype.kind == "f":
        assert np.isfinite(array).all()


@pytest.mark.parametrize(
    ("name", "axis", "size"),
    [("batch_size", 1, 1), ("past_sequence_length", 1, 0), ("height", 1, 224), ("num_channels", 1, 3), ("seq_len", 1, 128),
     ("past_sequence_length + sequence_length", 1, 128), ("past_len + 1", 1, 1), ("anything", 1, 32), ("anything", 0, 1)],
)  # fmt: skip
def test_sizes_of_named_dimensions(name, axis, size, save_identity):
    shape = [2, 2]
    shape[axis] = name
    (array,) = make_inputs(save_identity(x=(TensorProto.FLOAT, shape)), [], [], [], 0).feeds.values()
    assert array.shape[axis] == size


def test_unnamed_dimensions_of_four_are_those_of_an_image(save_identity):
    inputs = make_inputs(save_identity(x=(TensorProto.FLOAT, [None] * 4)), [], [], [], 0)
    assert inputs.feeds["x"].shape == (1, 3, 224, 224)
    assert inputs.chosen == {"x[0]": 1, "x[1]": 3, "x[2]": 224, "x[3]": 224}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--dim", "M=3"], "no named dimension 'M'; it has 'N'"),
        (["--dim", "N"], "is not NAME=SIZE"),
        (["--dim", "N=-1"], "is not NAME=SIZE"),
        (["--shape", "c=1,2"], "no input 'c'"),
        (["--shape", "a=1,x"], "is not NAME=SIZE,SIZE"),
        (["--shape", "a=1,3"], "--shape a has shape [1, 3], the model declares [N, 2]"),
        (["--shape", "a=3,2", "--shape", "b=4,2"], "the model declares [N, 2] with N = "),
        (["--shape", "a=3,2", "--dim", "N=2"], "with N = 2"),
        (["--shape", "a=1,2", "--input", "a=[[1, 2]]"], "--input gives it"),
        (["--input", "a=[[1, 2, 3]]"], "--input a has shape [1, 3]"),
        (["--input", "q=1"], "no input 'q'"),
        (["--dim", f"N={1 << 40}"], "too large"),
        (["--runs", "-1"], "from 0 on"),
        (["--seconds", "0"], "more than 0"),
        (["--provider", "A:b"], "is not key=value"),
    ],
)
def test_wrong_arguments_are_usage_errors(argv, message, add_model, capsys):
    assert message in refuse(capsys, add_model, *argv)


def test_unknown_rank_asks_for_a_shape(save_identity, capsys):
    model = save_identity(x=(TensorProto.FLOAT, None))
    assert "Give --shape x=" in refuse(capsys, model, *QUICK)
    assert make_inputs(model, [], ["x=2,3"], [], 0).feeds["x"].shape == (2, 3)


def test_sequences_cannot_be_made_up(tmp_path, capsys):
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    graph = helper.make_graph(
        [helper.make_node("SequenceLength", ["s"], ["y"])],
        "g",
        [helper.make_value_info("s", kind)],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [])],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)]), path)
    assert "seq(tensor(float))" in refuse(capsys, str(path))


def test_damaged_model_is_one_message(tmp_path, capsys):
    (tmp_path / "m.onnx").write_bytes(b"nonsense")
    assert main(["bench", str(tmp_path / "m.onnx")]) == 1
    assert capsys.readouterr().err.startswith("ort-core bench: Invalid")


def test_missing_model_raises_our_exception():
    with pytest.raises(OrtError, match="does not exist"):
        make_inputs("/no/such/model.onnx", [], [], [], 0)


# -- agreement


@pytest.mark.parametrize(
    ("expected", "got", "agrees"),
    [
        (np.float32([1, 2]), np.float32([1, 2.0001]), True),
        (np.float32([1, 2]), np.float32([1, 2.1]), False),
        (np.float32([np.nan, np.inf]), np.float32([np.nan, np.inf]), True),
        (np.float32([np.nan]), np.float32([1]), False),
        (np.float32([np.inf]), np.float32([-np.inf]), False),
        (np.float16([100]), np.float16([101]), True),
        (np.float64([1]), np.float64([1.00001]), False),
        (np.int64([1]), np.int64([2]), False),
        (np.array([True]), np.array([True]), True),
        (np.array(["a"], object), np.array(["b"], object), False),
        (np.float32([1]), np.float64([1]), False),
        (np.float32([1]), np.float32([[1]]), False),
        (np.complex64([1 + 1j]), np.complex64([1 + 1.0001j]), True),
        (np.float32([]), np.float32([]), True),
        ([np.float32([1])], [np.float32([1])], True),
        ([np.float32([1])], [], False),
        ([{1: 0.5}], [{1: 0.50001}], True),
        ([{"a": 0.5}], [{"b": 0.5}], False),
        (None, None, True),
        (None, np.float32([1]), False),
    ],
)
def test_agreement(expected, got, agrees):
    found = compare_outputs({"y": expected}, {"y": got})
    assert found.agrees is agrees
    assert not math.isnan(found.difference)
    assert found.text


def test_the_largest_disagreement_is_told():
    ones = np.ones(3, np.float32)
    found = compare_outputs({"a": ones, "b": ones, "c": ones}, {"a": ones * 1.5, "b": ones * 3, "c": ones})
    assert (found.output, found.difference) == ("b", 2)
