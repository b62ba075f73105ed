"""Run as a script with the name of a module that has ONNX Runtime's API; prints what it answers as JSON."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import pathlib
import pickle
import sys
import tempfile
import threading
import warnings

import numpy as np
import onnx
from onnx import TensorProto, helper
from session_models import ADD, OVERRIDABLE, PASS_THROUGH, TWO_INPUTS, graph_model, identity, info, model, parse, tensor

warnings.simplefilter("ignore")
ort = importlib.import_module(sys.argv[1])
REAL = sys.argv[1] == "onnxruntime"
CPU = ["CPUExecutionProvider"] if REAL else ["ReferenceExecutionProvider"]
X = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
ANSWERS = {}
os.chdir(tempfile.mkdtemp())
ort.set_default_logger_severity(4)


def plain(value):
    if isinstance(value, np.ndarray):
        return [str(value.dtype), list(value.shape), [str(v) for v in value.reshape(-1).tolist()]]
    if isinstance(value, np.generic):
        return [str(value.dtype), str(value)]
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if type(value).__name__ == "SparseTensor":
        coo = value.as_coo_view()
        return ["sparse", value.data_type(), plain(value.dense_shape()), plain(value.values()), plain(coo.indices())]
    if type(value).__name__ == "OrtValue":
        return ["OrtValue", value.data_type(), plain(value.numpy()) if value.is_tensor() else None]
    if hasattr(value, "name") and hasattr(value, "value"):
        return [str(value), repr(value), int(value)]
    return value


def ask(label, question):
    assert label not in ANSWERS, label
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            ANSWERS[label] = ["ok", plain(question())]
    except Exception as error:
        ANSWERS[label] = ["error", [c.__name__ for c in type(error).__mro__], str(error)[:300]]


def session(source=ADD, options=None, **keywords):
    keywords.setdefault("providers", CPU)
    keywords.setdefault("enable_fallback", 0)
    return ort.InferenceSession(source, options, **keywords)


def results(source, feed, names=None, **keywords):
    return session(source, **keywords).run(names, feed)


def constructor():
    pathlib.Path("m.onnx").write_bytes(ADD)
    pathlib.Path("empty.onnx").write_bytes(b"")
    pathlib.Path("text.onnx").write_text("hello, I am no model\n" * 20)

    class BytesPath:
        def __fspath__(self):
            return b"m.onnx"

    sources = {
        "str": "m.onnx",
        "PathLike": pathlib.Path("m.onnx"),
        "PathLike of bytes": BytesPath(),
        "bytes": ADD,
        "bytearray": bytearray(ADD),
        "memoryview": memoryview(ADD),
        "ModelProto": onnx.load_from_string(ADD),
        "None": None,
        "int": 1,
        "list": [],
        "no bytes": b"",
        "missing file": "missing.onnx",
        "missing folder": "no/missing.onnx",
        "empty file": "empty.onnx",
        "text file": "text.onnx",
        "garbage": b"\xff\xfe\xfd garbage",
        "truncated": ADD[: len(ADD) // 2],
    }
    for label, source in sources.items():
        ask(f"source {label}", lambda source=source: [i.name for i in session(source).get_inputs()])
    for label, options in {"None": None, "int": 1, "str": "x", "RunOptions": ort.RunOptions()}.items():
        ask(f"sess_options {label}", lambda options=options: len(session(ADD, options).get_inputs()))
    lists = {
        "tuple": tuple(CPU),
        "list": CPU,
        "pair": [(CPU[0], {})],
        "none": None,
        "empty": [],
        "twice": CPU * 2,
        "unknown": ["NoSuchExecutionProvider"],
        "number in list": [1],
        "short tuple": [(CPU[0],)],
        "tuple without dict": [(CPU[0], 1)],
        "dict": {CPU[0]: {}},
        "iterator": iter(CPU),
    }
    for label, providers in lists.items():
        ask(f"providers {label}", lambda p=providers: len(session(ADD, providers=p).get_providers()))
    options = {
        "given": (CPU, [{}]),
        "too few": (CPU, []),
        "too many": (CPU, [{}, {}]),
        "no dict": (CPU, [1]),
        "beside pairs": ([(CPU[0], {})], [{}]),
        "no sequence": (CPU, 1),
        "alone": (None, [{}]),
    }
    for label, (providers, given) in options.items():
        ask(
            f"provider_options {label}",
            lambda p=providers, g=given: len(session(ADD, providers=p, provider_options=g).get_provider_options()),
        )
    for value in ({"ConstantFolding"}, ["ConstantFolding", "unheard of"], [], None, 3):
        ask(f"disabled_optimizers {value}", lambda v=value: results(ADD, {"x": X}, disabled_optimizers=v))
    for value in (0, 1, True, False, "1", "x", None):
        ask(f"enable_fallback {value!r}", lambda v=value: len(session(enable_fallback=v).get_inputs()))
    for value in (0, 1, True, "x"):
        ask(f"read_config_from_model {value!r}", lambda v=value: len(session(read_config_from_model=v).get_inputs()))
    configured = parse("g (float[N] x) => (float[N] y) { y = Neg (x) }")
    helper.set_model_props(configured, {"ort_config": '{"session_options": {"intra_op_num_threads": 3}}'})
    ask(
        "read_config_from_model changes",
        lambda: (
            session(configured.SerializeToString(), read_config_from_model=1).get_session_options().intra_op_num_threads
        ),
    )


def output_names():
    given = {
        "None": None,
        "empty": [],
        "empty tuple": (),
        "one": ["d"],
        "tuple": ("d",),
        "other order": ["d", "s"],
        "twice": ["s", "d", "s"],
        "set": {"s"},
        "array": np.array(["s"]),
        "unknown": ["z"],
        "empty name": [""],
        "str": "s",
        "dict": {"s": 1},
        "numbers": [1],
        "bytes": b"s",
        "list of bytes": [b"s"],
        "number": 5,
    }
    s = session(TWO_INPUTS)
    for label, names in given.items():
        ask(f"outputs {label}", lambda names=names: s.run(names, {"a": X, "b": X + 1}))


def feeds():
    s = session()
    given = {
        "array": {"x": X},
        "nothing": {},
        "wrong name": {"z": X},
        "one more": {"x": X, "z": X},
        "None": {"x": None},
        "list": {"x": X.tolist()},
        "list of ints": {"x": [[1, 2], [3, 4]]},
        "ragged list": {"x": [[1, 2], [3]]},
        "list of arrays": {"x": [X[0], X[1]]},
        "list of strings": {"x": [["a", "b"]]},
        "double": {"x": X.astype(np.float64)},
        "half": {"x": X.astype(np.float16)},
        "int32": {"x": X.astype(np.int32)},
        "object": {"x": X.astype(object)},
        "rank 1": {"x": X[0]},
        "rank 3": {"x": X[None]},
        "scalar": {"x": np.array(1, np.float32)},
        "wrong size": {"x": X.T},
        "strided": {"x": np.repeat(X, 2, 0)[::2]},
        "Fortran order": {"x": np.asfortranarray(X)},
        "reversed": {"x": X[::-1]},
        "read-only": {"x": np.frombuffer(X.tobytes(), np.float32).reshape(3, 2)},
        "zero rows": {"x": X[:0]},
        "OrtValue": {"x": ort.OrtValue.ortvalue_from_numpy(X)},
        "masked": {"x": np.ma.masked_array(X)},
        "matrix": {"x": np.matrix(X)},
        "initializer": {"x": X, "w": X[0]},
        "name is a number": {1: X},
    }
    for label, feed in given.items():
        ask(f"feed {label}", lambda feed=feed: s.run(None, feed))
    ask("feed is None", lambda: s.run(None, None))
    for value in (1, "x", ort.SessionOptions()):
        ask(f"run_options {type(value).__name__}", lambda v=value: s.run(None, {"x": X}, v))
    ask("run with keywords", lambda: s.run(output_names=None, input_feed={"x": X}, run_options=ort.RunOptions()))


def element_types():
    text = np.array(["a", "", "höß"], object)
    arrays = [
        *(np.array([0, 1, 2], dtype) for dtype in "bBhHiIqQefd"),
        np.array([True, False]),
        text,
        text.astype("U"),
        np.array([b"a", b"xyz"]),
        np.array(5, np.int64),
        np.array([], np.float32),
        np.zeros((2, 0, 3), np.int32),
        np.float32([np.nan, np.inf, -0.0]),
    ]
    names = {"e": "float16", "f": "float", "d": "double", "?": "bool", "O": "string", "U": "string", "S": "string"}
    for array in arrays:
        element = names.get(array.dtype.char, f"{array.dtype.name}")
        dims = ",".join("ABC"[: array.ndim])
        kind = f"{element}[{dims}]" if dims else element
        label = f"element {array.dtype} {array.shape} {array.size and array.reshape(-1)[0]}"
        ask(label, lambda kind=kind, array=array: results(identity(kind), {"x": array}))


def overridable():
    s = session(OVERRIDABLE)
    ask("overridable names", lambda: [[i.name, i.type, i.shape] for i in s.get_overridable_initializers()])
    ask("overridable inputs", lambda: [i.name for i in s.get_inputs()])
    ask("overridable default", lambda: s.run(None, {"x": X}))
    ask("overridable given", lambda: s.run(None, {"x": X, "w": X[0]}))
    ask("overridable None", lambda: s.run(None, {"x": X, "w": None}))
    ask("overridable wrong type", lambda: s.run(None, {"x": X, "w": X[0].astype(np.float64)}))
    ask("overridable wrong shape", lambda: s.run(None, {"x": X, "w": X}))


FLOATS = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
FLOATS_N = helper.make_tensor_type_proto(TensorProto.FLOAT, ["n"])


def containers():
    sequence = helper.make_sequence_type_proto(FLOATS)
    node = helper.make_node
    m = graph_model([node("Identity", ["x"], ["y"])], [info("x", sequence)], [info("y", sequence)])
    for label, value in {
        "list": [X, X[0]],
        "empty": [],
        "tuple": (X,),
        "array": X,
        "wrong element": [X.astype(np.float64)],
        "None": None,
        "list of lists": [[1.0, 2.0]],
    }.items():
        ask(f"sequence {label}", lambda value=value: results(m, {"x": value}))
    ask("sequence type", lambda: [[i.name, i.type, i.shape] for i in session(m).get_inputs()])
    m = graph_model(
        [node("SequenceConstruct", ["a", "b"], ["s"]), node("SequenceAt", ["s", "i"], ["y"])],
        [tensor("a", None), tensor("b", None), tensor("i", [], TensorProto.INT64)],
        [info("s", sequence), tensor("y", None)],
    )
    ask("sequence out", lambda: results(m, {"a": X, "b": X[0], "i": np.array(-1)}))
    m = graph_model([node("SplitToSequence", ["x"], ["s"], axis=0)], [tensor("x", [3, 2])], [info("s", sequence)])
    ask("sequence from split", lambda: results(m, {"x": X}))
    ask("sequence as OrtValue", lambda: [v.is_tensor_sequence() for v in run_values(m, {"x": X})])
    texts = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.STRING, None))
    m = graph_model([node("Identity", ["x"], ["y"])], [info("x", texts)], [info("y", texts)])
    ask("sequence of strings", lambda: results(m, {"x": [np.array(["a", "b"]), np.array(["c"], object)]}))
    optional = helper.make_optional_type_proto(FLOATS_N)
    m = graph_model(
        [node("OptionalHasElement", ["x"], ["has"]), node("Identity", ["x"], ["y"])],
        [info("x", optional)],
        [tensor("has", [], TensorProto.BOOL), info("y", optional)],
        opset=18,
    )
    ask("optional type", lambda: [[i.name, i.type, i.shape] for i in session(m).get_inputs()])
    ask("optional given", lambda: results(m, {"x": X[0]}))
    ask("optional None", lambda: results(m, {"x": None}))
    ask("optional missing", lambda: results(m, {}, ["has"]))
    ask("optional wrong element", lambda: results(m, {"x": X[0].astype(np.float64)}))
    m = graph_model(
        [node("Optional", ["x"], ["o"])], [tensor("x", ["n"])], [info("o", helper.make_optional_type_proto(FLOATS_N))]
    )
    ask("optional out", lambda: results(m, {"x": X[0]}))
    scores = helper.make_sequence_type_proto(helper.make_map_type_proto(TensorProto.STRING, FLOATS))
    zipmap = graph_model(
        [node("ZipMap", ["x"], ["z"], domain="ai.onnx.ml", classlabels_strings=["p", "q"])],
        [tensor("x", ["n", 2])],
        [info("z", scores)],
        domains=[("ai.onnx.ml", 1)],
    )
    ask("map out", lambda: results(zipmap, {"x": X}))
    ask("map type", lambda: [[i.type, i.shape] for i in session(zipmap).get_outputs()])
    numbers = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    m = graph_model(
        [node("CastMap", ["x"], ["y"], domain="ai.onnx.ml", cast_to="TO_FLOAT", map_form="DENSE")],
        [info("x", numbers)],
        [tensor("y", None)],
        domains=[("ai.onnx.ml", 1)],
    )
    ask("map in type", lambda: [[i.type, i.shape] for i in session(m).get_inputs()])
    for label, value in {"dict": {0: 1.5, 2: 3.0}, "wrong key": {"a": 1.0}, "list": [1.0]}.items():
        ask(f"map in {label}", lambda value=value: results(m, {"x": value}))
    words = helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.INT64, None))
    m = graph_model(
        [node("DictVectorizer", ["x"], ["y"], domain="ai.onnx.ml", string_vocabulary=["a", "b"])],
        [info("x", words)],
        [tensor("y", None, TensorProto.INT64)],
        domains=[("ai.onnx.ml", 1)],
    )
    ask("map of strings in", lambda: results(m, {"x": {"b": 7}}))
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("w", TensorProto.FLOAT, [2], [3, 4]),
        helper.make_tensor("w_idx", TensorProto.INT64, [2], [0, 3]),
        [2, 2],
    )
    proto = onnx.load_from_string(
        graph_model([node("MatMul", ["x", "w"], ["y"])], [tensor("x", [3, 2])], [tensor("y", [3, 2])])
    )
    proto.graph.sparse_initializer.append(sparse)
    ask("sparse initializer", lambda: results(proto.SerializeToString(), {"x": X}))


def run_values(source, feed, names=None):
    values = {name: ort.OrtValue.ortvalue_from_numpy(array) for name, array in feed.items()}
    return session(source).run_with_ort_values(names, values)


def metadata():
    proto = parse("named (float[N,2] x) => (float[N,2] y) { y = Neg (x) }")
    proto.producer_name, proto.producer_version, proto.domain, proto.doc_string = "maker", "7", "org.test", "words"
    proto.model_version, proto.graph.doc_string = 42, "graph words"
    helper.set_model_props(proto, {"key": "value", "empty": ""})
    names = [
        "producer_name",
        "graph_name",
        "domain",
        "description",
        "graph_description",
        "version",
        "custom_metadata_map",
    ]
    for label, source in {"full": proto.SerializeToString(), "bare": ADD}.items():
        meta = session(source).get_modelmeta()
        for name in names:
            ask(f"metadata {label} {name}", lambda meta=meta, name=name: getattr(meta, name))
    ask("metadata other attribute", lambda: session().get_modelmeta().producer_version)
    ask("metadata set", lambda: setattr(session().get_modelmeta(), "version", 3))
    shapes = {
        "fixed": ("float[3,2]", None),
        "named": ("float[N,2]", None),
        "anonymous": ("float[?,2]", None),
        "scalar": ("float", None),
        "no rank": ("float[]", None),
        "zero": ("float[0]", None),
    }
    for label, (kind, _) in shapes.items():
        ask(
            f"node arg {label}",
            lambda kind=kind: [
                [i.name, i.type, i.shape, str(i)]
                for i in (session(identity(kind)).get_inputs() + session(identity(kind)).get_outputs())
            ],
        )
    for element in [
        "float",
        "double",
        "float16",
        "bfloat16",
        "int8",
        "uint8",
        "int16",
        "uint16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "bool",
        "string",
    ]:
        ask(f"node arg {element}", lambda e=element: [i.type for i in session(identity(f"{e}[N]")).get_inputs()])
    inferred = model("g (float[N,2] x) => (y) { t = Transpose <perm=[1,0]> (x) y = Concat <axis=1> (t, t) }")
    ask("node arg inferred", lambda: [[i.name, i.type, i.shape] for i in session(inferred).get_outputs()])
    ask("node arg set name", lambda: setattr(session().get_inputs()[0], "name", "q"))
    ask("node arg set other", lambda: setattr(session().get_inputs()[0], "nothing", "q"))


def options():
    values = ["x", 1, 1.5, None, True, [], 10**12, np.int64(1), b"x"]
    for kind in (ort.SessionOptions, ort.RunOptions):
        for name in sorted(n for n in dir(ort.SessionOptions if kind is ort.SessionOptions else ort.RunOptions)):
            if name.startswith("_") or callable(getattr(kind(), name)) or name in EXTRAS:
                continue
            ask(f"{kind.__name__}.{name} default", lambda kind=kind, name=name: getattr(kind(), name))
            for value in values:

                def assign(kind=kind, name=name, value=value):
                    item = kind()
                    setattr(item, name, value)
                    return getattr(item, name)

                ask(f"{kind.__name__}.{name} = {type(value).__name__} {value!r}", assign)
        ask(f"{kind.__name__} other attribute", lambda kind=kind: setattr(kind(), "no_such_option", 1))
        ask(f"{kind.__name__} get other", lambda kind=kind: kind().no_such_option)
        ask(f"{kind.__name__} arguments", lambda kind=kind: kind(1))
    levels = ort.GraphOptimizationLevel
    for level in levels.__members__.values():
        ask(f"level {level.name}", lambda level=level: level_of(level))
        ask(
            f"results at {level.name}",
            lambda level=level: results(TWO_INPUTS, {"a": X, "b": X}, options=at_level(level)),
        )
    for enum in ("ExecutionMode", "ExecutionOrder", "GraphOptimizationLevel", "OrtExecutionProviderDevicePolicy"):
        for name, value in getattr(ort, enum).__members__.items():
            ask(f"{enum}.{name}", lambda value=value: [value, int(value), value == int(value), hash(value)])
    for enum in ("OrtHardwareDeviceType", "OrtCompileApiFlags"):
        for name, value in getattr(ort, enum).__members__.items():
            ask(f"{enum}.{name}", lambda value=value: [int(value), value.name, value.value])
    for kind, add, get in (
        (ort.SessionOptions, "add_session_config_entry", "get_session_config_entry"),
        (ort.RunOptions, "add_run_config_entry", "get_run_config_entry"),
    ):
        for key, value in [("k", "v"), ("k", ""), ("", "v"), ("k" * 1024, "v"), ("k" * 1025, "v"), ("k", "v" * 8192)]:

            def entry(kind=kind, add=add, get=get, key=key, value=value):
                item = kind()
                getattr(item, add)(key, value)
                return getattr(item, get)(key)

            ask(f"{add} {key[:2]}*{len(key)} {value[:2]}*{len(value)}", entry)
        ask(f"{add} long value", lambda kind=kind, add=add: getattr(kind(), add)("k", "v" * 8193))
        ask(f"{add} number key", lambda kind=kind, add=add: getattr(kind(), add)(1, "v"))
        ask(f"{add} number value", lambda kind=kind, add=add: getattr(kind(), add)("k", 1))
        ask(f"{get} missing", lambda kind=kind, get=get: getattr(kind(), get)("nothing"))
    ask("cancellation flag x", lambda: ort.SessionOptions().set_load_cancellation_flag("x"))
    ask("cancellation flag 1", lambda: ort.SessionOptions().set_load_cancellation_flag(1))
    ask("has_providers", lambda: ort.SessionOptions().has_providers())
    ask("RunOptions pickle", lambda: len(pickle.dumps(ort.RunOptions())) > 0)


EXTRAS = {"config", "initializers", "external_initializers", "external_files", "providers", "load_cancelled"} | {
    "cancel_flag",
    "free_dimensions_by_name",
    "free_dimensions_by_denotation",
}


def level_of(level):
    item = ort.SessionOptions()
    item.graph_optimization_level = level
    return item.graph_optimization_level


def at_level(level):
    item = ort.SessionOptions()
    item.graph_optimization_level = level
    return item


def with_options(change, source=ADD, feed=None):
    item = ort.SessionOptions()
    change(item)
    s = session(source, item)
    shapes = [[i.name, i.shape] for i in [*s.get_inputs(), *s.get_outputs()]]
    return [shapes, s.run(None, {"x": X} if feed is None else feed)]


def session_settings():
    def by_name(n, v):
        return lambda o: o.add_free_dimension_override_by_name(n, v)

    for name, value in [("N", 3), ("N", 4), ("Q", 4), ("N", "3"), ("N", 2.0), (1, 3), ("N", None)]:
        ask(f"dimension {name!r} {value!r}", lambda n=name, v=value: with_options(by_name(n, v)))
    proto = onnx.load_from_string(ADD)
    proto.graph.input[0].type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
    for name, value in [("DATA_BATCH", 3), ("DATA_CHANNEL", 3)]:
        ask(
            f"denotation {name}",
            lambda n=name, v=value: with_options(
                lambda o: o.add_free_dimension_override_by_denotation(n, v), proto.SerializeToString()
            ),
        )
    value = ort.OrtValue.ortvalue_from_numpy(np.float32([5, 6]))
    ask("add_initializer", lambda: with_options(lambda o: o.add_initializer("w", value)))
    ask("add_initializer array", lambda: with_options(lambda o: o.add_initializer("w", np.float32([5, 6]))))
    ask("add_initializer twice", lambda: with_options(lambda o: [o.add_initializer("w", value) for _ in range(2)]))
    data = np.float32([5, 6])
    external = onnx.load_from_string(ADD)
    weight = external.graph.initializer[0]
    weight.ClearField("float_data")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, text in {"location": "w.bin", "offset": "4", "length": "8"}.items():
        weight.external_data.add(key=key, value=text)
    source = external.SerializeToString()
    ask("external without data", lambda: with_options(lambda o: None, source))
    ask(
        "add_external_initializers", lambda: with_options(lambda o: o.add_external_initializers(["w"], [value]), source)
    )
    ask(
        "add_external_initializers lengths",
        lambda: with_options(lambda o: o.add_external_initializers(["w"], []), source),
    )
    buffer = b"skip" + data.tobytes()

    def in_memory(o, b=buffer, n=12):
        return o.add_external_initializers_from_files_in_memory(["w.bin"], [b], [n])

    ask("external files in memory", lambda: with_options(in_memory, source))
    ask(
        "external files lengths",
        lambda: with_options(lambda o: o.add_external_initializers_from_files_in_memory(["w.bin"], [], []), source),
    )
    pathlib.Path("ext.onnx").write_bytes(source)
    pathlib.Path("w.bin").write_bytes(buffer)
    ask("external from file", lambda: with_options(lambda o: None, "ext.onnx"))
    ask("cancelled", lambda: with_options(lambda o: o.set_load_cancellation_flag(True)))
    ask("uncancelled", lambda: with_options(lambda o: [o.set_load_cancellation_flag(v) for v in (True, False)]))
    ask("saved model", lambda: with_options(lambda o: setattr(o, "optimized_model_filepath", "saved.onnx"))[1])
    ask("saved model exists", lambda: os.path.exists("saved.onnx"))
    s = session()
    for flag in (True, False):
        item = ort.RunOptions()
        item.terminate = flag
        ask(f"terminate {flag}", lambda item=item: s.run(None, {"x": X}, item))
    ask("config strict", lambda: session(TWO_INPUTS).run(None, {"a": X, "b": X[:1]}))


def other_runs():
    s = session()
    value = ort.OrtValue.ortvalue_from_numpy(X)
    ask("ort values", lambda: s.run_with_ort_values(None, {"x": value}))
    ask("ort values named", lambda: s.run_with_ort_values(["y", "y"], {"x": value}))
    ask("ort values missing", lambda: s.run_with_ort_values(None, {}))
    ask("ort values unknown", lambda: s.run_with_ort_values(["z"], {"x": value}))

    def in_background(feed, names=None):
        done, heard = threading.Event(), []

        def callback(found, data, error):
            heard.append([[plain(r) for r in found], data, bool(error), type(error).__name__])
            done.set()

        answer = s.run_async(names, feed, callback, {"data": 1})
        assert done.wait(30)
        return [answer, heard]

    ask("async", lambda: in_background({"x": X}))
    ask("async names", lambda: in_background({"x": X}, ["y"]))
    ask("async missing", lambda: in_background({}))
    ask("async wrong type", lambda: in_background({"x": X.astype(np.float64)}))
    ask("async unknown output", lambda: in_background({"x": X}, ["z"]))

    def bound(feed=X, name="x"):
        binding = s.io_binding()
        binding.bind_cpu_input(name, feed)
        binding.bind_output("y")
        s.run_with_iobinding(binding)
        return binding.copy_outputs_to_cpu()

    ask("binding", bound)
    ask("binding unknown", lambda: bound(name="z"))
    ask("binding without outputs", lambda: s.run_with_iobinding(s.io_binding()))
    ask("binding of another session", lambda: session().run_with_iobinding(s.io_binding()))
    ask("end_profiling off", s.end_profiling)
    ask("profiling start off", s.get_profiling_start_time_ns)
    ask("options of session", lambda: s.get_session_options().intra_op_num_threads)
    ask("get_providers type", lambda: isinstance(s.get_providers(), list))
    ask("set_providers", lambda: [s.set_providers(CPU), s.run(None, {"x": X})])
    ask("set_providers unknown", lambda: (s.disable_fallback(), s.set_providers(["NoSuchExecutionProvider"])))


def module():
    for name in ("get_version_string", "has_collective_ops", "disable_telemetry_events", "enable_telemetry_events"):
        ask(name, getattr(ort, name))
    for name in ("get_available_providers", "get_all_providers", "get_device", "get_build_info"):
        ask(f"{name} type", lambda name=name: type(getattr(ort, name)()).__name__)
    for value in (0, 4, 5, -1, "x", None):
        ask(f"severity {value!r}", lambda v=value: ort.set_default_logger_severity(v))
    ort.set_default_logger_severity(4)
    for value in (0, 3, "x"):
        ask(f"verbosity {value!r}", lambda v=value: ort.set_default_logger_verbosity(v))
    ort.set_default_logger_severity(4)
    for value in (1, 2**62, -1, "x", 1.5):
        ask(f"seed {value!r}", lambda v=value: ort.set_seed(v))


def more_models():
    ask("pass through", lambda: results(PASS_THROUGH, {"x": X[0]}))


for part in (
    constructor, output_names, feeds, element_types, overridable, containers, metadata, options, session_settings,
    other_runs, module, more_models,
):  # fmt: skip
    part()
print(json.dumps(ANSWERS))
