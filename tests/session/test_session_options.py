from __future__ import annotations

import copy
import enum
import pickle

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from session_models import ADD, OVERRIDABLE, TWO_INPUTS, model, parse

import ort_core as ort
from ort_core.errors import InvalidArgument, InvalidGraph, ModelLoadCanceled, RuntimeException

DEFAULTS = {
    "enable_cpu_mem_arena": True,
    "enable_mem_pattern": True,
    "enable_mem_reuse": True,
    "enable_profiling": False,
    "execution_mode": ort.ExecutionMode.ORT_SEQUENTIAL,
    "execution_order": ort.ExecutionOrder.DEFAULT,
    "graph_optimization_level": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "inter_op_num_threads": 0,
    "intra_op_num_threads": 0,
    "log_severity_level": -1,
    "log_verbosity_level": 0,
    "logid": "",
    "optimized_model_filepath": "",
    "profile_file_prefix": "onnxruntime_profile_",
    "use_deterministic_compute": False,
    "use_per_session_threads": True,
}
BOOLS = [n for n, v in DEFAULTS.items() if isinstance(v, bool)]
ENUMS = [n for n, v in DEFAULTS.items() if isinstance(v, enum.Enum)]
INTS = [n for n, v in DEFAULTS.items() if type(v) is int]
TEXTS = [n for n, v in DEFAULTS.items() if isinstance(v, str)]


def test_attributes_and_defaults_are_those_of_onnxruntime():
    options = ort.SessionOptions()
    assert {n: getattr(options, n) for n in DEFAULTS} == DEFAULTS
    assert all(type(getattr(options, n)) is type(v) for n, v in DEFAULTS.items())


@pytest.mark.parametrize("name", BOOLS)
@pytest.mark.parametrize(("value", "stored"), [(True, True), (0, False), (2, True), (None, False), (np.bool_(1), True)])
def test_booleans_take_numbers(name, value, stored):
    options = ort.SessionOptions()
    setattr(options, name, value)
    assert getattr(options, name) is stored


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (BOOLS, ["x", [], b"1", {}, object(), np.ones(2), ort.ExecutionMode.ORT_PARALLEL]),
        (INTS, ["1", 1.0, None, [], 1 << 31, -(1 << 31) - 1, 10**30]),
        (ENUMS, [0, 1, "ORT_ENABLE_ALL", None, True, ort.OrtDeviceMemoryType.DEFAULT]),
        (TEXTS, [1, None, [], 1.5]),
    ],
    ids=["bools", "ints", "enums", "texts"],
)
def test_values_of_a_wrong_type_are_type_errors_that_name_the_option(names, values):
    for name in names:
        for value in values:
            options = ort.SessionOptions()
            with pytest.raises(TypeError, match=f"{name} takes .*, got {type(value).__name__}"):
                setattr(options, name, value)
            assert getattr(options, name) == DEFAULTS[name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("inter_op_num_threads", -1),
        ("intra_op_num_threads", -1),
        ("log_severity_level", -2),
        ("log_severity_level", 5),
        ("log_verbosity_level", -1),
    ],
)
def test_values_out_of_range_are_refused_when_they_are_set(name, value):
    options = ort.SessionOptions()
    with pytest.raises(InvalidArgument, match=f"{name} must be an int .*, got {value}"):
        setattr(options, name, value)


def test_texts_take_paths_and_bytes(tmp_path):
    options = ort.SessionOptions()
    options.optimized_model_filepath = tmp_path / "m.onnx"
    assert options.optimized_model_filepath == str(tmp_path / "m.onnx")
    options.logid = b"id"
    assert options.logid == "id"


@pytest.mark.parametrize("kind", [ort.SessionOptions, ort.RunOptions])
def test_unknown_attributes_are_refused_with_the_ones_that_exist(kind):
    options = kind()
    with pytest.raises(
        AttributeError, match=f"{kind.__name__} has no attribute 'log_level'. It has: .*log_severity_level"
    ):
        options.log_level = 1
    with pytest.raises(AttributeError):
        _ = options.log_level
    with pytest.raises(TypeError):
        kind(1)


@pytest.mark.parametrize(
    "name", ["config", "initializers", "external_files", "load_cancelled", "free_dimensions_by_name"]
)
def test_collections_cannot_be_assigned(name):
    with pytest.raises(AttributeError):
        setattr(ort.SessionOptions(), name, {})


