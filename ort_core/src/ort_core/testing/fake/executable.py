"""Compiled partitions of the fake device: kernels queued one after the other, intermediates on the device."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ort_core.errors import EPFail, RuntimeException
from ort_core.ir.graph import Value
from ort_core.ir.shapes import format_shape
from ort_core.ir.types import ElementType
from ort_core.providers.spec import Executable, Partition, RunContext
from ort_core.testing.fake.kernel import DeviceKernel
from ort_core.testing.fake.kernels import KERNELS
from ort_core.testing.fake.ops import Op, Span
from ort_core.testing.fake.runtime import FakeRuntime
from ort_core.values import DeviceTensor, RuntimeValue, device_of

if TYPE_CHECKING:
    from ort_core.providers.spec import CompileContext


@dataclass(frozen=True, slots=True)
class _Step:
    """A node: `inputs` and `output` are slots, `dying` those that nothing reads later, `results` partition outputs."""

    kernel: DeviceKernel
    parameters: dict[str, Any]
    what: str
    where: str
    inputs: tuple[int, ...]
    output: int = -1
    constant: tuple[bool, ...] = (False,)
    dying: tuple[int, ...] = ()
    results: tuple[int, ...] = ()


class FakeExecutable(Executable):
    """A partition: slots hold the inputs, then the constants, then what the nodes compute."""

    def __init__(self, provider: str, runtime: FakeRuntime, partition: Partition, ctx: CompileContext) -> None:
        graph = partition.graph
        self._provider = provider
        self._runtime = runtime
        self._name = partition.name
        self._slots: dict[Value, int] = {value: index for index, value in enumerate(graph.inputs)}
        self._n_inputs = len(graph.inputs)
        self._constants: dict[int, DeviceTensor] = {}
        steps = []
        for node in graph.nodes:
            kernel = KERNELS[node.op_type]
            inputs = tuple(self._slot(value, ctx) for value in kernel.data_inputs(node))
            target = node.outputs[0]
            output = self._slots.setdefault(target, len(self._slots)) if target is not None else -1
            what = f"{node.op_type} '{node.name or (target.name if target is not None else '')}'"
            steps.append(_Step(kernel, kernel.parameters(node), what, node.where(), inputs, output))
        self._outputs = tuple(self._slot(value, ctx) for value in graph.outputs)
        self._steps = self._with_lifetimes(steps)
        uses = Counter(slot for step in steps for slot in set(step.inputs))
        self._donation_candidates = tuple(
            slot for slot in range(self._n_inputs) if uses[slot] and slot not in self._outputs
        )

    def _slot(self, value: Value, ctx: CompileContext) -> int:
        slot = self._slots.get(value)
        if slot is None:
            slot = self._slots[value] = len(self._slots)
            weight: Any = value.const
            upload = partial(self._runtime.upload, ctx.constant(value))
            self._constants[slot] = ctx.prepack(weight, f"{self._provider}/{self._runtime.device}", upload)
        return slot

    def _with_lifetimes(self, steps: list[_Step]) -> tuple[_Step, ...]:
        kept = {*self._outputs, *self._constants}
        result = []
        for step in reversed(steps):
            dying = tuple(slot for slot in {*step.inputs, step.output} if slot not in kept and slot >= 0)
            kept.update(dying)
            constant = tuple(slot in self._constants for slot in step.inputs)
            results = tuple(index for index, slot in enumerate(self._outputs) if slot == step.output)
            result.append(replace(step, constant=constant, dying=dying, results=results))
        return tuple(reversed(result))

    def run(self, ctx: RunContext, inputs: Sequence[RuntimeValue]) -> Sequence[RuntimeValue]:
        """Queues the kernels."""
        self._check_inputs(inputs)
        donated = {slot for slot in self._donation_candidates if ctx.donated(slot)}
        values: list[DeviceTensor | None] = [*inputs, *(None,) * (len(self._slots) - len(inputs))]
        for slot, tensor in self._constants.items():
            values[slot] = tensor
        outputs: list[RuntimeValue] = [None] * len(self._outputs)
        for step in self._steps:
            ctx.check()
            wanted = [index for index in step.results if ctx.wanted[index]]
            target = self._launch(ctx, step, values, donated, wanted)
            for index in wanted:
                outputs[index] = target if index == wanted[0] else self._duplicate(ctx, index, target)
            if step.output >= 0:
                values[step.output] = target
            for slot in step.dying:
                values[slot] = None
        for index, slot in enumerate(self._outputs):
            source = values[slot]
            if (slot < self._n_inputs or slot in self._constants) and source is not None and ctx.wanted[index]:
                outputs[index] = self._duplicate(ctx, index, source, constant=slot in self._constants)
        return outputs

    def _check_inputs(self, inputs: Sequence[RuntimeValue]) -> None:
        for value in inputs:
            if not isinstance(value, DeviceTensor) or value.device != self._runtime.device:
                raise EPFail(
                    f"partition '{self._name}' on {self._runtime.device} was given {type(value).__name__} on "
                    f"{device_of(value)}; a provider's inputs must be on its device"
                )

    def _launch(
        self,
        ctx: RunContext,
        step: _Step,
        values: list[DeviceTensor | None],
        donated: set[int],
        wanted: list[int],
    ) -> DeviceTensor:
        arguments = [self._known(values[slot], step) for slot in step.inputs]
        kernel = step.kernel
        shapes = [tensor.shape for tensor in arguments]
        element = kernel.result(arguments[0].element, step.parameters)
        try:
            shape = kernel.shape(shapes, **step.parameters)
        except ValueError as error:
            raise RuntimeException(
                f"{step.where} on {self._provider}: {error}. Got the shapes {', '.join(map(format_shape, shapes))}."
            ) from error
        target = (
            self._in_donated(step, element, shape, arguments, donated) if not wanted or ctx.binding_id is None else None
        )
        if target is None and wanted:
            target = self._output(ctx, wanted[0], element, shape)
        elif target is None:
            nbytes = math.prod(shape) * element.dtype.itemsize
            target = DeviceTensor(element, shape, self._runtime.allocate(nbytes, ctx.stream))
        self._queue(ctx, step, arguments, target)
        return target

    def _in_donated(
        self,
        step: _Step,
        element: ElementType,
        shape: tuple[int, ...],
        arguments: list[DeviceTensor],
        donated: set[int],
    ) -> DeviceTensor | None:
        """The result in the memory of a donated input that ends here, if one fits."""
        if step.kernel.in_place:
            for slot, tensor in zip(step.inputs, arguments, strict=True):
                fits = tensor.shape == shape and element.dtype.itemsize <= tensor.element.dtype.itemsize
                if slot in donated and slot in step.dying and fits:
                    self._runtime.machine.count("in_place")
                    return DeviceTensor(element, shape, tensor.buffer, tensor.offset)
        return None

    def _output(self, ctx: RunContext, index: int, element: ElementType, shape: tuple[int, ...]) -> DeviceTensor:
        self._runtime.machine.faults.hit("output", f"output {index} of partition '{self._name}'")
        target = ctx.output(index, element, shape)
        if not isinstance(target, DeviceTensor) or target.device != self._runtime.device:
            raise EPFail(
                f"output {index} of partition '{self._name}' was placed on {device_of(target)}, expected "
                f"{self._runtime.device}"
            )
        return target

    def _duplicate(self, ctx: RunContext, index: int, source: DeviceTensor, *, constant: bool = False) -> DeviceTensor:
        target = self._output(ctx, index, source.element, source.shape)
        what = f"copy to output {index} of partition '{self._name}'"
        step = _Step(KERNELS["Identity"], {}, what, what, (), constant=(constant,))
        self._queue(ctx, step, [source], target)
        return target

    def _queue(self, ctx: RunContext, step: _Step, arguments: list[DeviceTensor], target: DeviceTensor) -> None:
        runtime = self._runtime
        machine = runtime.machine
        error = machine.faults.hit("kernel", step.what)
        machine.count("kernels")
        reads = tuple(runtime.span(t, held=held) for t, held in zip(arguments, step.constant, strict=True))
        writes: tuple[Span, ...] = (runtime.span(target),)
        parameters = step.parameters
        if step.kernel.scratch is not None:
            nbytes = step.kernel.scratch(target.shape, target.element.dtype.itemsize)
            scratch = runtime.buffer_span(ctx.scratch(nbytes), 0, nbytes)
            writes = (*writes, scratch)
            parameters = {**parameters, "scratch": scratch.array(ElementType.UINT8, (nbytes,))}
        arrays = [span.array(t.element, t.shape) for span, t in zip(reads, arguments, strict=True)]
        action = partial(step.kernel.compute, writes[0].array(target.element, target.shape), *arrays, **parameters)
        op = Op("kernel", step.what, target.nbytes, action, reads, writes)
        op.error = error
        op.submit(None if ctx.stream is None else runtime.worker_of(ctx.stream), machine, runtime.device)

    @staticmethod
    def _known(tensor: DeviceTensor | None, step: _Step) -> DeviceTensor:
        if tensor is None:
            raise EPFail(f"{step.where}: an input was released before its last use")
        return tensor
