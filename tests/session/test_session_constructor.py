from __future__ import annotations

import os
import pathlib

import numpy as np
import onnx
import pytest
from session_models import ADD, TWO_INPUTS, parse

import ort_core as ort
from ort_core.errors import EPFail, Fail, InvalidArgument, InvalidProtobuf, NoSuchFile
from ort_core.errors import NotImplemented as NoKernel

REFERENCE = "ReferenceExecutionProvider"


class TextPath:
    def __fspath__(self):
        return "model.onnx"


class BytesPath:
    def __fspath__(self):
        return b"model.onnx"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.onnx").write_bytes(ADD)
    return tmp_path


@pytest.mark.parametrize(
    "source",
    ["model.onnx", pathlib.Path("model.onnx"), TextPath(), BytesPath(), ADD, bytearray(ADD), memoryview(ADD)],
    ids=lambda s: type(s).__name__,
)
def test_model_from_any_kind_of_source_computes_the_same(folder, x, source):
    with ort.InferenceSession(source) as session:
        np.testing.assert_array_equal(session.run(None, {"x": x})[0], np.add(x, [1, 2]))


def test_model_from_a_message_computes_the_same(x):
    with ort.InferenceSession(onnx.load_from_string(ADD)) as session:
        np.testing.assert_array_equal(session.run(None, {"x": x})[0], np.add(x, [1, 2]))


def test_absolute_path_works(folder, x):
    with ort.InferenceSession(str(folder / "model.onnx")) as session:
        assert session.run(None, {"x": x})[0].shape == (3, 2)


@pytest.mark.parametrize("source", [None, 1, [], object(), {}])
def test_source_of_a_wrong_type_is_a_type_error_that_names_it(source):
    with pytest.raises(TypeError, match=f"Unable to load from type '{type(source).__name__}'.*ModelProto"):
        ort.InferenceSession(source)


def test_text_is_a_path_and_bytes_are_a_model(folder):
    with pytest.raises(InvalidProtobuf):
        ort.InferenceSession(b"model.onnx")
    with pytest.raises(NoSuchFile, match=r"'other\.onnx'.*current folder"):
        ort.InferenceSession("other.onnx")


@pytest.mark.parametrize(
    ("path", "error"),
    [("", NoSuchFile), ("nul\0byte.onnx", InvalidArgument), (".", Fail), ("x" * 5000, Fail)],
    ids=["empty", "nul", "folder", "too long"],
)
def test_impossible_path_is_refused_with_an_exception_of_ours(folder, path, error):
    with pytest.raises(error):
        ort.InferenceSession(path)


def test_later_changes_of_a_buffer_do_not_reach_the_session(x):
    data = bytearray(ADD)
    with ort.InferenceSession(data) as session:
        data[:] = bytes(len(data))
        session.set_providers()
        assert session.run(None, {"x": x})[0].tolist() == np.add(x, [1, 2]).tolist()


@pytest.mark.parametrize("options", [1, "x", {}, ort.RunOptions()], ids=lambda o: type(o).__name__)
def test_options_of_a_wrong_type_are_a_type_error(options):
    with pytest.raises(TypeError, match="sess_options takes a SessionOptions"):
        ort.InferenceSession(ADD, options)


def test_session_keeps_a_copy_of_its_options():
    options = ort.SessionOptions()
    options.logid = "before"
    with ort.InferenceSession(ADD, options) as session:
        options.logid = "after"
        assert session.get_session_options().logid == "before"
        session.get_session_options().logid = "changed"
        assert session.get_session_options().logid == "before"


@pytest.mark.parametrize("providers", [None, [], (), [REFERENCE], (REFERENCE,), [(REFERENCE, {})]], ids=repr)
def test_providers_as_names_pairs_or_nothing(providers, x):
    with ort.InferenceSession(ADD, providers=providers) as session:
        assert REFERENCE in [*session.get_providers(), *session.provider_status]
        assert session.run(None, {"x": x})[0].shape == (3, 2)


@pytest.mark.parametrize(
    ("providers", "options", "reason"),
    [
        (REFERENCE, None, "expected a sequence of names"),
        ({REFERENCE: {}}, None, "expected a sequence of names"),
        (1, None, "expected a sequence of names"),
        ([1], None, "expected a name or a tuple"),
        ([(REFERENCE,)], None, "expected a name or a tuple"),
        ([(REFERENCE, 1)], None, "expected a name or a tuple"),
        ([REFERENCE], [], "1 entries"),
        ([REFERENCE], [{}, {}], "1 entries"),
        ([REFERENCE], [1], "expected a dict"),
        ([REFERENCE], 1, "expected a sequence"),
        ([(REFERENCE, {})], [{}], "expected names only"),
        (["NoSuchExecutionProvider"], None, "no installed or known execution provider"),
    ],
)
def test_malformed_provider_arguments_are_value_errors(providers, options, reason):
    with pytest.raises(InvalidArgument, match=reason) as info:
        ort.InferenceSession(ADD, None, providers, options)
    assert isinstance(info.value, ValueError)


