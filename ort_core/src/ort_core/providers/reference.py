"""The reference provider: every operator of ONNX through `onnx.reference` and kernels of ours; slow and complete."""

from __future__ import annotations

from collections.abc import Mapping

from ort_core.ir.graph import Node
from ort_core.providers.kernel_provider import KernelProvider


class ReferenceProvider(KernelProvider):
    """Runs whatever `ort_core.reference_ops` supports, node by node."""

    def decline_reason(self, node: Node, opsets: Mapping[str, int]) -> str | None:
        """Why `node` cannot run here, or None if it can."""
        from ort_core.reference_ops.adapter import supports

        return supports(node, opsets)
