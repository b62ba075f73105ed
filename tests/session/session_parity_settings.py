"""Questions about options, other kinds of runs and the functions of the module."""

from __future__ import annotations

import os
import pathlib
import pickle
import threading

import numpy as np
import onnx
from onnx import TensorProto
from session_models import ADD, TWO_INPUTS
from session_parity_base import CPU, X, ask, ort, plain, results, session


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
    "custom_ops",
    "free_dimensions_by_name",
    "limits",
    "load_progress",
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
