"""Small models for the session tests, written in ONNX's text form."""

from __future__ import annotations

import onnx
import onnx.parser
from onnx import TensorProto, helper


def parse(text, ir_version=8, opset=17, extra=""):
    """The model of `graph` text."""
    return onnx.parser.parse_model(f'<ir_version: {ir_version}, opset_import: ["" : {opset}{extra}]> {text}')


def model(text, **keywords):
    """The bytes of the model."""
    return parse(text, **keywords).SerializeToString()


ADD = model("g (float[N,2] x) => (float[N,2] y) <float[2] w={1,2}> { y = Add (x, w) }")
"""y = x + [1, 2]."""

OVERRIDABLE = model("g (float[N,2] x, float[2] w) => (float[N,2] y) <float[2] w={1,2}> { y = Add (x, w) }")
"""As `ADD`, but a feed may replace `w`."""

TWO_INPUTS = model("g (float[N,2] a, float[N,2] b) => (float[N,2] s, float[N,2] d) { s = Add (a, b) d = Sub (a, b) }")
"""s = a + b, d = a - b; both have N rows."""

PASS_THROUGH = model(
    "g (float[N] x) => (float[N] x1, float[N] x2, float[2] c1, float[2] c2) <float[2] w={1,2}>"
    "{ x1 = Identity (x) x2 = Identity (x) c1 = Identity (w) c2 = Identity (w) }"
)
"""Inputs and constants that are outputs twice."""


def identity(type_text, opset=17, **keywords):
    """y = x for any type that Identity takes."""
    return model(f"g ({type_text} x) => ({type_text} y) {{ y = Identity (x) }}", opset=opset, **keywords)


def info(name, type_):
    """A value of any type."""
    return helper.make_value_info(name, type_)


def graph_model(nodes, inputs, outputs, initializers=(), *, opset=17, ir_version=8, domains=(), functions=()):
    """The bytes of a model from parts."""
    return graph_proto(
        nodes, inputs, outputs, initializers, opset=opset, ir_version=ir_version, domains=domains, functions=functions
    ).SerializeToString()


def graph_proto(nodes, inputs, outputs, initializers=(), *, opset=17, ir_version=8, domains=(), functions=()):
    """The model from parts."""
    graph = helper.make_graph(list(nodes), "g", list(inputs), list(outputs), list(initializers))
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, v) for d, v in domains)]
    return helper.make_model(graph, opset_imports=imports, ir_version=ir_version, functions=list(functions))


def tensor(name, shape, kind=TensorProto.FLOAT):
    """A tensor input or output."""
    return helper.make_tensor_value_info(name, kind, shape)


def long_loop():
    """Counts to `n`: 2**40 turns take hours."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["keep"], ["keep_out"]), helper.make_node("Add", ["c", "one"], ["c_out"])],
        "body",
        [tensor("i", [], TensorProto.INT64), tensor("keep", [], TensorProto.BOOL), tensor("c", [], TensorProto.INT64)],
        [tensor("keep_out", [], TensorProto.BOOL), tensor("c_out", [], TensorProto.INT64)],
    )
    one = helper.make_tensor("one", TensorProto.INT64, [], [1])
    return graph_model(
        [helper.make_node("Loop", ["n", "", "zero"], ["total"], name="counting", body=body)],
        [tensor("n", [], TensorProto.INT64), tensor("zero", [], TensorProto.INT64)],
        [tensor("total", [], TensorProto.INT64)],
        [one],
    )