@pytest.mark.parametrize(
    ("kind", "add", "get"),
    [
        (ort.SessionOptions, "add_session_config_entry", "get_session_config_entry"),
        (ort.RunOptions, "add_run_config_entry", "get_run_config_entry"),
    ],
)
def test_configuration_entries(kind, add, get):
    options = kind()
    getattr(options, add)("a.key", "value")
    getattr(options, add)("a.key", "")
    getattr(options, add)("k" * 1024, "v" * 8192)
    assert getattr(options, get)("a.key") == ""
    assert len(getattr(options, get)("k" * 1024)) == 8192
    with pytest.raises(RuntimeException, match=f"{kind.__name__} does not have configuration with key: b.key.*a.key"):
        getattr(options, get)("b.key")
    for key, value in (("", "v"), ("k" * 1025, "v"), ("k", "v" * 8193)):
        with pytest.raises(InvalidArgument, match="characters"):
            getattr(options, add)(key, value)
    for key, value in ((1, "v"), ("k", 1), (None, None), (b"k", "v")):
        with pytest.raises(TypeError):
            getattr(options, add)(key, value)


def shapes(source, options):
    with ort.InferenceSession(source, options) as session:
        return [a.shape for a in (*session.get_inputs(), *session.get_outputs())]


def test_dimensions_by_name(x):
    options = ort.SessionOptions()
    options.add_free_dimension_override_by_name("N", 3)
    options.add_free_dimension_override_by_name("no such name", 3)
    assert shapes(TWO_INPUTS, options) == [[3, 2]] * 4
    with ort.InferenceSession(TWO_INPUTS, options) as session:
        assert session.run(["s"], {"a": x, "b": x})[0].shape == (3, 2)
        with pytest.raises(InvalidArgument, match="index: 0 Got: 2 Expected: 3"):
            session.run(["s"], {"a": x[:2], "b": x})


def test_dimensions_by_denotation():
    proto = parse("g (float[?,C,H] x) => (float[?,C,H] y) { y = Neg (x) }")
    for dim, denotation in zip(
        proto.graph.input[0].type.tensor_type.shape.dim, ["DATA_BATCH", "DATA_CHANNEL", ""], strict=True
    ):
        dim.denotation = denotation
    options = ort.SessionOptions()
    options.add_free_dimension_override_by_denotation("DATA_BATCH", 2)
    options.add_free_dimension_override_by_denotation("DATA_FEATURE", 9)
    options.add_free_dimension_override_by_name("H", np.int64(4))
    assert shapes(proto, options)[0] == [2, "C", 4]
    assert shapes(proto, options)[1] == [2, "C", 4]


def test_override_of_a_fixed_dimension_by_denotation_is_refused():
    proto = parse("g (float[3] x) => (float[3] y) { y = Neg (x) }")
    proto.graph.input[0].type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
    options = ort.SessionOptions()
    options.add_free_dimension_override_by_denotation("DATA_BATCH", 4)
    with pytest.raises(InvalidArgument, match=r"'DATA_BATCH'=4.*fixed size 3"):
        ort.InferenceSession(proto, options)


@pytest.mark.parametrize("value", [-1, 1 << 63])
def test_negative_or_huge_dimensions_are_refused(value):
    with pytest.raises(InvalidArgument, match="dimension 'N'"):
        ort.SessionOptions().add_free_dimension_override_by_name("N", value)


@pytest.mark.parametrize("arguments", [("N", "3"), ("N", 2.0), ("N", None), (1, 3), (None, 3)])
def test_dimensions_of_a_wrong_type_are_type_errors(arguments):
    for method in ("add_free_dimension_override_by_name", "add_free_dimension_override_by_denotation"):
        with pytest.raises(TypeError):
            getattr(ort.SessionOptions(), method)(*arguments)


def value(*numbers, dtype=np.float32):
    return ort.OrtValue.ortvalue_from_numpy(np.array(numbers, dtype))


def run_with(options, source, x, **feeds):
    with ort.InferenceSession(source, options) as session:
        return session.run(None, {"x": x, **feeds})[0].tolist()


def test_add_initializer_replaces_the_value(x):
    options = ort.SessionOptions()
    options.add_initializer("w", value(5, 6))
    options.add_initializer("of another model", value(1))
    assert run_with(options, ADD, x) == np.add(x, [5, 6]).tolist()
    assert run_with(options, OVERRIDABLE, x) == np.add(x, [5, 6]).tolist()
    assert run_with(options, OVERRIDABLE, x, w=x[0]) == (x + x[0]).tolist()
    options.add_initializer("w", value(7, 8))
    assert run_with(options, ADD, x) == np.add(x, [7, 8]).tolist()


