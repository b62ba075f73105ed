"""Placement under ONNX Runtime's names: the subgraphs of each provider, and the memories of inputs and outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ort_core.devices import HOST, Device
from ort_core.memory.memory_info import (
    OrtAllocatorType,
    OrtDeviceMemoryType,
    OrtMemoryInfo,
    OrtMemoryInfoDeviceType,
    OrtMemType,
)
from ort_core.partition.compile import CompiledGraph, CompiledPartition

if TYPE_CHECKING:
    from ort_core.explain.report import NodePlacement, PlacementReport

_KNOWN_MEMORIES = {"cpu": "Cpu", "cuda": "Cuda", "dml": "DML", "webgpu": "WebGPU_Buf"}


class OrtEpAssignedNode:
    """A node of a subgraph."""

    __slots__ = ("_placement",)

    def __init__(self, placement: NodePlacement) -> None:
        self._placement = placement

    @property
    def name(self) -> str:
        """The node's name."""
        return self._placement.name

    @property
    def domain(self) -> str:
        """The operator's domain; empty for ONNX's own."""
        return "" if self._placement.domain == "ai.onnx" else self._placement.domain

    @property
    def op_type(self) -> str:
        """The operator."""
        return self._placement.op_type


class OrtEpAssignedSubgraph:
    """The nodes of one partition."""

    __slots__ = ("_nodes", "_provider")

    def __init__(self, provider: str, nodes: list[OrtEpAssignedNode]) -> None:
        self._provider = provider
        self._nodes = nodes

    @property
    def ep_name(self) -> str:
        """The provider that runs them."""
        return self._provider

    def get_nodes(self) -> list[OrtEpAssignedNode]:
        """The nodes, in the order in which they run."""
        return list(self._nodes)


def assigned_subgraphs(report: PlacementReport) -> list[OrtEpAssignedSubgraph]:
    """One subgraph for each partition."""
    nodes: dict[str, list[OrtEpAssignedNode]] = {}
    for node in report.nodes:
        nodes.setdefault(node.partition, []).append(OrtEpAssignedNode(node))
    return [OrtEpAssignedSubgraph(p.provider, nodes.get(p.name, [])) for p in report.partitions]


def input_devices(compiled: CompiledGraph) -> list[Device]:
    """Where each input of the graph is read first; the host if nothing reads it."""
    found: dict[int, Device] = {}
    for item in compiled.items:
        if isinstance(item, CompiledPartition):
            for value in item.inputs:
                found.setdefault(id(value), item.provider.device)
    return [found.get(id(value), HOST) for value in compiled.graph.inputs]


def memory_info_of(device: Device) -> OrtMemoryInfo:
    """The memory of a device under ONNX Runtime's name."""
    kind = OrtAllocatorType.ORT_DEVICE_ALLOCATOR
    name = _KNOWN_MEMORIES.get(device.type)
    if name is not None:
        return OrtMemoryInfo(name, kind, device.id, OrtMemType.DEFAULT)
    return OrtMemoryInfo.create_v2(
        device.type, OrtMemoryInfoDeviceType.GPU, 0, device.id, OrtDeviceMemoryType.DEFAULT, 0, kind
    )
