"""Standing in for the `onnxruntime` package."""

from __future__ import annotations

import importlib.machinery
import sys
import types
from typing import Any

import ort_core
from ort_core import errors
from ort_core.environment import ORT_API_VERSION
from ort_core.errors import Fail

_EXCEPTIONS = (
    "DeviceReset",
    "EPFail",
    "EngineError",
    "Fail",
    "InvalidArgument",
    "InvalidGraph",
    "InvalidProtobuf",
    "ModelLoadCanceled",
    "ModelLoaded",
    "ModelRequiresCompilation",
    "NoModel",
    "NoSuchFile",
    "NotFound",
    "NotImplemented",
    "RuntimeException",
)


def install_as_onnxruntime() -> None:
    """Makes `import onnxruntime` give this package in the rest of the process.

    Raises:
        Fail: the real onnxruntime was imported before.
    """
    present = sys.modules.get("onnxruntime")
    if present is not None and not getattr(present, "__ort_core__", False):
        raise Fail(
            "onnxruntime was already imported in this process. Call install_as_onnxruntime() before anything imports it."
        )
    state = _Facade("onnxruntime.capi.onnxruntime_pybind11_state")
    for name in _EXCEPTIONS:
        setattr(state, name, getattr(errors, name))
    capi = _Facade("onnxruntime.capi", package=True)
    main = _Facade("onnxruntime", package=True)
    main.__dict__.update(capi=capi, __version__=ORT_API_VERSION)
    capi.__dict__.update(onnxruntime_pybind11_state=state, _pybind_state=state)
    sys.modules["onnxruntime"] = main
    sys.modules["onnxruntime.capi"] = capi
    sys.modules["onnxruntime.capi.onnxruntime_pybind11_state"] = state
    sys.modules["onnxruntime.capi._pybind_state"] = state


class _Facade(types.ModuleType):
    """A module that takes its names from `ort_core`."""

    __ort_core__ = True

    def __init__(self, name: str, *, package: bool = False) -> None:
        super().__init__(name, ort_core.__doc__)
        self.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=package)
        if package:
            self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        try:
            return getattr(ort_core, name)
        except AttributeError:
            raise AttributeError(f"module '{self.__name__}' has no attribute {name!r} (provided by ort-core)") from None
