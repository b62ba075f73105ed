"""Questions about constructor arguments, output names and feeds."""

from __future__ import annotations

import pathlib

import numpy as np
import onnx
from onnx import helper
from session_models import ADD, OVERRIDABLE, PASS_THROUGH, TWO_INPUTS, identity, parse
from session_parity_base import CPU, X, ask, ort, results, session


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


def more_models():
    ask("pass through", lambda: results(PASS_THROUGH, {"x": X[0]}))
