"""Questions about sequences, maps, optionals, sparse tensors, metadata and node arguments."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper
from session_models import ADD, graph_model, identity, info, model, parse, tensor
from session_parity_base import X, ask, ort, results, session

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
