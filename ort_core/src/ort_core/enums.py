"""Enumerations of ONNX Runtime's API, and how they print."""

from __future__ import annotations

import enum


class NativeEnum(enum.IntEnum):
    """Prints as onnxruntime's native enums do: `ExecutionMode.ORT_SEQUENTIAL`."""

    def __str__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


class GraphOptimizationLevel(NativeEnum):
    """How far the graph is optimised before it is given to the providers."""

    ORT_DISABLE_ALL = 0
    ORT_ENABLE_BASIC = 1
    ORT_ENABLE_EXTENDED = 2
    ORT_ENABLE_LAYOUT = 3
    ORT_ENABLE_ALL = 99


class ExecutionMode(NativeEnum):
    """Whether providers may run independent nodes in parallel."""

    ORT_SEQUENTIAL = 0
    ORT_PARALLEL = 1


class ExecutionOrder(NativeEnum):
    """The order in which nodes that do not depend on each other run."""

    DEFAULT = 0
    PRIORITY_BASED = 1
    MEMORY_EFFICIENT = 2


class OrtExecutionProviderDevicePolicy(NativeEnum):
    """Which kind of device to prefer when providers are chosen automatically."""

    DEFAULT = 0
    PREFER_CPU = 1
    PREFER_NPU = 2
    PREFER_GPU = 3
    MAX_PERFORMANCE = 4
    MAX_EFFICIENCY = 5
    MIN_OVERALL_POWER = 6


class OrtCompileApiFlags(enum.IntFlag):
    """Flags of `ModelCompiler`."""

    NONE = 0
    ERROR_IF_NO_NODES_COMPILED = 1
    ERROR_IF_OUTPUT_FILE_EXISTS = 2


class OrtHardwareDeviceType(NativeEnum):
    """Kinds of hardware."""

    CPU = 0
    GPU = 1
    NPU = 2
