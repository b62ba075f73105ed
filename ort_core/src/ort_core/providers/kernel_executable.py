"""The executable of kernel providers: a partition as a flat list of kernel calls over value slots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ort_core.errors import OrtError, RuntimeException
from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.types import ElementType, TensorType, describe
from ort_core.providers.kernel import BoundKernel
from ort_core.providers.spec import Executable, Partition, Profiler, RunContext
from ort_core.values import fits, type_of

if TYPE_CHECKING:
    from ort_core.values import RuntimeValue


class _Step(NamedTuple):
    call: Callable[..., Any]
    gather: Callable[[list[Any]], Sequence[Any]]
    target: int | tuple[int | None, ...]
    dtype: np.dtype | None
    dead: tuple[int, ...]
    context: _NodeContext | None


class _NodeContext(NamedTuple):
    """What the contexts of one node share between calls."""

    node: Node
    partition_outputs: tuple[int | None, ...]


class _KernelContext:
    __slots__ = ("_outputs", "_run", "node")

    def __init__(self, run: RunContext, shared: _NodeContext) -> None:
        self._run = run
        self.node, self._outputs = shared

    def output(self, index: int, element: ElementType, shape: Sequence[int]) -> RuntimeValue:
        target = self._outputs[index]
        if target is None:
            return np.empty(tuple(shape), element.dtype)
        return self._run.output(target, element, shape)

    def wants(self, index: int) -> bool:
        return index < len(self.node.outputs) and self.node.outputs[index] is not None

    def check(self) -> None:
        self._run.check()


class KernelExecutable(Executable):
    """Calls the kernels of a partition in order; every result is checked against the inferred type."""

    def __init__(
        self, partition: Partition, kernels: Mapping[Node, BoundKernel], constants: Sequence[RuntimeValue], provider: str
    ) -> None:
        self._provider = provider
        graph = partition.graph
        self._nodes = graph.nodes
        slots: dict[Value, int] = {}
        for value in graph.inputs:
            slots[value] = len(slots)
        self._n_inputs = len(slots)
        for value in partition.constants:
            slots[value] = len(slots)
        first_temporary = len(slots)
        for node in self._nodes:
            for output in node.outputs:
                if output is not None:
                    slots[output] = len(slots)
        self._absent = len(slots)
        n_temporaries = self._absent + 1 - first_temporary
        self._template: list[Any] = [*[None] * self._n_inputs, *constants, *[None] * n_temporaries]
        self._constant_roots = {id(storage_root(c)) for c in constants if isinstance(c, np.ndarray)}
        self._outputs = tuple(slots[v] for v in graph.outputs)
        self._steps = self._make_steps(graph, kernels, slots, first_temporary)

    def _make_steps(
        self, graph: Graph, kernels: Mapping[Node, BoundKernel], slots: dict[Value, int], first_temporary: int
    ) -> list[_Step]:
        keep = set(self._outputs) | set(range(first_temporary))
        last_use: dict[int, Node] = {}
        for node in self._nodes:
            for value in (*node.inputs, *node.outputs):
                if value is not None:
                    last_use[slots[value]] = node
        dead: dict[Node, list[int]] = {}
        for slot, node in last_use.items():
            if slot not in keep:
                dead.setdefault(node, []).append(slot)
        results = {value: i for i, value in enumerate(graph.outputs)}
        steps = []
        for node in self._nodes:
            call, needs_context = kernels[node]
            targets = tuple(None if v is None else slots[v] for v in node.outputs)
            single = len(targets) == 1 and targets[0] is not None
            context = _NodeContext(node, tuple(results.get(v) if v else None for v in node.outputs))
            steps.append(
                _Step(
                    call,
                    _gather([self._absent if v is None else slots[v] for v in node.inputs]),
                    targets[0] if single and targets[0] is not None else targets,
                    _dense_dtype(node.outputs[0]) if single else None,
                    tuple(dead.get(node, ())),
                    context if needs_context else None,
                )
            )
        return steps

    def run(self, ctx: RunContext, inputs: Sequence[RuntimeValue]) -> Sequence[RuntimeValue]:
        """Computes the outputs; kernels' own exceptions are chained to one that names the node."""
        slots = self._template.copy()
        slots[: self._n_inputs] = inputs
        cancel, profiler, ndarray, index = ctx.cancel_flag, ctx.profiler, np.ndarray, 0
        started = 0
        with np.errstate(all="ignore"):
            try:
                for call, gather, target, dtype, dead, context in self._steps:
                    if cancel.value:
                        ctx.check()
                    arguments = gather(slots)
                    if profiler is not None:
                        started = profiler.now()
                    result = call(*arguments) if context is None else call(_KernelContext(ctx, context), *arguments)
                    if result.__class__ is ndarray and result.dtype is dtype:
                        slots[target] = result  # type: ignore[index]
                    else:
                        self._store(slots, self._nodes[index], target, result)
                    if profiler is not None:
                        self._record(profiler, self._nodes[index], started)
                    for slot in dead:
                        slots[slot] = None
                    index += 1
            except OrtError:
                raise
            except Exception as error:
                raise self._failure(self._nodes[index], arguments, error) from error
        roots = self._constant_roots
        return [
            r if r.__class__ is not ndarray or id(storage_root(r)) not in roots else r.copy()
            for r in [slots[i] for i in self._outputs]
        ]

    def _record(self, profiler: Profiler, node: Node, started: int) -> None:
        profiler.add(f"{node.name or node.op_type}_kernel_time", "Node", started, op_name=node.op_type, provider=self._provider)

    def _store(self, slots: list[Any], node: Node, target: int | tuple[int | None, ...], result: Any) -> None:
        """The general case: several outputs, numpy scalars, non-tensors, and wrong results."""
        targets = (target,) if isinstance(target, int) else target
        results = tuple(result) if isinstance(result, tuple) else (result,)
        if len(results) < len(targets):
            raise RuntimeException(
                f"{self._provider}: kernel of {node.where()} returned {len(results)} values, the node has {len(targets)} "
                "outputs. Return a tuple with one value for each output."
            )
        for slot, value, item in zip(targets, node.outputs, results, strict=False):
            if slot is None or value is None:
                continue
            array = np.asarray(item) if isinstance(item, np.generic | int | float | bool) else item
            if isinstance(array, np.ndarray) and isinstance(value.type, TensorType):
                wanted = value.type.element.dtype
                if array.dtype.kind in "US" and wanted.kind == "O":
                    array = array.astype(object)
                elif isinstance(item, int | float | bool) and not isinstance(item, np.generic):
                    array = array.astype(wanted)
            if not fits(array, value.type):
                raise RuntimeException(
                    f"{self._provider}: kernel of {node.where()} returned {_describe_value(array)} for output "
                    f"'{value.name}', expected {describe(value.type)}. Convert the result in the kernel."
                )
            slots[slot] = array

    def _failure(self, node: Node, inputs: Sequence[Any], error: Exception) -> RuntimeException:
        shown = ", ".join(_describe_value(v) for v in inputs)
        return RuntimeException(
            f"{self._provider}: kernel of {node.where()} failed on inputs ({shown}): {type(error).__name__}: {error}"
        )


def storage_root(array: np.ndarray) -> Any:
    """The object at the end of the chain of bases: equal roots mean that arrays may share memory."""
    root: Any = array
    while (base := getattr(root, "base", None)) is not None:
        root = base
    return root


def _gather(slots: list[int]) -> Callable[[list[Any]], Sequence[Any]]:
    if len(slots) > 1:
        return itemgetter(*slots)
    if slots:
        return itemgetter(slice(slots[0], slots[0] + 1))
    return itemgetter(slice(0, 0))


def _dense_dtype(value: Value | None) -> np.dtype | None:
    if value is None or not isinstance(value.type, TensorType):
        return None
    return value.type.element.dtype


def _describe_value(value: Any) -> str:
    type_ = type_of(value)
    return describe(type_) if type_ is not None else type(value).__name__
