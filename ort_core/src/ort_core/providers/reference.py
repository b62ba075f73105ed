"""The reference provider: every operator of ONNX through `onnx.reference` and kernels of ours; slow and complete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ort_core.ir.graph import Node
from ort_core.providers.names import REFERENCE
from ort_core.providers.spec import (
    API_VERSION,
    Claim,
    CompileContext,
    Decline,
    Executable,
    GraphView,
    Partition,
    Plugin,
    Provider,
    SessionEnv,
)


class ReferenceProvider(Provider):
    """Runs every node that `ort_core.reference_ops` supports, one after another."""

    def __init__(self, name: str, options: Any = None, env: SessionEnv | None = None) -> None:
        self.name = name
        self.options = options
        self.env = env or SessionEnv()

    def claim(self, view: GraphView) -> Iterable[Claim | Decline]:
        """Takes every supported node."""
        for node in view.nodes:
            reason = self.decline_reason(node, view.opsets)
            yield Claim((node,)) if reason is None else Decline(node, reason)

    def decline_reason(self, node: Node, opsets: Mapping[str, int]) -> str | None:
        """Why `node` cannot run here, or None if it can."""
        from ort_core.reference_ops import supports

        return supports(node, opsets)

    def compile(self, partition: Partition, ctx: CompileContext) -> Executable:
        """One operator call per node, in order."""
        from ort_core.providers.kernel import BoundKernel
        from ort_core.providers.kernel_executable import KernelExecutable
        from ort_core.reference_ops import bind_kernel

        kernels = {n: BoundKernel(bind_kernel(n, partition.opsets, ctx)) for n in partition.graph.nodes}
        constants = [ctx.constant(value) for value in partition.constants]
        return KernelExecutable(partition, kernels, constants, self.name)


class ReferencePlugin(Plugin):
    """Always available, on the host, last in the order of priority."""

    name: ClassVar[str] = REFERENCE
    api: ClassVar[tuple[int, int]] = API_VERSION
    priority: ClassVar[int] = -1000

    def create(self, options: Any, env: SessionEnv) -> ReferenceProvider:
        """The provider for one session."""
        return ReferenceProvider(self.name, options, env)


plugin = ReferencePlugin()
