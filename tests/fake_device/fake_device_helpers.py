"""Tensors and programs on the fake device, and a stub of the core's run context."""

from __future__ import annotations

import ctypes

import numpy as np

from ort_core.ir.attributes import Attribute, AttributeKind
from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.tensors import ArrayWeight
from ort_core.ir.types import ElementType, TensorType
from ort_core.providers.spec import GraphView, Partition, SessionEnv
from ort_core.values import DeviceTensor


class StubContext:
    """The core's side of one call of `Executable.run`."""

    def __init__(self, runtime, stream, *, bound=None, donated=(), unwanted=(), binding_id=None):
        self.runtime = runtime
        self.stream = stream
        self.bound = bound or {}
        self._donated = donated
        self.wanted = tuple(index not in unwanted for index in range(16))
        self.binding_id = binding_id
        self.cancel_flag = ctypes.c_uint32(0)
        self.config = {}
        self.checks = 0
        self._scratch = []

    def output(self, index, element, shape):
        return self.bound.get(index) or new(self.runtime, element, shape, self.stream)

    def donated(self, index):
        return index in self._donated

    def scratch(self, nbytes):
        self._scratch.append(self.runtime.allocate(nbytes, self.stream))
        return self._scratch[-1]

    def check(self):
        self.checks += 1


class StubCompileContext:
    env = SessionEnv()

    def prepack(self, weight, layout, make):
        return make()

    def constant(self, value):
        return value.const.array()

    def kernel(self, node):
        return None

    def check(self):
        pass


class Program:
    """A graph of ONNX nodes on the fake device."""

    def __init__(self):
        self.graph = Graph("main")
        self.values = {}

    def input(self, name, dtype=np.float32, shape=None):
        value = self.values[name] = Value(name, TensorType(ElementType.from_dtype(dtype), shape))
        self.graph.add_input(value)
        return self

    def constant(self, name, array):
        array = np.asarray(array)
        value = self.values[name] = Value(name, TensorType(ElementType.from_dtype(array.dtype), array.shape))
        value.const = ArrayWeight(array)
        self.graph.add_initializer(value)
        return self

    def node(self, op, inputs, output, dtype=np.float32, **attributes):
        value = self.values[output] = Value(output, TensorType(ElementType.from_dtype(dtype)))
        made = {
            k: Attribute(AttributeKind.INTS if isinstance(v, tuple) else AttributeKind.INT, v)
            for k, v in attributes.items()
        }
        sources = [self.values[n] if n else None for n in inputs.split(",")]
        self.graph.add(Node(op, sources, [value], made, name=output))
        return self

    def outputs(self, *names):
        for name in names:
            self.graph.add_output(self.values[name])
        return self

    def view(self):
        return GraphView(self.graph.nodes, self.graph, {"": 24})

    def compile(self, control, **options):
        plugin = control.plugin
        provider = plugin.create(plugin.options(**options), SessionEnv())
        claims = tuple(provider.claim(self.view()))
        return provider.compile(Partition("p0", self.graph, claims, {"": 24}), StubCompileContext())


def new(runtime, element, shape, stream=None):
    shape = tuple(shape)
    nbytes = int(np.prod(shape, dtype=np.int64)) * element.dtype.itemsize
    return DeviceTensor(element, shape, runtime.allocate(nbytes, stream))


def put(runtime, array, stream=None):
    """A tensor with the contents of `array`, valid in the order of `stream`."""
    array = np.asarray(array)
    tensor = new(runtime, ElementType.from_dtype(array.dtype), array.shape, stream)
    runtime.copy(array, tensor, stream)
    return tensor


def get(runtime, tensor, stream=None):
    """The contents of a tensor, once `stream` is done with it."""
    array = np.empty(tensor.shape, tensor.element.dtype)
    runtime.copy(tensor, array, stream)
    if stream is not None:
        stream.synchronize()
    return array


def run(control, program, *arrays, stream=None, device_id=0, **context):
    """Runs a program on host arrays and returns host arrays."""
    runtime = control.runtime(device_id)
    executable = program.compile(control, device_id=device_id)
    inputs = [put(runtime, a, stream) for a in arrays]
    results = executable.run(StubContext(runtime, stream, **context), inputs)
    return [None if r is None else get(runtime, r, stream) for r in results]
