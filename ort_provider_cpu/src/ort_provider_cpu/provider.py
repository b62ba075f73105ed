"""The provider of one session: claims what the engine has kernels for, and compiles it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from ort_core import errors
from ort_core.custom_ops.spec import CustomOp
from ort_core.devices import HOST
from ort_core.ir.graph import Node, Value
from ort_core.ir.passes import Level, Pass
from ort_core.ir.schema import operator_signature
from ort_core.ir.types import ElementType
from ort_core.providers.spec import (
    Claim,
    CompileContext,
    Decline,
    Executable,
    GraphView,
    Partition,
    Provider,
    SessionEnv,
)
from ort_provider_cpu import _native
from ort_provider_cpu.executable import CpuExecutable
from ort_provider_cpu.lowering import lower
from ort_provider_cpu.passes import find_passes
from ort_provider_cpu.passes._emit import DOMAIN
from ort_provider_cpu.plugin import CpuOptions
from ort_provider_cpu.signature import PortType, attribute_values, mixed_types, port_type

_native.set_exception_classes(
    {
        1: errors.Fail,
        2: errors.InvalidArgument,
        3: errors.NoSuchFile,
        4: errors.NoModel,
        5: errors.EngineError,
        6: errors.RuntimeException,
        7: errors.InvalidProtobuf,
        8: errors.ModelLoaded,
        9: errors.NotImplemented,
        10: errors.InvalidGraph,
        11: errors.EPFail,
        12: errors.ModelLoadCanceled,
        13: errors.ModelRequiresCompilation,
        14: errors.NotFound,
        15: errors.DeviceReset,
        100: errors.OutOfMemory,
    }
)

_FLOATS = frozenset((ElementType.FLOAT, ElementType.DOUBLE, ElementType.FLOAT16, ElementType.BFLOAT16))


class CpuProvider(Provider):
    """Claims every node that a native kernel matches."""

    written_for: ClassVar[Mapping[str, int]] = {"": 28, "ai.onnx.ml": 5}
    """Domain to the operator-set version that the kernels follow."""
    runs_custom_kernels = True

    def __init__(self, name: str, options: CpuOptions, env: SessionEnv) -> None:
        self.name = name
        self._executables: list[CpuExecutable] = []
        self._environment = _native.Environment(
            threads=env.threads.intra_op_threads(),
            own_threads=env.threads.per_session and env.threads.intra_op > 0,
            spin=env.threads.spin,
            winograd=options.winograd,
            deterministic=env.deterministic,
            low_memory=options.low_memory,
            keep_arena=options.use_arena and env.use_arena,
            plan_memory=env.use_mem_pattern,
            reuse_memory=env.use_mem_reuse,
            memory_limit=env.limits.memory_bytes or 0,
        )

    def claim(self, view: GraphView) -> Iterable[Claim | Decline]:
        """One claim for each node; the core joins them to partitions."""
        for node in view.nodes:
            op = view.custom(node)
            reason = self._decline_reason(node, view.opsets) if op is None else _custom_decline_reason(node, op)
            yield Claim((node,)) if reason is None else Decline(node, reason)

    def _decline_reason(self, node: Node, opsets: Mapping[str, int]) -> str | None:
        signature = operator_signature(node.op_type, node.domain, opsets.get(node.domain, 1))
        written_for = self.written_for.get(node.domain)
        if signature is not None and written_for is not None and signature.since_version > written_for:
            return f"kernel follows opset {written_for}, {node.label} changed in {signature.since_version}"
        if signature is not None and (mixed := mixed_types(node, signature)):
            return mixed
        floats = {value.element for value in node.inputs if value is not None and value.element in _FLOATS}
        if node.domain == DOMAIN and len(floats) > 1:
            return "its inputs are floats of several types"
        types: list[PortType] = []
        for value in (*node.inputs, *node.outputs):
            known = port_type(value)
            if known is None:
                return _not_known(value)
            types.append(known)
        n_inputs = len(node.inputs)
        outputs = [element for element, _ in types[n_inputs:]]
        return _native.decline_reason(node.domain, node.op_type, attribute_values(node), types[:n_inputs], outputs)

    def passes(self, level: Level) -> Sequence[Pass]:
        """The fusions up to `level`."""
        return [p for p in find_passes() if p.level <= level]

    def compile(self, partition: Partition, ctx: CompileContext) -> Executable:
        """Makes a native program of the partition."""
        program = lower(partition.graph, self._environment, ctx)
        executable = CpuExecutable(partition.graph, program, self.name)
        self._executables.append(executable)
        return executable

    def control(self, request: str, args: Mapping[str, Any]) -> Any:
        """`trim` gives cached memory back and returns how many bytes; `memory_stats` counts it."""
        if request == "trim":
            for executable in self._executables:
                executable.trim()
            return self._environment.trim()
        if request == "memory_stats":
            return self._environment.memory_stats()
        return super().control(request, args)

    def close(self) -> None:
        """Gives the memory of idle runs back."""
        self.control("trim", {})
        self._executables.clear()


def _custom_decline_reason(node: Node, op: CustomOp) -> str | None:
    """Why the engine leaves a custom node to the core."""
    if op.device_type != HOST.type or not op.has_native:
        return "the custom operator has no native kernel for the host"
    if _native.has_kernel(node.domain, node.op_type):
        return "the custom operator stands in for one of the engine's"
    for value in (*node.inputs, *node.outputs):
        if (known := port_type(value)) is None:
            return _not_known(value)
        if known[0] == ElementType.STRING:
            return "strings run on the core"
    return None


def _not_known(value: Value | None) -> str:
    return f"'{value.name if value else ''}' is no tensor of a known type"
