"""A custom operator written against the core alone, and models that call it."""

import numpy as np
from onnx import TensorProto, helper

import ort_core as ort
from ort_core.custom_ops.spec import CustomOp, Kernel

DOMAIN = "test.core"


class Scale(CustomOp):
    """y = factor * x, of any type."""

    domain = DOMAIN
    name = "Scale"

    def __init__(self, **attributes):
        self.__dict__.update(attributes)
        self.requests = []

    def decline_reason(self, node, types):
        return None if len(node.inputs) == 1 else f"it takes 1 input, the node has {len(node.inputs)}"

    def infer(self, node, types):
        return [types[0]]

    def bind(self, request):
        self.requests.append(request)
        factor = request.node.attr("factor", 2.0)
        return Kernel(lambda x: (x * factor).astype(x.dtype))


def scale_node(source="x", target="y", **attributes):
    return helper.make_node("Scale", [source], [target], domain=DOMAIN, **attributes)


def model_of(*nodes, dims=("n",), initializers=(), domain=DOMAIN, version=1):
    """The bytes of a model from a float `x` to the float `y`."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(dims))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        initializers,
    )
    imports = [helper.make_opsetid("", 21), helper.make_opsetid(domain, version)]
    return helper.make_model(graph, opset_imports=imports, ir_version=10).SerializeToString()


def session_of(model, *operators, providers=None, config=None):
    options = ort.SessionOptions()
    for operator in operators:
        options.register_custom_ops(operator)
    for key, value in (config or {}).items():
        options.add_session_config_entry(key, value)
    return ort.InferenceSession(model, options, providers=providers)


X = np.arange(4, dtype=np.float32)
