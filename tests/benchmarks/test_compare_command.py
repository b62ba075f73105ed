import json

import numpy as np
import pytest

from benchmarks.compare import report
from benchmarks.compare.__main__ import main
from benchmarks.compare.figures import spread
from benchmarks.compare.process import Floor, Process, WorkerError
from benchmarks.compare.profiles import median_costs, node_name
from benchmarks.compare.results import Case, EngineResult
from benchmarks.compare.subjects import find_subject, named_dimensions, parse_sizes


def run(capsys, *arguments):
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_whole_command_on_our_engine(capsys, tmp_path):
    file = tmp_path / "out.json"
    amounts = (
        "--provider",
        "ReferenceExecutionProvider",
        "--seconds",
        "0.02",
        "--repeat",
        "2",
        "--starts",
        "1",
        "--threads",
        "1",
    )
    code, out, _ = run(
        capsys, "mlp_tiny", "--engines", "ours", "--folder", str(tmp_path), "--json", str(file), *amounts
    )
    assert code == 0
    assert "mlp_tiny, 1 thread: x[1,16]" in out
    [result] = json.loads(file.read_text())["results"]
    [engine] = result["engines"]
    assert engine["name"] == "ort_core"
    assert engine["error"] == ""
    assert len(engine["rounds"]) == 2
    assert engine["time"]["low"] <= engine["time"]["median"] <= engine["time"]["high"]
    assert engine["start"]["cold_s"] > 0


def test_an_engine_that_fails_is_reported(capsys, tmp_path):
    code, out, _ = run(
        capsys,
        "mlp_tiny",
        "--folder",
        str(tmp_path),
        "--engines",
        "ort_core",
        "--check",
        "--provider",
        "Nothing",
        "--threads",
        "1",
    )
    assert code == 1
    assert "FAILED ort_core: " in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no model 'nothing': give the path of a file, or one of bert_base"),
        (["mlp_tiny", "--dim", "foo=3"], "no chosen model has a dimension named foo"),
        (["mlp_tiny", "--before", "nothing.json"], "--before nothing.json is no file that --json has written"),
        (["mlp_tiny", "--dim", "foo"], "--dim 'foo' is not NAME=SIZE"),
    ],
)
def test_wrong_command_lines_say_why(capsys, arguments, message):
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert message in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--repeat", "0"),
        ("--threads", "1,x"),
        ("--seconds", "nan"),
        ("--starts", "-1"),
        ("--engines", "tvm"),
        ("--batch", "0"),
    ],
)
def test_wrong_numbers_and_engines_are_refused(capsys, arguments):
    with pytest.raises(SystemExit):
        main(["mlp_tiny", *arguments])
    assert repr(arguments[1]) in capsys.readouterr().err


def test_a_file_that_is_no_model_is_a_wrong_command_line(capsys, tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    code, _, err = run(capsys, str(tmp_path / "bad.onnx"))
    assert code == 2
    assert "bad.onnx is no ONNX model" in err


def test_sizes_are_read():
    assert parse_sizes(["seq=64", "a=b=2"]) == {"seq": 64, "a=b": 2}


def test_dimensions_by_name_reach_the_feeds(tmp_path):
    assert named_dimensions("mlp_tiny") == {"n"}
    assert find_subject("mlp_tiny", tmp_path, 3, {}).feeds["x"].shape == (3, 16)
    assert find_subject("mlp_tiny", tmp_path, 3, {"n": 5}).feeds["x"].shape == (5, 16)


def test_a_static_copy_has_no_free_dimensions(tmp_path):
    subject = find_subject("mlp_tiny", tmp_path, 3, {}, static=True)
    assert named_dimensions(str(subject.path)) == set()
    assert subject.feeds["x"].shape == (3, 16)


def test_feeds_are_the_same_each_time(tmp_path):
    first, second = (find_subject("mlp_tiny", tmp_path, 1, {}).feeds["x"] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_worker_that_dies_is_an_error():
    with (
        Process(Floor(), "gone", "benchmarks.compare.worker", threads=1) as process,
        pytest.raises(WorkerError, match="gone: its process ended with exit code"),
    ):
        process.ask("memory")


def test_disturbed_and_noisy_measurements_are_called_so(capsys):
    engines = [
        EngineResult("ort_core", time=spread([1.0, 2.0, 4.0]), cpus=0.7),
        EngineResult("onnxruntime", time=spread([2.0, 2.0]), cpus=1.0),
    ]
    case = Case("m", 1, "x[1]", engines, "onnxruntime", spread([0.5, 0.6]))
    report.print_case(case)
    report.print_summary([case], {("m", 1): 0.75})
    out = capsys.readouterr().out
    assert "ort_core / onnxruntime: 0.55 (0.53 to 0.57)" in out
    assert "NOISY" in out
    assert "0.75" in out
    assert "DISTURBED: 30%" in out


@pytest.mark.parametrize(("ours", "marked"), [(1e-3, True), (2e-4, False)])
def test_outputs_further_from_peers_than_these_from_each_other_are_marked(capsys, ours, marked):
    engines = [
        EngineResult("ort_core", deviation={"onnxruntime": (ours, "y"), "openvino": (ours, "y")}),
        EngineResult("onnxruntime", deviation={"openvino": (2e-4, "y")}),
        EngineResult("openvino"),
    ]
    report.print_check(Case("m", 2, "x[1]", engines))
    assert ("CHECK: ort_core" in capsys.readouterr().out) is marked


def test_errors_of_openvino_are_told_without_its_sources():
    text = "RuntimeError: Exception from src/core.cpp:132:\nCheck 'false' failed at src/x.cpp:151:\nNo rule\n\n"
    assert report.short_error(text) == "RuntimeError: No rule"


@pytest.mark.parametrize("text", ["/a/Add_kernel_time", "node '/a/Add' (ai.onnx::Add, opset 18)", "/a/Add"])
def test_names_in_traces_are_found(text):
    assert node_name(text) == "/a/Add"


def test_a_node_that_runs_twice_in_a_run_counts_twice():
    [cost] = median_costs({("n", "Add"): [1e-3, 3e-3, 1e-3, 1e-3]}, runs=2)
    assert cost.seconds == pytest.approx(2e-3)


def test_short_nodes_are_averaged_without_outliers():
    [cost] = median_costs({("n", "Add"): [1e-6, 2e-6, 2e-6, 1e-6, 500e-6]}, runs=5)
    assert cost.seconds == pytest.approx(1.5e-6)