def test_provider_options_reach_the_provider_and_are_told(trouble):
    with ort.InferenceSession(ADD, providers=[trouble.name], provider_options=[{"level": 3}]) as session:
        assert trouble.created[0].options.level == 3
        assert session.get_provider_options()[trouble.name] == {"level": "3", "label": "none"}
    with ort.InferenceSession(ADD, providers=[(trouble.name, {"level": "4", "label": "b"})]) as session:
        assert session.get_provider_options()[trouble.name] == {"level": "4", "label": "b"}


def test_providers_of_the_options_count_when_none_are_listed(trouble, x):
    options = ort.SessionOptions()
    options.add_provider(trouble.name, {"level": "5"})
    assert options.has_providers()
    with ort.InferenceSession(ADD, options) as session:
        assert session.get_providers()[0] == trouble.name
        assert trouble.created[0].options.level == 5
    with ort.InferenceSession(ADD, options, providers=[REFERENCE]) as session:
        assert trouble.name not in session.get_providers()


@pytest.mark.parametrize("disabled", [None, [], {"fold_constants"}, ("ConstantFolding",), ["unheard of"], frozenset()])
def test_disabled_optimizers_take_any_collection_of_names(disabled, x):
    with ort.InferenceSession(TWO_INPUTS, disabled_optimizers=disabled) as session:
        assert session.run(["d"], {"a": x, "b": x})[0].tolist() == (x - x).tolist()


def test_disabled_optimizer_does_not_run(tmp_path):
    twice = parse("g (float[N] x) => (float[N] y) { a = Identity (x) b = Relu (a) c = Relu (a) y = Add (b, c) }")
    saved = {}
    for disabled in ((), ("eliminate_duplicate",), ("CommonSubexpressionElimination", "ConstantSharing")):
        options = ort.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / f"{len(saved)}.onnx")
        ort.InferenceSession(twice, options, disabled_optimizers=disabled).close()
        nodes = onnx.load(options.optimized_model_filepath).graph.node
        saved[disabled] = [n.op_type for n in nodes].count("Relu")
    assert list(saved.values()) == [1, 2, 2]


@pytest.mark.parametrize("disabled", ["fold_constants", 3])
def test_disabled_optimizers_that_are_no_collection_are_a_type_error(disabled):
    with pytest.raises(TypeError):
        ort.InferenceSession(ADD, disabled_optimizers=disabled)


@pytest.mark.parametrize("value", [0, 1, True, False, "0", "1", np.bool_(True)])
def test_flags_may_be_numbers(value):
    ort.InferenceSession(ADD, enable_fallback=value, read_config_from_model=value).close()


@pytest.mark.parametrize(("value", "error"), [("x", ValueError), (None, TypeError), ([], TypeError)])
@pytest.mark.parametrize("name", ["enable_fallback", "read_config_from_model"])
def test_flags_that_are_no_numbers_are_refused(name, value, error):
    with pytest.raises(error, match=name):
        ort.InferenceSession(ADD, **{name: value})


def test_configuration_in_the_model_has_no_effect():
    proto = parse("g (float[N] x) => (float[N] y) { y = Neg (x) }")
    onnx.helper.set_model_props(proto, {"ort_config": '{"session_options": {"intra_op_num_threads": 3}}'})
    with ort.InferenceSession(proto, read_config_from_model=1) as session:
        assert session.get_session_options().intra_op_num_threads == 0


def test_unknown_keyword_is_a_type_error():
    with pytest.raises(TypeError, match="provider_list"):
        ort.InferenceSession(ADD, provider_list=[])


@pytest.mark.parametrize("value", ["ignore", None, 1])
def test_on_provider_error_takes_two_words(value):
    with pytest.raises(InvalidArgument, match="'warn' or 'raise'"):
        ort.InferenceSession(ADD, on_provider_error=value)


def test_provider_that_cannot_compile_is_left_out_with_a_warning_or_raises(trouble, x, caplog):
    trouble.compile_failure = RuntimeError("out of registers")
    with ort.InferenceSession(ADD, providers=[trouble.name]) as session:
        assert "out of registers" in session.provider_status[trouble.name]
        assert "the session goes on without it" in caplog.text
        assert session.get_providers() != []
        assert set(session.get_provider_options()) == set(session.get_providers())
        assert session.run(None, {"x": x})[0].shape == (3, 2)
        assert trouble.created[0].closed == 0
    assert trouble.created[0].closed == 1
    with pytest.raises(EPFail, match="out of registers"):
        ort.InferenceSession(ADD, providers=[trouble.name], on_provider_error="raise")
    assert [p.closed for p in trouble.created] == [1, 1]


def test_failed_creation_closes_the_providers(trouble):
    bad = parse("g (float[N] x) => (float[N] y) { y = no.such.NoSuchOp (x) }", extra=', "no.such" : 1')
    with pytest.raises(NoKernel):
        ort.InferenceSession(bad, providers=[trouble.name])
    assert [p.closed for p in trouble.created] == [1]


def test_path_with_odd_characters_works_and_nothing_is_left_beside_it(tmp_path, x):
    path = tmp_path / "mödel ,;'\".onnx"
    path.write_bytes(ADD)
    with ort.InferenceSession(path) as session:
        assert session.run(None, {"x": x})[0].shape == (3, 2)
    assert os.listdir(tmp_path) == [path.name]
