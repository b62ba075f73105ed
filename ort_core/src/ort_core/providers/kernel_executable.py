"""The executable of kernel providers: a partition as a flat list of kernel calls over value slots."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ort_core.errors import InvalidArgument, OrtError, OutOfMemory, RuntimeException
from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.shapes import format_shape
from ort_core.ir.types import ElementType, OptionalType, TensorType, ValueType, describe
from ort_core.providers.kernel import BoundKernel, present_inputs
from ort_core.providers.spec import Executable, MemoryMeter, Partition, Profiler, RunContext
from ort_core.values import fits, type_of

if TYPE_CHECKING:
    from ort_core.values import RuntimeValue

MAX_PROGRAMS = 64
"""Combinations of wanted outputs whose steps are kept."""


class _Step(NamedTuple):
    call: Callable[..., Any]
    gather: Callable[[list[Any]], Sequence[Any]]
    target: int | tuple[int | None, ...]
    dtype: np.dtype | None
    dead: tuple[int, ...]
    context: _NodeContext | None
    node: Node


class _NodeContext(NamedTuple):
    """What the contexts of one node share between calls."""

    node: Node
    partition_outputs: tuple[int | None, ...]
    used: tuple[bool, ...]


class _KernelContext:
    __slots__ = ("_outputs", "_run", "_used", "node")

    def __init__(self, run: RunContext, shared: _NodeContext) -> None:
        self._run = run
        self.node, self._outputs, self._used = shared

    def output(self, index: int, element: ElementType, shape: Sequence[int]) -> RuntimeValue:
        target = self._outputs[index]
        if target is None:
            return np.empty(tuple(shape), element.dtype)
        return self._run.output(target, element, shape)

    def wants(self, index: int) -> bool:
        return index < len(self._used) and self._used[index]

    def check(self) -> None:
        self._run.check()


class KernelExecutable(Executable):
    """Calls the kernels of a partition in order; every result is checked against the inferred type.

    Kernels get C-contiguous arrays. Nodes that none of the wanted outputs depends on do not run.
    """

    def __init__(
        self,
        partition: Partition,
        kernels: Mapping[Node, BoundKernel],
        constants: Sequence[RuntimeValue],
        provider: str,
    ) -> None:
        self._provider = provider
        self._kernels = kernels
        self._graph = graph = partition.graph
        slots: dict[Value, int] = {}
        for value in (*graph.inputs, *partition.constants):
            slots[value] = len(slots)
        self._n_inputs = len(graph.inputs)
        self._first_temporary = len(slots)
        for node in graph.nodes:
            for output in node.outputs:
                if output is not None:
                    slots[output] = len(slots)
        self._slots = slots
        n_temporaries = len(slots) - self._first_temporary
        # The last slot stands for absent inputs.
        self._template: list[Any] = [*[None] * self._n_inputs, *constants, *[None] * (n_temporaries + 1)]
        self._outputs = tuple(slots[v] for v in graph.outputs)
        self._programs: dict[tuple[bool, ...], list[_Step]] = {}
        self._program((True,) * len(self._outputs))

    def _program(self, wanted: tuple[bool, ...]) -> list[_Step]:
        """The steps that the wanted outputs depend on."""
        needed = {v for v, is_wanted in zip(self._graph.outputs, wanted, strict=True) if is_wanted}
        nodes = []
        for node in reversed(self._graph.nodes):
            if any(v in needed for v in node.outputs if v is not None):
                nodes.append(node)
                needed.update(v for v in node.inputs if v is not None)
        nodes.reverse()
        if len(self._programs) >= MAX_PROGRAMS:
            self._programs.clear()
        steps = self._programs[wanted] = self._make_steps(self._graph, nodes, needed)
        return steps

    def _make_steps(self, graph: Graph, nodes: Sequence[Node], needed: set[Value]) -> list[_Step]:
        slots = self._slots
        keep = {*self._outputs, *range(self._first_temporary)}
        last_use: dict[int, Node] = {}
        for node in nodes:
            for value in (*node.inputs, *node.outputs):
                if value is not None:
                    last_use[slots[value]] = node
        dead: dict[Node, list[int]] = {}
        for slot, node in last_use.items():
            if slot not in keep:
                dead.setdefault(node, []).append(slot)
        results = {value: i for i, value in enumerate(graph.outputs)}
        steps = []
        for node in nodes:
            call, needs_context = self._kernels[node]
            targets = tuple(None if v is None else slots[v] for v in node.outputs)
            single = len(targets) == 1 and targets[0] is not None
            context = _NodeContext(
                node,
                tuple(results.get(v) if v else None for v in node.outputs),
                tuple(v in needed for v in node.outputs),
            )
            steps.append(
                _Step(
                    call,
                    _gather([-1 if v is None else slots[v] for v in present_inputs(node)]),
                    targets[0] if single and targets[0] is not None else targets,
                    _dense_dtype(node.outputs[0]) if single else None,
                    tuple(dead.get(node, ())),
                    context if needs_context else None,
                    node,
                )
            )
        return steps

    def run(self, ctx: RunContext, inputs: Sequence[RuntimeValue]) -> Sequence[RuntimeValue]:
        """Computes the outputs; kernels' own exceptions are chained to one that names the node."""
        slots = self._template.copy()
        slots[: self._n_inputs] = inputs
        wanted = ctx.wanted
        steps = self._programs.get(wanted)
        if steps is None:
            steps = self._program(wanted)
        if ctx.memory is not None:
            steps = [_metered(step, ctx.memory) for step in steps]
        cancel, profiler, ndarray = ctx.cancel_flag, ctx.profiler, np.ndarray
        started = 0
        with np.errstate(all="ignore"):
            for call, gather, target, dtype, dead, context, node in steps:
                if cancel.value:
                    ctx.check()
                arguments = gather(slots)
                if profiler is not None:
                    started = profiler.now()
                try:
                    result = call(*arguments) if context is None else call(_KernelContext(ctx, context), *arguments)
                    if result.__class__ is ndarray and result.dtype is dtype and result.flags.c_contiguous:
                        slots[target] = result  # type: ignore[index]
                    else:
                        self._store(slots, node, target, result)
                except OrtError:
                    raise
                except Exception as error:
                    raise self._failure(node, arguments, error) from error
                if profiler is not None:
                    self._record(profiler, node, started)
                for slot in dead:
                    slots[slot] = None
        return [slots[i] for i in self._outputs]

    def _record(self, profiler: Profiler, node: Node, started: int) -> None:
        profiler.add(
            f"{node.name or node.op_type}_kernel_time", "Node", started, op_name=node.op_type, provider=self._provider
        )

    def _store(self, slots: list[Any], node: Node, target: int | tuple[int | None, ...], result: Any) -> None:
        """The general case: several outputs, scalars, views, strings, non-tensors, and wrong results."""
        targets = (target,) if isinstance(target, int) else target
        results = result if isinstance(result, tuple) else (result,)
        if len(results) < len(targets):
            raise RuntimeException(
                f"{self._provider}: kernel of {node.where()} returned {len(results)} values, the node has {len(targets)} "
                "outputs. Return a tuple with one value for each output."
            )
        for slot, value, item in zip(targets, node.outputs, results, strict=False):
            if slot is not None and value is not None:
                slots[slot] = item if _is_plain(item, value.type) else self._checked(node, value, item)

    def _checked(self, node: Node, value: Value, item: Any) -> RuntimeValue:
        """A result as a run-time value of the inferred type."""
        result = _normalized(item, value.element)
        missing = result is None and not isinstance(value.type, OptionalType)
        if missing or isinstance(result, np.ma.MaskedArray) or not fits(result, value.type):
            raise RuntimeException(
                f"{self._provider}: kernel of {node.where()} returned {describe_value(result)} for output '{value.name}', "
                f"expected {describe(value.type)}. Convert the result in the kernel."
            )
        return result

    def _failure(self, node: Node, inputs: Sequence[Any], error: Exception) -> RuntimeException:
        shown = ", ".join(map(describe_value, inputs))
        kind = OutOfMemory if isinstance(error, MemoryError) else RuntimeException
        return kind(
            f"{self._provider}: kernel of {node.where()} failed on inputs ({shown}): {type(error).__name__}: {error}"
        )


