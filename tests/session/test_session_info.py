from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from onnx import TensorProto, helper
from session_models import ADD, TWO_INPUTS, graph_model, identity, info, model, parse, tensor

import ort_core as ort
from ort_core.errors import EPFail, Fail, InvalidArgument

REFERENCE = "ReferenceExecutionProvider"


def args_of(source):
    with ort.InferenceSession(source) as session:
        return session.get_inputs(), session.get_outputs()


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("float[3,2]", [3, 2]),
        ("float[N,2]", ["N", 2]),
        ("float[?,2]", [None, 2]),
        ("float", []),
        ("float[]", []),
        ("float[0]", [0]),
    ],
)
def test_shapes_have_sizes_names_and_none(kind, shape):
    for args in args_of(identity(kind)):
        (arg,) = args
        assert (arg.type, arg.shape) == ("tensor(float)", shape)
        assert str(arg) == repr(arg) == f"NodeArg(name={arg.name!r}, type='tensor(float)', shape={shape!r})"


def test_names_that_inference_makes_up_are_not_shown():
    (_,), (y,) = args_of(model("g (float[N,2] x) => (y) { t = NonZero (x) y = Concat <axis=1> (t, t) }"))
    assert (y.type, y.shape) == ("tensor(int64)", [2, None])
    (x,), (y,) = args_of(model("g (float[unk__0] x) => (float[unk__0] y) { y = Neg (x) }"))
    assert x.shape == y.shape == ["unk__0"]


def test_declared_output_shapes_are_told_as_declared(caplog):
    _, (y,) = args_of(model("g (float[N,2] x) => (float[M,K] y) { y = Neg (x) }"))
    assert y.shape == ["M", 2]
    _, (y,) = args_of(model("g (float[N,M] x) => (int64[2,3] y) { y = NonZero (x) }"))
    assert y.shape == [2, 3]
    _, (y,) = args_of(model("g (float[N,2] x) => (float[3] y) { y = Neg (x) }"))
    assert y.shape == []
    assert "declared as tensor(float) [3]" in caplog.text


def test_wrongly_declared_output_shape_does_not_stop_a_bound_buffer():
    with ort.InferenceSession(model("g (float[N,M] x) => (int64[2,3] y) { y = NonZero (x) }")) as session:
        buffer = ort.OrtValue.ortvalue_from_numpy(np.zeros((2, 2), np.int64))
        binding = session.io_binding()
        binding.bind_cpu_input("x", np.ones((1, 2), np.float32))
        binding.bind_ortvalue_output("y", buffer)
        session.run_with_iobinding(binding)
        assert buffer.numpy().tolist() == [[0, 0], [0, 1]]


def test_node_args_cannot_be_changed():
    with ort.InferenceSession(ADD) as session:
        (arg,) = session.get_inputs()
        for name in ("name", "type", "shape", "other"):
            with pytest.raises(AttributeError):
                setattr(arg, name, "q")
        arg.shape.append(3)
        session.get_inputs().clear()
        assert session.get_inputs()[0].shape == ["N", 2]


def test_input_whose_type_is_a_container_has_no_shape():
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [3]))
    (x,), _ = args_of(graph_model([helper.make_node("Identity", ["x"], ["y"])], [info("x", kind)], [info("y", kind)]))
    assert (x.type, x.shape) == ("seq(tensor(float))", [])


def test_metadata_of_the_model():
    proto = parse("named (float[N] x) => (float[N] y) { y = Neg (x) }")
    proto.producer_name, proto.domain, proto.doc_string, proto.model_version = "maker", "org.test", "words", 42
    proto.graph.doc_string = "graph words"
    helper.set_model_props(proto, {"key": "välue", "empty": ""})
    with ort.InferenceSession(proto) as session:
        meta = session.get_modelmeta()
    assert (meta.producer_name, meta.graph_name, meta.domain, meta.description, meta.graph_description) == (
        "maker", "named", "org.test", "words", "graph words"
    )  # fmt: skip
    assert meta.version == 42
    assert meta.custom_metadata_map == {"key": "välue", "empty": ""}


def test_version_of_a_model_without_one_is_the_largest():
    with ort.InferenceSession(ADD) as session:
        assert session.get_modelmeta().version == 2**63 - 1
    assert sys.maxsize == 2**63 - 1


@pytest.mark.parametrize("version", [0, -1, 2**63 - 1])
def test_version_that_the_model_sets_is_told(version):
    proto = parse("g (float[N] x) => (float[N] y) { y = Neg (x) }")
    proto.model_version = version
    with ort.InferenceSession(proto) as session:
        assert session.get_modelmeta().version == version


def test_metadata_that_is_not_utf8_is_shown_with_replacement_characters():
    bad = b"\xff\x98"
    fields = {2: "producer_name", 4: "domain", 6: "description"}
    source = ADD + b"".join(bytes([number << 3 | 2, len(bad)]) + bad for number in fields)
    entry = bytes([1 << 3 | 2, 2]) + bad + bytes([2 << 3 | 2, 2]) + bad
    source += bytes([14 << 3 | 2, len(entry)]) + entry
    with ort.InferenceSession(source) as session:
        meta = session.get_modelmeta()
    assert {getattr(meta, name) for name in fields.values()} == {"\ufffd\ufffd"}
    assert meta.custom_metadata_map == {"\ufffd\ufffd": "\ufffd\ufffd"}


