"""`KernelProvider`: a provider that is a set of decorated kernels over numpy arrays on the host."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any, ClassVar

from ort_core.ir.graph import Node
from ort_core.ir.schema import CONTROL_FLOW, operator_schema
from ort_core.providers.kernel import (
    FLOATS,
    INTEGERS,
    NUMBERS,
    SIGNED,
    UNSIGNED,
    BoundKernel,
    KernelContext,
    KernelSpec,
    collect_kernels,
    kernel,
)
from ort_core.providers.kernel_executable import KernelExecutable
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

__all__ = [
    "FLOATS",
    "INTEGERS",
    "NUMBERS",
    "SIGNED",
    "UNSIGNED",
    "BoundKernel",
    "KernelContext",
    "KernelProvider",
    "KernelSpec",
    "kernel",
]


class KernelProvider(Provider):
    """Runs one decorated kernel per node.

    Attributes:
        kernels: modules or packages (or their names) whose decorated kernels it runs.
        written_for: domain to the operator-set version that the kernels follow; a node whose operator changed since is
            declined instead of being computed by the older definition.
    """

    kernels: ClassVar[tuple[ModuleType | str, ...]] = ()
    written_for: ClassVar[Mapping[str, int]] = {}

    def __init__(self, name: str, options: Any = None, env: SessionEnv | None = None) -> None:
        self.name = name
        self.options = options
        self.env = env or SessionEnv()

    @classmethod
    @functools.cache
    def registry(cls) -> Mapping[tuple[str, str], KernelSpec]:
        """The kernels by (domain, op_type)."""
        return collect_kernels(importlib.import_module(m) if isinstance(m, str) else m for m in cls.kernels)

    def claim(self, view: GraphView) -> Iterable[Claim | Decline]:
        """Takes every node that a kernel matches."""
        for node in view.nodes:
            reason = self.decline_reason(node, view.opsets)
            yield Claim((node,)) if reason is None else Decline(node, reason)

    def decline_reason(self, node: Node, opsets: Mapping[str, int]) -> str | None:
        """Why no kernel of this provider can run `node`; None if one can."""
        if not node.domain and node.op_type in CONTROL_FLOW:
            return "control flow runs on the core"
        spec = self.registry().get((node.domain, node.op_type))
        if spec is None:
            return f"no kernel for {node.label}"
        schema = operator_schema(node.op_type, node.domain, opsets.get(node.domain, 1))
        written_for = self.written_for.get(node.domain)
        if schema is not None and written_for is not None and schema.since_version > written_for:
            return f"kernel follows opset {written_for}, {node.label} changed in {schema.since_version}"
        return spec.decline_reason(node, schema)

    def bind(self, node: Node, ctx: CompileContext) -> BoundKernel:
        """The kernel for one node."""
        return self.registry()[node.domain, node.op_type].bind(node, ctx)

    def compile(self, partition: Partition, ctx: CompileContext) -> Executable:
        """One kernel call per node, in order."""
        kernels = {node: self.bind(node, ctx) for node in partition.graph.nodes}
        constants = [ctx.constant(value) for value in partition.constants]
        return KernelExecutable(partition, kernels, constants, self.name)
