"""Exercises onnxruntime_extensions' own Python API over the runtime that the first argument names, and pickles the outcomes."""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
import threading
import traceback

if sys.argv[1] == "ours":
    import ort_core

    ort_core.install_as_onnxruntime()

import numpy as np
import onnxruntime as ort
import onnxruntime_extensions as ext
from onnx import TensorProto, helper
from onnxruntime_extensions import OrtPyFunction, PyCustomOpDef, PyOp, PyOrtFunction, onnx_op

CASES = {}
CODES = {
    "float": TensorProto.FLOAT,
    "uint8": TensorProto.UINT8,
    "int8": TensorProto.INT8,
    "uint16": TensorProto.UINT16,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "string": TensorProto.STRING,
    "bool": TensorProto.BOOL,
    "double": TensorProto.DOUBLE,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
}


def case(function):
    CASES[function.__name__] = function
    return function


def model(op_type, inputs, outputs, **attributes):
    names = [f"x{i}" for i in range(len(inputs))], [f"y{i}" for i in range(len(outputs))]
    node = helper.make_node(op_type, *names, domain=ext.default_opset_domain(), **attributes)
    infos = [
        [helper.make_tensor_value_info(n, CODES[t], None) for n, t in zip(ns, ts, strict=True)]
        for ns, ts in zip(names, (inputs, outputs), strict=True)
    ]
    return ext.make_onnx_model(helper.make_graph([node], "g", *infos))


def session(proto):
    options = ort.SessionOptions()
    options.register_custom_ops_library(ext.get_library_path())
    return ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(op_type, inputs, outputs, *arrays, **attributes):
    made = session(model(op_type, inputs, outputs, **attributes))
    return made.run(None, {f"x{i}": a for i, a in enumerate(arrays)})


@case
def versions():
    return (
        ext.__version__,
        ext.default_opset_domain(),
        ext.get_library_path().endswith(".so"),
        ext.hash_64("abc", 100, True),
    )


def element_case(kind):
    def check():
        code = getattr(PyOp, f"dt_{kind}")
        seen = []

        @onnx_op(op_type=f"Twice_{kind}", inputs=[code], outputs=[code])
        def twice(x):
            seen.append((x.dtype.name, x.shape))
            return np.concatenate([x, x])

        values = {
            "string": np.array(["a", "äß\U0001f600", ""], object),
            "bool": np.array([True, False]),
        }.get(kind)
        if values is None:
            values = np.array([0, 1, 100]).astype({"float": "float32", "double": "float64"}.get(kind, kind))
        return run(f"Twice_{kind}", [kind], [kind], values), list(seen)

    check.__name__ = f"element_{kind}"
    return case(check)


for _kind in CODES:
    element_case(_kind)


@case
def several_inputs_and_outputs():
    @onnx_op(
        op_type="DivMod", inputs=[PyOp.dt_int64, PyOp.dt_int64], outputs=[PyOp.dt_int64, PyOp.dt_int64, PyOp.dt_float]
    )
    def div_mod(a, b):
        return a // b, a % b, (a / b).astype(np.float32)

    arrays = np.array([[7, 8]]), np.array([2, 3])
    return run("DivMod", ["int64"] * 2, ["int64", "int64", "float"], *arrays)


@case
def scalars_and_empty_tensors():
    @onnx_op(op_type="Shapes", inputs=[PyOp.dt_float], outputs=[PyOp.dt_float, PyOp.dt_int64])
    def shapes(x):
        return x, np.array(x.shape, np.int64)

    return [run("Shapes", ["float"], ["float", "int64"], np.zeros(s, np.float32)) for s in ((), (1,), (0, 3), (2, 0))]


@case
def attributes_of_each_type():
    @onnx_op(
        op_type="Attributes",
        inputs=[PyOp.dt_float],
        outputs=[PyOp.dt_string],
        attrs={"i": PyOp.dt_int64, "f": PyOp.dt_float, "s": PyOp.dt_string},
    )
    def attributes(x, **given):
        return np.array([f"{k}={v!r}" for k, v in sorted(given.items())], object)

    return run("Attributes", ["float"], ["string"], np.zeros(1, np.float32), i=-5, f=0.5, s="ä;")


@case
def attributes_that_a_node_does_not_set():
    @onnx_op(op_type="Unset", inputs=[PyOp.dt_float], outputs=[PyOp.dt_string], attrs=["s"])
    def unset(x, **given):
        return np.array([repr(sorted(given.items()))], object)

    try:
        run("Unset", ["float"], ["string"], np.zeros(1, np.float32))
    except Exception as error:
        return type(error).__name__, "Unable to find attribute 's'" in str(error)