def test_unlisted_cpu_and_reference_are_not_told_as_providers(trouble):
    with ort.InferenceSession(ADD, providers=[trouble.name]) as session:
        assert session.get_providers()[0] == trouble.name
        assert REFERENCE not in session.get_providers()
        assert session.provider_status[trouble.name] == "ok"
        session.get_providers().clear()
        assert session.get_providers()[0] == trouble.name


def test_nodes_that_run_on_the_reference_provider_are_named_in_one_warning(trouble, caplog):
    source = model("g (float[N] x) => (float[N] y) { a = Add (x, x) b = Neg (a) c = Sqrt (b) y = Neg (c) }")
    options = ort.SessionOptions()
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "0")
    with ort.InferenceSession(source, options, providers=[trouble.name]) as session:
        if session.get_providers() != [trouble.name]:
            pytest.skip("a CPU provider is installed")
    warnings = [
        r.getMessage() for r in caplog.records if "run on" in r.getMessage() and "which is slow" in r.getMessage()
    ]
    assert len(warnings) == 1
    assert "3 nodes run on ReferenceExecutionProvider" in warnings[0]
    assert "ai.onnx::Neg, ai.onnx::Sqrt" in warnings[0]


def test_disabled_reference_fallback_refuses_the_model(trouble):
    options = ort.SessionOptions()
    options.add_session_config_entry("session.disable_reference_fallback", "1")
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    with ort.InferenceSession(ADD, options, providers=[trouble.name]) as session:
        assert session.get_providers() == [trouble.name]
    with pytest.raises(
        NotImplementedError, match=r"Neg.*TroubleExecutionProvider: adds only.*disable_reference_fallback"
    ):
        ort.InferenceSession(identity_of_neg(), options, providers=[trouble.name])
    assert [p.closed for p in trouble.created] == [1, 1]


def identity_of_neg():
    return model("g (float[N] x) => (float[N] y) { y = Neg (x) }")


def test_explain_tells_where_nodes_run_and_why_others_declined(trouble):
    source = model("g (float[N] x) => (float[N] y) { a = Add (x, x) y = Neg (a) }")
    with ort.InferenceSession(source, providers=[trouble.name]) as session:
        report = session.explain()
        placed = {n.op_type: n for n in report.nodes}
        assert placed["Add"].provider == trouble.name
        assert placed["Neg"].declined[trouble.name] == "adds only"
        assert "2 nodes in 2 partitions" in str(report)
        assert {p["name"] for p in json.loads(report.to_json())["partitions"]} == {p.name for p in report.partitions}
        found = [(g.ep_name, [(n.name, n.domain, n.op_type) for n in g.get_nodes()])
                 for g in session.get_provider_graph_assignment_info()]  # fmt: skip
        assert found[0] == (trouble.name, [("a", "", "Add")])


def test_explain_names_the_bodies_of_control_flow():
    then = helper.make_graph([helper.make_node("Neg", ["x"], ["t"], name="negate")], "t", [], [tensor("t", ["N"])])
    other = helper.make_graph([helper.make_node("Abs", ["x"], ["e"], name="keep")], "e", [], [tensor("e", ["N"])])
    source = graph_model(
        [helper.make_node("If", ["c"], ["y"], name="choice", then_branch=then, else_branch=other)],
        [tensor("x", ["N"]), tensor("c", [], TensorProto.BOOL)],
        [tensor("y", ["N"])],
    )
    with ort.InferenceSession(source) as session:
        scopes = {n.name: n.scope for n in session.explain().nodes}
    assert scopes["choice"] == ""
    assert scopes["negate"].startswith("choice")
    assert scopes["keep"].startswith("choice")
    assert scopes["negate"] != scopes["keep"]


def test_memory_of_inputs_and_outputs():
    with ort.InferenceSession(TWO_INPUTS) as session:
        assert [m.name for m in session.get_input_memory_infos()] == ["Cpu", "Cpu"]
        assert [m.name for m in session.get_output_memory_infos()] == ["Cpu", "Cpu"]


def test_set_providers_creates_the_session_anew(trouble, x):
    with ort.InferenceSession(ADD) as session:
        before = session.get_providers()
        session.set_providers([trouble.name], [{"level": 2}])
        assert session.get_providers()[0] == trouble.name
        assert session.get_provider_options()[trouble.name]["level"] == "2"
        assert session.run(None, {"x": x})[0].tolist() == np.add(x, [1, 2]).tolist()
        session.set_providers()
        assert session.get_providers() == before
        assert [p.closed for p in trouble.created] == [1]