@pytest.mark.parametrize(
    "given", [value(5, 6, dtype=np.float64), value(5, 6, 7), value(5)], ids=lambda v: v.data_type()
)
def test_add_initializer_of_another_type_or_shape_is_refused(x, given):
    options = ort.SessionOptions()
    options.add_initializer("w", given)
    with pytest.raises(InvalidArgument, match=r"'w'.*add_initializer.*the model has tensor\(float\) \[2\]"):
        ort.InferenceSession(ADD, options)


@pytest.mark.parametrize("given", [np.zeros(2, np.float32), [1, 2], None])
def test_initializers_that_are_no_values_are_type_errors(given):
    with pytest.raises(TypeError, match="'w' takes an OrtValue"):
        ort.SessionOptions().add_initializer("w", given)
    with pytest.raises(TypeError, match="'w' takes an OrtValue"):
        ort.SessionOptions().add_external_initializers(["w"], [given])


def external(location="w.bin", offset=4, length=8):
    proto = onnx.load_from_string(ADD)
    weight = proto.graph.initializer[0]
    for field in ("float_data", "raw_data"):
        weight.ClearField(field)
    weight.data_location = TensorProto.EXTERNAL
    for key, text in {"location": location, "offset": str(offset), "length": str(length)}.items():
        weight.external_data.add(key=key, value=text)
    return proto.SerializeToString()


def test_external_initializers_by_name_need_no_file(x):
    options = ort.SessionOptions()
    options.add_external_initializers(["w"], [value(5, 6)])
    assert run_with(options, external(), x) == np.add(x, [5, 6]).tolist()
    assert run_with(options, external("/absolute/../nonsense"), x) == np.add(x, [5, 6]).tolist()


def test_external_initializers_from_buffers_need_no_file(x):
    data = b"skip" + np.float32([5, 6]).tobytes()
    for buffer in (data, bytearray(data), memoryview(data + b"more"), np.frombuffer(data, np.uint8)):
        options = ort.SessionOptions()
        options.add_external_initializers_from_files_in_memory(["w.bin"], [buffer], [12])
        assert run_with(options, external(), x) == np.add(x, [5, 6]).tolist()


def test_external_initializers_from_a_folder(x, tmp_path):
    (tmp_path / "w.bin").write_bytes(b"skip" + np.float32([5, 6]).tobytes())
    options = ort.SessionOptions()
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(tmp_path))
    assert run_with(options, external(), x) == np.add(x, [5, 6]).tolist()


def test_external_initializers_that_do_not_fit_are_refused():
    cases = [
        (
            lambda o: o.add_external_initializers(["w"], [value(5, 6, 7)]),
            InvalidArgument,
            r"\[3\], the model has .*\[2\]",
        ),
        (lambda o: o.add_external_initializers(["w"], [value(5, 6, dtype=int)]), InvalidArgument, r"tensor\(int64\)"),
        (lambda o: o.add_external_initializers(["w", "q"], [value(5, 6)] * 2), InvalidArgument, "'q'.*replaced: w"),
        (
            lambda o: o.add_external_initializers_from_files_in_memory(["w.bin"], [b"short"], [5]),
            InvalidGraph,
            "5 bytes",
        ),
        (
            lambda o: o.add_external_initializers_from_files_in_memory(["v.bin"], [b"x" * 12], [12]),
            InvalidArgument,
            "v.bin",
        ),
        (lambda o: None, InvalidArgument, "w.bin.*given as bytes"),
    ]
    for change, error, message in cases:
        options = ort.SessionOptions()
        change(options)
        with pytest.raises(error, match=message):
            ort.InferenceSession(external(), options)


def test_external_initializer_of_a_model_that_keeps_it_inside_is_refused():
    options = ort.SessionOptions()
    options.add_external_initializers(["w"], [value(5, 6)])
    with pytest.raises(InvalidArgument, match="add_initializer for initializers inside the model"):
        ort.InferenceSession(ADD, options)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((["a"], [], []), InvalidArgument),
        ((["a"], [b"abc"], [4]), InvalidArgument),
        ((["a"], [b"abc"], [-1]), InvalidArgument),
        ((["a"], [3], [1]), TypeError),
        ((["a"], [b"abc"], ["1"]), TypeError),
        (([1], [b"abc"], [1]), TypeError),
        ((["a"], [np.zeros((4, 4), np.uint8)[:, ::2]], [8]), InvalidArgument),
    ],
)
def test_malformed_files_in_memory_are_refused(arguments, error):
    options = ort.SessionOptions()
    with pytest.raises(error):
        options.add_external_initializers_from_files_in_memory(*arguments)
    assert options.external_files == {}


def test_empty_file_in_memory():
    options = ort.SessionOptions()
    options.add_external_initializers_from_files_in_memory(["a", "b"], [b"", np.zeros(0)], [0, 0])
    assert [len(v) for v in options.external_files.values()] == [0, 0]