@case
def operator_declared_after_the_library_was_first_used():
    session(model("NegPos", ["float"], ["float", "float"]))

    @onnx_op(op_type="Late", inputs=[PyOp.dt_float], outputs=[PyOp.dt_float])
    def late(x):
        return x + 1

    return run("Late", ["float"], ["float"], np.ones(2, np.float32))


@case
def the_class_of_errors_is_what_the_package_exports():
    return [
        ext.ONNXRuntimeError is ort.capi.onnxruntime_pybind11_state.Fail,
        issubclass(ext.ONNXRuntimeException, Exception),
    ]


@case
def unknown_operator():
    try:
        session(model("NoSuchOperator", ["float"], ["float"]))
    except Exception as error:
        return "NoSuchOperator" in str(error)


@case
def python_operators_switched_off():
    was_on = ext.enable_py_op(False)
    try:
        run("Twice_float", ["float"], ["float"], np.ones(2, np.float32))
        result = "ran"
    except Exception:
        result = "refused"
    finally:
        ext.enable_py_op(True)
    return was_on, result, run("Twice_float", ["float"], ["float"], np.ones(2, np.float32))


@case
def functions_from_operators():
    replace = OrtPyFunction.from_customop("StringECMARegexReplace", global_replace=1, ignore_case=1)
    fill = OrtPyFunction.from_customop("MaskedFill", cpu_only=True)
    one = [np.array([t], object) for t in ("Hello", "L", "-")]
    return replace(*one), fill(np.array(["x", "y"], object), np.array([True, False]))


@case
def function_whose_input_is_declared_without_dimensions():
    mapped = PyOrtFunction.from_customop("StringMapping", map={"a": "b"})
    return mapped(np.array(["a", "c"], object)), mapped(np.array("a", object)), mapped(np.array([["c"]], object))


@case
def tokenizer_function():
    vocabulary = "[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\nhello\nworld\n##s"
    tokenize = OrtPyFunction.from_customop("BertTokenizer", vocab=vocabulary, do_lower_case=1, cpu_only=True)
    return tokenize(np.array(["Hello worlds nobody"], object))


@case
def function_from_a_model():
    function = OrtPyFunction.from_model(model("NegPos", ["float"], ["float", "float"]))
    return function(np.array([-1, 2], np.float32)), function.input_names, function.output_names


@case
def function_with_session_options_and_default_inputs():
    function = OrtPyFunction(model("DivMod", ["int64"] * 2, ["int64", "int64", "float"]), cpu_only=True)
    function.extra_session_options = {"intra_op_num_threads": 1}
    function.add_default_input(x1=np.array([4]))
    return function(np.array([11]))


@case
def one_call_inference():
    return ext.ort_inference(model("NegPos", ["float"], ["float", "float"]), np.array([-1, 2], np.float32))


@case
def optimized_model_is_written():
    with tempfile.TemporaryDirectory() as house:
        path = os.path.join(house, "optimized.onnx")
        ext.optimize_model(model("NegPos", ["float"], ["float", "float"]), path)
        again = OrtPyFunction.from_model(path)
        return again(np.array([-1, 2], np.float32))


@case
def hook_on_a_node():
    seen = []

    def hook(x):
        seen.append(x.tolist())
        return x

    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["t"], name="n"), helper.make_node("Abs", ["t"], ["y"], name="a")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    hooked = ext.hook_model_op(ext.make_onnx_model(graph), "a", hook, [PyCustomOpDef.dt_float])
    return session(hooked).run(None, {"x": np.array([1, -2], np.float32)}), seen


@case
def processing_models_of_a_tokenizer():
    class BertTokenizer:
        def __init__(self):
            self.is_fast = False
            self.vocab = {t: i for i, t in enumerate(["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "hello", "##s"])}
            self.ids_to_tokens = {i: t for t, i in self.vocab.items()}
            self.init_kwargs = {"do_lower_case": True}

    before, after = ext.gen_processing_models(BertTokenizer(), pre_kwargs={})
    assert after is None
    return OrtPyFunction(before, cpu_only=True)(np.array(["hello WORLDS"], object))


@case
def threads_in_python_operators():
    made = session(model("Twice_float", ["float"], ["float"]))
    wrong = []

    def work(number):
        x = np.full(3, number, np.float32)
        results = [made.run(None, {"x0": x})[0].tolist() for _ in range(50)]
        wrong.extend(r for r in results if r != [number] * 6)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


def main():
    results = {}
    for name in sys.argv[3:] or CASES:
        function = CASES[name]
        try:
            results[name] = "result", function()
        except Exception as error:
            results[name] = "error", f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
    with open(sys.argv[2], "wb") as file:
        pickle.dump(results, file)


if __name__ == "__main__":
    main()