@pytest.mark.parametrize(
    ("arguments", "error"), [((["NoSuchExecutionProvider"],), InvalidArgument), ((3,), InvalidArgument)]
)
def test_failing_set_providers_leaves_the_session_as_it_was(trouble, x, arguments, error):
    with ort.InferenceSession(ADD, providers=[trouble.name]) as session:
        before = session.get_providers()
        with pytest.raises(error):
            session.set_providers(*arguments)
        assert session.get_providers() == before
        assert session.run(None, {"x": x})[0].shape == (3, 2)
        assert trouble.runs == 1
        assert trouble.created[0].closed == 0


def test_set_providers_that_fails_late_leaves_the_session_as_it_was(trouble, x):
    with ort.InferenceSession(ADD, on_provider_error="raise") as session:
        before = session.get_providers()
        trouble.compile_failure = RuntimeError("no")
        with pytest.raises(EPFail):
            session.set_providers([trouble.name])
        assert session.get_providers() == before
        assert session.run(None, {"x": x})[0].shape == (3, 2)
        assert trouble.created[0].closed == 1


def test_set_providers_refuses_a_model_file_that_changed(tmp_path, x, monkeypatch):
    path = tmp_path / "m.onnx"
    path.write_bytes(ADD)
    monkeypatch.chdir(tmp_path)
    with ort.InferenceSession("m.onnx") as session:
        monkeypatch.chdir(tmp_path.parent)
        session.set_providers()
        path.write_bytes(ADD + b"\x00" * 4)
        with pytest.raises(Fail, match=r"m\.onnx' changed"):
            session.set_providers()
        path.unlink()
        with pytest.raises(Fail, match="changed"):
            session.set_providers()
        assert session.run(None, {"x": x})[0].shape == (3, 2)


@pytest.mark.parametrize("named", [True, False])
def test_run_falls_back_once_when_a_provider_fails(trouble, x, caplog, named):
    with ort.InferenceSession(ADD, providers=[trouble.name]) as session:
        trouble.fail_as_provider(trouble.name if named else "")
        assert session.run(None, {"x": x})[0].tolist() == np.add(x, [1, 2]).tolist()
        assert trouble.name not in session.get_providers()
        assert "fell off the bus" in caplog.text
        assert trouble.runs == 1
        assert trouble.created[0].closed == 1
        assert session.run(None, {"x": x})[0].shape == (3, 2)


def test_all_kinds_of_runs_fall_back(trouble, x):
    value = ort.OrtValue.ortvalue_from_numpy(x)

    def bound(session):
        binding = session.io_binding()
        binding.bind_cpu_input("x", x)
        binding.bind_output("y")
        session.run_with_iobinding(binding)
        return binding.copy_outputs_to_cpu()[0]

    for run in (lambda s: s.run_with_ort_values(None, {"x": value})[0].numpy(), bound):
        trouble.failure = None
        with ort.InferenceSession(ADD, providers=[trouble.name]) as session:
            trouble.fail_as_provider()
            assert run(session).tolist() == np.add(x, [1, 2]).tolist()


def test_without_fallback_the_failure_is_raised(trouble, x):
    trouble.fail_as_provider()
    with ort.InferenceSession(ADD, providers=[trouble.name], enable_fallback=False) as session:
        with pytest.raises(EPFail, match="fell off the bus"):
            session.run(None, {"x": x})
        assert session.get_providers()[0] == trouble.name
        session.enable_fallback()
        assert session.run(None, {"x": x})[0].shape == (3, 2)
    with ort.InferenceSession(ADD, providers=[trouble.name]) as session:
        session.disable_fallback()
        with pytest.raises(EPFail):
            session.run(None, {"x": x})


def test_without_anything_left_the_failure_is_raised(trouble, x):
    options = ort.SessionOptions()
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    trouble.fail_as_provider()
    with (
        ort.InferenceSession(ADD, options, providers=[trouble.name]) as session,
        pytest.raises(EPFail, match="fell off the bus"),
    ):
        session.run(None, {"x": x})


def test_failure_of_one_node_is_no_reason_to_fall_back(trouble, x):
    with ort.InferenceSession(ADD, providers=[trouble.name]) as session:
        trouble.failure = ZeroDivisionError("inside")
        with pytest.raises(RuntimeError, match=r"TroubleExecutionProvider.*ZeroDivisionError: inside") as info:
            session.run(None, {"x": x})
        assert isinstance(info.value.__cause__, ZeroDivisionError)
        assert session.get_providers()[0] == trouble.name


def test_tuning_dynamic_options_and_captured_graphs_are_accepted(session):
    assert session.get_tuning_results() == []
    assert session.set_tuning_results([]) is None
    assert session.set_ep_dynamic_options({"a": "b"}) is None
    assert session.release_captured_graph() is None
    with pytest.raises(InvalidArgument):
        session.set_ep_dynamic_options({})
    with pytest.raises(InvalidArgument):
        session.set_tuning_results([{"ep": "X"}], error_on_invalid=True)
    value = session.create_ortvalue_from_shape_and_type([2, 3], np.float32, "cpu")
    assert value.shape() == [2, 3]
