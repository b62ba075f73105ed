"""The provider: a kernel per node, and dense layers as one call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from ort_core.ir.graph import Node
from ort_core.ir.rewrite import add_node, replace_node
from ort_core.providers.kernel_provider import KernelProvider
from ort_core.providers.spec import Claim, CompileContext, Decline, Executable, GraphView, Partition

from ort_provider_example import kernels


class ExampleProvider(KernelProvider):
    """Claims what it has kernels for; a dense layer is claimed as one group and compiled to one kernel."""

    kernels = (kernels,)
    written_for: ClassVar = {"": 21}

    def claim(self, view: GraphView) -> Iterable[Claim | Decline]:
        """Dense layers first, then single nodes."""
        layers = [layer for node in view.nodes if self.options.fuse and (layer := self.find_layer(node, view))]
        taken = {node for layer in layers for node in layer}
        yield from (Claim(layer, "dense") for layer in layers)
        yield from super().claim(GraphView(tuple(n for n in view.nodes if n not in taken), view.graph, view.opsets))

    def find_layer(self, node: Node, view: GraphView) -> tuple[Node, ...] | None:
        """MatMul, Add and Relu from `node` on, if they follow each other and nothing else uses what is between them."""
        layer = [node]
        while len(layer) < 3 and (output := layer[-1].outputs[0]) and len(output.uses) == 1:
            user = output.uses[0].user
            if not isinstance(user, Node):
                return None
            layer.append(user)
        matches = [n.op_type for n in layer] == ["MatMul", "Add", "Relu"] and set(layer) <= set(view.nodes)
        return tuple(layer) if matches and not any(self.decline_reason(n, view.opsets) for n in layer) else None

    def compile(self, partition: Partition, ctx: CompileContext) -> Executable:
        """Replaces each dense layer by a node of the fused kernel; the base class compiles the rest."""
        for claim in partition.claims:
            if claim.meta == "dense" and len(claim.nodes) == 3:
                product, total, result = claim.nodes
                bias = next(v for v in total.inputs if v is not product.outputs[0])
                inputs = [*product.inputs, bias]
                replace_node(result, add_node(partition.graph, "Dense", inputs, domain=kernels.DOMAIN, like=result))
                partition.graph.remove(total)
                partition.graph.remove(product)
        partition.graph.sort()
        return super().compile(partition, ctx)
