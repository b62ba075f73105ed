"""`Executable.fast_run`: the entry that a session calls first when one executable is the whole model."""

import numpy as np
import pytest
from onnx import TensorProto, helper

import ort_core as ort
from ort_core.errors import Fail
from ort_core.providers import registry
from ort_core.providers.spec import Claim, Decline, Executable, Plugin, Provider

NAME = "FastExecutionProvider"


class FastExecutable(Executable):
    """y = x + 1; the fast entry takes float arrays of one dimension and answers 1000 more, so that tests can tell."""

    def __init__(self, inputs, outputs):
        self.names = (inputs, outputs)
        self.calls = []

    def run(self, ctx, inputs):
        self.calls.append("run")
        return [inputs[0] + np.float32(1)]

    def fast_run(self, feeds, fetches):
        self.calls.append("fast")
        x = feeds.get("x")
        if len(feeds) != 1 or type(x) is not np.ndarray or x.dtype != np.float32 or fetches not in (None, ["y"]):
            return NotImplemented
        return [x + np.float32(1001)]


class FastProvider(Provider):
    name = NAME

    def __init__(self):
        self.made = []

    def claim(self, view):
        for node in view.nodes:
            yield Claim((node,)) if node.op_type == "Add" else Decline(node, "only Add")

    def compile(self, partition, ctx):
        graph = partition.graph
        self.made.append(FastExecutable([v.name for v in graph.inputs], list(graph.output_names)))
        return self.made[-1]


@pytest.fixture
def provider():
    made = FastProvider()

    class FastPlugin(Plugin):
        name = NAME
        api = (1, 0)

        def create(self, options, env):
            return made

    registry.register_plugin(FastPlugin())
    yield made
    registry.unregister_plugin(NAME)


def model(*extra):
    nodes = [helper.make_node("Add", ["x", "one"], ["sum"]), *extra, helper.make_node("Identity", ["sum"], ["y"])]
    float_vector = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N"]) for n in "xy"]
    one = helper.make_tensor("one", TensorProto.FLOAT, [], [1.0])
    graph = helper.make_graph(nodes, "g", float_vector[:1], float_vector[1:], [one])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()


X = np.zeros(3, np.float32)


def test_the_fast_entry_answers_and_knows_the_interface_names(provider):
    with ort.InferenceSession(model(), providers=[NAME]) as session:
        assert session.run(None, {"x": X})[0][0] == 1001
        assert session.run(["y"], {"x": X})[0][0] == 1001
        assert provider.made[0].names == (["x"], ["y"])


@pytest.mark.parametrize(
    "call",
    [
        lambda session: session.run(None, {"x": [0.0, 0.0]}),
        lambda session: session.run(["y", "y"], {"x": X}),
        lambda session: session.run(None, {"x": X}, ort.RunOptions()),
    ],
)
def test_what_is_unusual_goes_to_the_plan(provider, call):
    with ort.InferenceSession(model(), providers=[NAME]) as session:
        assert call(session)[0][0] == 1
        assert provider.made[0].calls[-1] == "run"


def test_errors_are_those_of_the_plan(provider):
    with ort.InferenceSession(model(), providers=[NAME]) as session, pytest.raises(ValueError, match="missing"):
        session.run(None, {})


def test_a_part_of_a_model_has_no_fast_entry(provider):
    with ort.InferenceSession(model(), _unoptimised(), providers=[NAME]) as session:
        assert session.run(None, {"x": X})[0][0] == 1


def test_a_closed_session_does_not_answer(provider):
    session = ort.InferenceSession(model(), providers=[NAME])
    session.close()
    with pytest.raises(Fail, match="closed"):
        session.run(None, {"x": X})


def _unoptimised():
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options