def _metered(step: _Step, memory: MemoryMeter) -> _Step:
    """The step with a call that keeps to the session's memory limit."""
    from ort_core.reference_ops.bounds import result_bytes

    node, where, skipped = step.node, step.node.where(), 0 if step.context is None else 1

    def call(*arguments: Any) -> Any:
        inputs = arguments[skipped:]
        memory.disregard(inputs)
        memory.admit(result_bytes(node, inputs) or 0, where)
        result = step.call(*arguments)
        memory.hold(result if isinstance(result, tuple) else (result,), where)
        return result

    return step._replace(call=call)


def storage_root(array: np.ndarray) -> Any:
    """The object at the end of the chain of bases: equal roots mean that arrays may share memory."""
    root, base = array, array.base
    while base is not None:
        root, base = base, getattr(base, "base", None)
    return root


def describe_value(value: Any) -> str:
    """The type of anything that a kernel or provider returned or got, for messages."""
    is_array = isinstance(value, np.ndarray)
    type_ = None
    if not is_array or (type(value) is np.ndarray and value.dtype.isnative):
        with contextlib.suppress(InvalidArgument):
            type_ = type_of(value)
    if type_ is not None:
        return describe(type_)
    if is_array:
        return f"{type(value).__name__} of {value.dtype} {format_shape(value.shape)}"
    return "None" if value is None else type(value).__name__


def _is_plain(item: Any, type_: ValueType | None) -> bool:
    """Whether a result needs no conversion and is of its type: the quick answer for most of them."""
    return (
        item.__class__ is np.ndarray
        and isinstance(type_, TensorType)
        and item.dtype is type_.element.dtype
        and item.flags.c_contiguous
    )


def _normalized(item: Any, element: ElementType | None) -> Any:
    """Arrays as plain C-contiguous ones, strings as `str` objects, scalars as tensors; anything else as it is."""
    if isinstance(item, bool | int | float | complex | str) and not isinstance(item, np.generic):
        array = _from_python(item, element)
    elif isinstance(item, np.ndarray | np.generic) and not isinstance(item, np.ma.MaskedArray):
        array = np.asarray(item)
    else:
        return item
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    if array.dtype.kind == "U":
        array = array.astype(object)
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)


def _from_python(item: Any, element: ElementType | None) -> np.ndarray:
    """A Python scalar as a tensor of the element type, if that has the value; otherwise of numpy's choice."""
    array = np.asarray(item)
    if element is None or element is ElementType.STRING or array.dtype.kind == "U":
        return array
    cast = array.astype(element.dtype)
    whole = element is ElementType.BOOL or "INT" in element.name
    return array if whole and not np.array_equal(cast, array) else cast


def _gather(slots: list[int]) -> Callable[[list[Any]], Sequence[Any]]:
    if len(slots) > 1:
        return itemgetter(*slots)
    if slots:
        return itemgetter(slice(slots[0], slots[0] + 1 or None))
    return itemgetter(slice(0, 0))


def _dense_dtype(value: Value | None) -> np.dtype | None:
    if value is None or not isinstance(value.type, TensorType):
        return None
    return value.type.element.dtype
