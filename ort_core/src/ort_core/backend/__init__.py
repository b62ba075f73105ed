"""The ONNX backend API, under the names of `onnxruntime.backend`.

>>> import ort_core.backend as backend
>>> rep = backend.prepare("model.onnx")
>>> outputs = rep.run([array])

The module itself is what `onnx.backend.test.BackendTest` takes. Importing it imports neither onnx nor a provider.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ort_core.backend.backend import OnnxRuntimeBackend as OnnxRuntimeBackend
    from ort_core.backend.backend_rep import OnnxRuntimeBackendRep as OnnxRuntimeBackendRep

    is_compatible = OnnxRuntimeBackend.is_compatible
    prepare = OnnxRuntimeBackend.prepare
    run = OnnxRuntimeBackend.run_model
    run_model = OnnxRuntimeBackend.run_model
    run_node = OnnxRuntimeBackend.run_node
    supports_device = OnnxRuntimeBackend.supports_device

_METHODS = {
    "is_compatible": "is_compatible",
    "prepare": "prepare",
    "run": "run_model",
    "run_model": "run_model",
    "run_node": "run_node",
    "supports_device": "supports_device",
}

__all__ = ["OnnxRuntimeBackend", "OnnxRuntimeBackendRep", *_METHODS]  # noqa: PLE0604 - resolved by __getattr__


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'ort_core.backend' has no attribute {name!r}")
    home = "backend_rep" if name == "OnnxRuntimeBackendRep" else "backend"
    module = importlib.import_module(f"ort_core.backend.{home}")
    value = getattr(module.OnnxRuntimeBackend, _METHODS[name]) if name in _METHODS else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