def deep_model():
    return model(
        "g (float[N,4] x) => (float[N,3] y, int64[M] s) <float[4,3] w={1,2,3,4,5,6,7,8,9,10,11,12}, float[3] b={1,2,3}> {"
        " a = Identity (x) c = MatMul (a, w) d = Add (c, b) e = Relu (d) f = Dropout (e) k = Constant <value_float=2.0> ()"
        " g1 = Mul (f, k) h1 = Mul (f, k) y = Add (g1, h1) s = Shape (y) }"
    )


def test_each_optimization_level_gives_the_same_results():
    feed = {"x": np.arange(-4, 4, dtype=np.float32).reshape(2, 4)}
    found = {}
    for level in ort.GraphOptimizationLevel:
        options = ort.SessionOptions()
        options.graph_optimization_level = level
        with ort.InferenceSession(deep_model(), options) as session:
            found[level] = [r.tobytes() for r in session.run(None, feed)]
            assert len(session.explain().nodes) > 0
    assert len(set(map(tuple, found.values()))) == 1


def test_execution_modes_and_memory_options_give_the_same_results(x):
    for name in ("enable_cpu_mem_arena", "enable_mem_pattern", "enable_mem_reuse", "use_per_session_threads"):
        options = ort.SessionOptions()
        setattr(options, name, False)
        assert run_with(options, ADD, x) == np.add(x, [1, 2]).tolist()
    options = ort.SessionOptions()
    options.execution_mode = ort.ExecutionMode.ORT_PARALLEL
    options.execution_order = ort.ExecutionOrder.PRIORITY_BASED
    options.use_deterministic_compute = True
    options.intra_op_num_threads = options.inter_op_num_threads = 2
    assert run_with(options, ADD, x) == np.add(x, [1, 2]).tolist()


def test_options_reach_the_provider(trouble):
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = 3, 2
    options.execution_mode = ort.ExecutionMode.ORT_PARALLEL
    options.execution_order = ort.ExecutionOrder.MEMORY_EFFICIENT
    options.use_per_session_threads = False
    options.use_deterministic_compute = True
    options.enable_cpu_mem_arena = options.enable_mem_pattern = options.enable_mem_reuse = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("my.key", "my value")
    with ort.InferenceSession(ADD, options, providers=[trouble.name]):
        env = trouble.created[0].env
    assert (env.threads.intra_op, env.threads.inter_op, env.threads.parallel, env.threads.spin) == (3, 2, True, False)
    assert (env.use_arena, env.use_mem_pattern, env.use_mem_reuse, env.deterministic) == (False, False, False, True)
    assert (env.execution_order, env.threads.per_session) == ("MEMORY_EFFICIENT", False)
    assert env.config["my.key"] == "my value"


def test_cancellation_flag_stops_loading(x):
    options = ort.SessionOptions()
    options.set_load_cancellation_flag(True)
    with pytest.raises(ModelLoadCanceled, match="set_load_cancellation_flag"):
        ort.InferenceSession(ADD, options)
    options.set_load_cancellation_flag(False)
    assert run_with(options, ADD, x) == np.add(x, [1, 2]).tolist()
    with pytest.raises(TypeError):
        options.set_load_cancellation_flag("x")


def test_cancellation_flag_set_while_loading_stops_it(trouble):
    options = ort.SessionOptions()
    original = trouble.create
    trouble.create = lambda *a: (options.set_load_cancellation_flag(True), original(*a))[1]
    with pytest.raises(ModelLoadCanceled):
        ort.InferenceSession(ADD, options, providers=[trouble.name])
    assert [p.closed for p in trouble.created] == [1]


def test_options_can_be_copied_and_pickled(x):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.logid = "here"
    options.add_session_config_entry("a", "b")
    options.add_free_dimension_override_by_name("N", 3)
    options.add_initializer("w", value(5, 6))
    options.add_external_initializers_from_files_in_memory(["f"], [bytearray(b"data")], [4])
    options.add_provider("ReferenceExecutionProvider", {})
    for other in (pickle.loads(pickle.dumps(options)), copy.copy(options), copy.deepcopy(options), options.copy()):
        assert other.graph_optimization_level is ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        assert other.logid == "here"
        assert other.get_session_config_entry("a") == "b"
        assert bytes(other.external_files["f"]) == b"data"
        assert other.has_providers()
        assert run_with(other, ADD, x) == np.add(x, [5, 6]).tolist()
        other.add_session_config_entry("a", "changed")
        assert options.get_session_config_entry("a") == "b"
