"""Small models, and providers that exist for the time of a `with` block."""

from __future__ import annotations

import contextlib
import random
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from proto_interpreter import OPERATORS

import ort_core as ort
from ort_core.providers import registry
from ort_core.providers.kernel import kernel
from ort_core.providers.kernel_provider import KernelProvider
from ort_core.providers.spec import Claim, Decline, Executable, Plugin, Provider

NAME = "TestExecutionProvider"
REFERENCE = "ReferenceExecutionProvider"
DEVICE = "FakeDeviceExecutionProvider"


def info(name: str, shape: Any = (3,), kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> Any:
    """A node named after its first output."""
    name = f"{op}_{next(filter(None, outputs), 'none')}"
    return helper.make_node(op, inputs, outputs, name=name, **attributes)


def model(
    nodes: Sequence[Any],
    inputs: Sequence[Any] = ("x",),
    outputs: Sequence[Any] = ("y",),
    constants: Mapping[str, Any] | None = None,
    functions: Sequence[Any] = (),
    domains: Sequence[str] = ("t",),
) -> bytes:
    """The bytes of a model; inputs and outputs given by name are float [3]."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [info(v) if isinstance(v, str) else v for v in inputs],
        [info(v) if isinstance(v, str) else v for v in outputs],
        [
            helper.make_tensor(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape, a)
            for n, a in (constants or {}).items()
        ],
    )
    opsets = [helper.make_opsetid("", 21), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10, functions=functions).SerializeToString()


def f32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


@contextlib.contextmanager
def registered(*plugins: Plugin) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for plugin in plugins:
            registry.register_plugin(plugin, distribution="tests")
            stack.callback(registry.unregister_plugin, plugin.name)
        yield


def plugin_of(create: Callable[[], Provider], name: str = NAME) -> Plugin:
    """A plugin whose provider is what `create()` returns."""
    members = {"name": name, "api": (1, 0), "create": lambda self, options, env: create()}
    return type("TestPlugin", (Plugin,), members)()


@contextlib.contextmanager
def kernels(*functions: Any, name: str = NAME, written_for: Mapping[str, int] | None = None) -> Iterator[str]:
    """A provider of decorated kernels."""
    module = types.ModuleType("test_kernels")
    for index, function in enumerate(functions):
        setattr(module, f"kernel_{index}", function)
    members = {"kernels": (module,), "written_for": written_for or {}}
    cls = type("TestProvider", (KernelProvider,), members)
    with registered(plugin_of(lambda: cls(name), name)):
        yield name


def session(
    data: bytes, *providers: Any, optimize: bool = False, fallback: bool = True, strict: bool = True
) -> ort.InferenceSession:
    """A session that raises what providers raise, and leaves the graph as it is unless told otherwise."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if not fallback:
        options.add_session_config_entry("session.disable_reference_fallback", "1")
    listed = [p for i, p in enumerate(providers) if p not in providers[:i]]
    return ort.InferenceSession(
        data, options, listed, enable_fallback=False, on_provider_error="raise" if strict else "warn"
    )


X = f32(1, -2, 3)


def op(function: Any, **options: Any) -> Any:
    """The function as kernel of the operator `t::Op`."""
    return kernel("Op", domain="t", **options)(function)


def run_op(function: Any, nodes: Sequence[Any] = (), feeds: Any = None, **parts: Any) -> list[Any]:
    """The outputs of a model of nodes `t::Op`, one by default, on a provider of one kernel."""
    data = model(nodes or [node("Op", ["x"], ["y"], domain="t")], **parts)
    with kernels(function) as name, session(data, name) as opened:
        return opened.run(None, {"x": X} if feeds is None else feeds)


class ScriptedProvider(Provider):
    """A host provider whose steps are given as functions.

    Args:
        claims: from the view to the claims; one for each node by default.
        run: from the run context, the inputs and the partition to the outputs.
    """

    def __init__(
        self,
        run: Callable[..., Any] | None = None,
        claims: Callable[[Any], Any] | None = None,
        compile: Callable[..., Any] | None = None,  # noqa: A002 - the protocol's name
        passes: Sequence[Any] = (),
        name: str = NAME,
    ) -> None:
        self.name = name
        self.partitions: list[Any] = []
        self._run, self._claims, self._compile, self._passes = run, claims, compile, passes

    def claim(self, view: Any) -> Any:
        return [Claim((n,)) for n in view.nodes] if self._claims is None else self._claims(view)

    def passes(self, level: Any) -> Any:
        return self._passes

    def compile(self, partition: Any, ctx: Any) -> Any:
        self.partitions.append(partition)
        if self._compile is not None:
            return self._compile(partition, ctx)
        return ScriptedExecutable(self._run, partition, [ctx.constant(v) for v in partition.constants])


def scripted(*args: Any, **kwargs: Any) -> tuple[contextlib.AbstractContextManager[None], ScriptedProvider]:
    """A scripted provider, and a context manager that registers it."""
    provider = ScriptedProvider(*args, **kwargs)
    return registered(plugin_of(lambda: provider, provider.name)), provider


class ScriptedExecutable(Executable):
    def __init__(self, run: Any, partition: Any, constants: Any) -> None:
        self._run, self._partition, self._constants = run, partition, constants

    def run(self, ctx: Any, inputs: Any) -> Any:
        if self._run is not None:
            return self._run(ctx, inputs, self._partition)
        return evaluate(self._partition.graph, inputs, self._constants)


def evaluate(graph: Any, inputs: Sequence[Any], constants: Sequence[Any]) -> list[Any]:
    """The outputs of a partition of simple nodes, and of If nodes that it has whole."""
    fixed = [v for v in graph.initializers.values() if not graph.is_input(v)]
    values = dict(zip(graph.inputs, inputs, strict=True)) | dict(zip(fixed, constants, strict=True))
    with np.errstate(all="ignore"):
        return _evaluate(graph, values)


def _evaluate(graph: Any, values: dict[Any, Any]) -> list[Any]:
    values |= {v: v.const.array() for v in graph.initializers.values() if v not in values}
    for each in graph.nodes:
        arguments = [None if v is None else values[v] for v in each.inputs]
        if each.op_type == "If":
            results: Any = _evaluate(each.attr("then_branch" if arguments[0] else "else_branch"), dict(values))
        else:
            attributes = {k: each.attr(k) for k in each.attributes}
            if each.op_type == "Constant":
                results = next(a.array() if hasattr(a, "array") else np.float32(a) for a in attributes.values())
            else:
                results = OPERATORS[each.op_type](*arguments, **attributes)
        results = results if isinstance(results, tuple | list) else [results]
        values |= {v: np.asarray(r) for v, r in zip(each.outputs, results, strict=False) if v is not None}
    return [values[v] for v in graph.outputs]


class Claimant(ScriptedProvider):
    """Claims nodes that `evaluate` knows, in random groups; now and then a control-flow node that it may not have whole."""

    def __init__(self, name: str, seed: int, share: float = 0.5, run: Callable[..., Any] | None = None) -> None:
        super().__init__(run, name=name)
        self._rng = random.Random(seed)
        self._share = share

    def claim(self, view: Any) -> Any:
        rng = self._rng
        known = [n for n in view.nodes if not n.domain and (n.op_type in OPERATORS or n.op_type == "If")]
        taken = [n for n in known if rng.random() < self._share]
        rng.shuffle(taken)
        while taken:
            size = rng.randint(1, 4)
            group, taken = taken[:size], taken[size:]
            yield Claim(tuple(group), [n.name for n in group])
        for n in view.nodes:
            if rng.random() < 0.1:
                yield Decline(n, "no luck")
