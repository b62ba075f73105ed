"""The CPU provider in a session: options, placement, errors, the native `run`."""

import gc
import os
import subprocess
import sys
import weakref

import numpy as np
import pytest
from onnx import TensorProto, helper

import ort_core as ort
from ort_core import errors
from ort_core.errors import Fail, InvalidArgument
from ort_core.providers.hooks import hookimpl, register_hooks, unregister_hooks
from ort_provider_cpu.supported_operators import markdown
from tests.conftest import ROOT


def model_of(nodes, inputs, outputs, initializers=()):
    infos = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs]
    results = [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs]
    graph = helper.make_graph(nodes, "g", infos, results, list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]).SerializeToString()


def add_model():
    node = helper.make_node("Add", ["a", "b"], ["sum"], name="adder")
    return model_of(
        [node],
        [("a", TensorProto.FLOAT, ["n", 3]), ("b", TensorProto.FLOAT, ["n", 3])],
        [("sum", TensorProto.FLOAT)],
    )


def session_of(model, **entries):
    options = ort.SessionOptions()
    for key, value in entries.items():
        options.add_session_config_entry(key, value)
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


A = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_it_is_used_without_being_asked_for():
    assert ort.InferenceSession(add_model()).get_providers() == ["CPUExecutionProvider"]
    assert "CPUExecutionProvider" in ort.get_available_providers()


@pytest.mark.parametrize("names", [None, [], ["sum"], ("sum",)])
def test_run_answers_every_form_of_call(names):
    session = session_of(add_model())
    feed = {"a": A, "b": A}
    for result in (
        session.run(names, feed),
        session.run(output_names=names, input_feed=feed),
        session.run(names, feed, ort.RunOptions()),
    ):
        np.testing.assert_array_equal(result[0], A + A)


def test_unusual_feeds_are_converted_as_without_the_native_entry():
    session = session_of(add_model())
    transposed = np.asfortranarray(A)
    np.testing.assert_array_equal(session.run(None, {"a": transposed, "b": A.tolist()})[0], A + A)
    np.testing.assert_array_equal(session.run(None, {"a": ort.OrtValue.ortvalue_from_numpy(A), "b": A})[0], A + A)


@pytest.mark.parametrize(
    ("feed", "error", "words"),
    [
        ({"a": A}, InvalidArgument, "b"),
        ({"a": A, "b": A, "c": A}, InvalidArgument, "c"),
        ({"a": A.astype(np.float64), "b": A}, InvalidArgument, "double"),
        ({"a": A[:, :2], "b": A}, InvalidArgument, "a"),
    ],
)
def test_wrong_feeds_are_refused(feed, error, words):
    with pytest.raises(error, match=words):
        session_of(add_model()).run(None, feed)


def test_shapes_that_disagree_name_the_node():
    model = model_of(
        [helper.make_node("Add", ["a", "b"], ["sum"], name="adder")],
        [("a", TensorProto.FLOAT, ["n"]), ("b", TensorProto.FLOAT, ["m"])],
        [("sum", TensorProto.FLOAT)],
    )
    with pytest.raises(InvalidArgument, match=r"node 'adder' \(ai.onnx::Add.*\[2\] and \[3\]"):
        session_of(model).run(None, {"a": np.ones(2, np.float32), "b": np.ones(3, np.float32)})


def test_a_closed_session_does_not_run():
    session = session_of(add_model())
    session.run(None, {"a": A, "b": A})
    run = session.run
    session.close()
    for closed in (session.run, run):
        with pytest.raises(Fail, match="closed"):
            closed(None, {"a": A, "b": A})


def test_run_keeps_a_session_that_nobody_else_holds():
    run = session_of(add_model()).run
    gc.collect()
    np.testing.assert_array_equal(run(None, {"a": A.tolist(), "b": A})[0], A + A)
    _, captured = session_of(add_model()).run(None, {"a": A, "b": A}, capture=["a"])
    np.testing.assert_array_equal(captured["a"], A)


def test_a_dropped_session_goes_at_once():
    session = session_of(add_model())
    session.run(None, {"a": A, "b": A})
    gone = weakref.ref(session)
    del session
    assert gone() is None


def test_observers_see_runs_of_sessions_that_were_there_before_them():
    session = session_of(add_model())
    session.run(None, {"a": A, "b": A})
    seen = []

    class Hooks:
        @hookimpl
        def ort_core_run_finished(self, event):
            seen.append(event.outputs)

    name = register_hooks(Hooks())
    try:
        session.run(None, {"a": A, "b": A})
        assert len(seen) == 1
    finally:
        unregister_hooks(name)
    session.run(None, {"a": A, "b": A})
    assert len(seen) == 1


def test_a_subclass_may_override_run():
    class Loud(ort.InferenceSession):
        def run(self, *arguments, **keywords):
            return ["loud", *super().run(*arguments, **keywords)]

    session = Loud(add_model(), providers=["CPUExecutionProvider"])
    assert session.run(None, {"a": A, "b": A})[0] == "loud"


def test_declined_nodes_say_why_and_may_be_an_error():
    strings = model_of(
        [helper.make_node("StringNormalizer", ["s"], ["t"], name="lower", case_change_action="LOWER")],
        [("s", TensorProto.STRING, ["n"])],
        [("t", TensorProto.STRING)],
    )
    assert "no kernel for ai.onnx::StringNormalizer" in str(session_of(strings).explain())
    with pytest.raises(errors.NotImplemented, match="lower"):
        session_of(strings, **{"session.disable_reference_fallback": "1"})


def test_unknown_options_are_refused():
    with pytest.raises(InvalidArgument, match="winograd"):
        ort.InferenceSession(
            add_model(), providers=[("CPUExecutionProvider", {"vinograd": "1"})], on_provider_error="raise"
        )


def test_an_unknown_level_of_instructions_is_reported():
    code = "import ort_core as ort; print(ort.InferenceSession(__import__('sys').argv[1]).provider_status)"
    result = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "examples/digits/digits.onnx")],
        env={**os.environ, "ORT_CPU_ISA": "avx9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ORT_CPU_ISA is 'avx9'" in result.stdout + result.stderr


def test_profiling_records_each_kernel(tmp_path):
    options = ort.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "profile")
    session = ort.InferenceSession(add_model(), options, providers=["CPUExecutionProvider"])
    session.run(None, {"a": A, "b": A})
    text = (tmp_path / session.end_profiling()).read_text()
    assert '"op_name": "Add"' in text


def test_the_table_of_operators_is_up_to_date():
    assert (ROOT / "docs/supported-operators.md").read_text() == markdown()
