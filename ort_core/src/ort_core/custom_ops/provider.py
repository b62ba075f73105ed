"""Runs custom nodes that no engine takes, one kernel call per node."""

from __future__ import annotations

from collections.abc import Iterable

from ort_core.custom_ops.catalog import CustomOps
from ort_core.providers.kernel import BoundKernel
from ort_core.providers.kernel_executable import KernelExecutable
from ort_core.providers.names import CPU
from ort_core.providers.spec import Claim, CompileContext, Decline, Executable, GraphView, Partition, Provider


class CustomOpProvider(Provider):
    """Stands beside the provider of the host, under its name: the kernels work on host arrays."""

    name = CPU
    runs_custom_kernels = True

    def __init__(self, operators: CustomOps) -> None:
        self._operators = operators

    def claim(self, view: GraphView) -> Iterable[Claim | Decline]:
        """Takes every node that calls an operator of the host."""
        for node in view.nodes:
            op = self._operators.find(node)
            if op is not None and op.device_type == self.device.type:
                yield Claim((node,))
            elif op is not None:
                yield Decline(node, f"its kernel computes on {op.device_type}, which no provider of the session offers")
            elif (reason := self._operators.decline_reason(node)) is not None:
                yield Decline(node, reason)

    def compile(self, partition: Partition, ctx: CompileContext) -> Executable:
        """One kernel call per node, in order."""
        kernels = {node: BoundKernel(ctx.kernel(node).fn) for node in partition.graph.nodes}
        constants = [ctx.constant(value) for value in partition.constants]
        return KernelExecutable(partition, kernels, constants, self.name)
