"""ort-core: an ONNX inference runtime as a plugin framework, with ONNX Runtime's Python API.

>>> import ort_core as ort
>>> session = ort.InferenceSession("model.onnx")
>>> outputs = session.run(None, {"x": array})
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_EXPORTS = {
    "compat": ("install_as_onnxruntime",),
    "ep_assignment": ("OrtEpAssignedNode", "OrtEpAssignedSubgraph"),
    "enums": (
        "ExecutionMode",
        "ExecutionOrder",
        "GraphOptimizationLevel",
        "OrtCompileApiFlags",
        "OrtExecutionProviderDevicePolicy",
        "OrtHardwareDeviceType",
    ),
    "environment": (
        "disable_telemetry_events",
        "enable_telemetry_events",
        "get_build_info",
        "get_device",
        "get_version_string",
        "has_collective_ops",
        "preload_dlls",
    ),
    "io_binding": ("IOBinding", "OrtValueVector", "SessionIOBinding"),
    "limits": ("Limits",),
    "log": ("set_default_logger_severity", "set_default_logger_verbosity"),
    "memory.memory_info": (
        "OrtAllocatorType",
        "OrtArenaCfg",
        "OrtDeviceMemoryType",
        "OrtDeviceVendorId",
        "OrtMemType",
        "OrtMemoryInfo",
        "OrtMemoryInfoDeviceType",
    ),
    "memory.registry": (
        "create_and_register_allocator",
        "create_and_register_allocator_v2",
        "memory_stats",
        "trim",
    ),
    "metadata": ("ModelMetadata", "NodeArg"),
    "options": ("RunOptions", "SessionOptions"),
    "ort_value": ("OrtDevice", "OrtSyncStream", "OrtValue", "copy_tensors"),
    "progress": ("LoadProgress",),
    "providers.registry": ("get_all_providers", "get_available_providers"),
    "random": ("set_seed",),
    "session": ("InferenceSession",),
    "sparse": ("OrtSparseFormat", "SparseTensor"),
}
_SUBMODULES = frozenset({"backend"})
_HOME = {name: module for module, names in _EXPORTS.items() for name in names}

__all__ = ["__version__", *_HOME]  # noqa: PLE0604 - the names resolve through __getattr__

if TYPE_CHECKING:
    from ort_core.compat import install_as_onnxruntime as install_as_onnxruntime
    from ort_core.enums import ExecutionMode as ExecutionMode
    from ort_core.enums import ExecutionOrder as ExecutionOrder
    from ort_core.enums import GraphOptimizationLevel as GraphOptimizationLevel
    from ort_core.enums import OrtCompileApiFlags as OrtCompileApiFlags
    from ort_core.enums import OrtExecutionProviderDevicePolicy as OrtExecutionProviderDevicePolicy
    from ort_core.enums import OrtHardwareDeviceType as OrtHardwareDeviceType
    from ort_core.environment import disable_telemetry_events as disable_telemetry_events
    from ort_core.environment import enable_telemetry_events as enable_telemetry_events
    from ort_core.environment import get_build_info as get_build_info
    from ort_core.environment import get_device as get_device
    from ort_core.environment import get_version_string as get_version_string
    from ort_core.environment import has_collective_ops as has_collective_ops
    from ort_core.environment import preload_dlls as preload_dlls
    from ort_core.ep_assignment import OrtEpAssignedNode as OrtEpAssignedNode
    from ort_core.ep_assignment import OrtEpAssignedSubgraph as OrtEpAssignedSubgraph
    from ort_core.io_binding import IOBinding as IOBinding
    from ort_core.io_binding import OrtValueVector as OrtValueVector
    from ort_core.io_binding import SessionIOBinding as SessionIOBinding
    from ort_core.limits import Limits as Limits
    from ort_core.log import set_default_logger_severity as set_default_logger_severity
    from ort_core.log import set_default_logger_verbosity as set_default_logger_verbosity
    from ort_core.memory.memory_info import OrtAllocatorType as OrtAllocatorType
    from ort_core.memory.memory_info import OrtArenaCfg as OrtArenaCfg
    from ort_core.memory.memory_info import OrtDeviceMemoryType as OrtDeviceMemoryType
    from ort_core.memory.memory_info import OrtDeviceVendorId as OrtDeviceVendorId
    from ort_core.memory.memory_info import OrtMemoryInfo as OrtMemoryInfo
    from ort_core.memory.memory_info import OrtMemoryInfoDeviceType as OrtMemoryInfoDeviceType
    from ort_core.memory.memory_info import OrtMemType as OrtMemType
    from ort_core.memory.registry import create_and_register_allocator as create_and_register_allocator
    from ort_core.memory.registry import create_and_register_allocator_v2 as create_and_register_allocator_v2
    from ort_core.memory.registry import memory_stats as memory_stats
    from ort_core.memory.registry import trim as trim
    from ort_core.metadata import ModelMetadata as ModelMetadata
    from ort_core.metadata import NodeArg as NodeArg
    from ort_core.options import RunOptions as RunOptions
    from ort_core.options import SessionOptions as SessionOptions
    from ort_core.ort_value import OrtDevice as OrtDevice
    from ort_core.ort_value import OrtSyncStream as OrtSyncStream
    from ort_core.ort_value import OrtValue as OrtValue
    from ort_core.ort_value import copy_tensors as copy_tensors
    from ort_core.progress import LoadProgress as LoadProgress
    from ort_core.providers.registry import get_all_providers as get_all_providers
    from ort_core.providers.registry import get_available_providers as get_available_providers
    from ort_core.random import set_seed as set_seed
    from ort_core.session import InferenceSession as InferenceSession
    from ort_core.sparse import OrtSparseFormat as OrtSparseFormat
    from ort_core.sparse import SparseTensor as SparseTensor


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"ort_core.{name}")
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module 'ort_core' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"ort_core.{module}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
