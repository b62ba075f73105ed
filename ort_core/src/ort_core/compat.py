"""Standing in for the `onnxruntime` package."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence
from typing import Any

import ort_core
from ort_core import errors
from ort_core.environment import ORT_API_VERSION
from ort_core.errors import Fail, OrtError

_NAME = "onnxruntime"
_FACADES = {
    _NAME: True,
    f"{_NAME}.capi": True,
    f"{_NAME}.capi.onnxruntime_pybind11_state": False,
    f"{_NAME}.capi._pybind_state": False,
    f"{_NAME}.capi.onnxruntime_inference_collection": False,
}
"""The modules that take their names from `ort_core`, and whether they are packages."""

_MODULES = {f"{_NAME}.backend": "ort_core.backend"}
"""Modules of ours under another name, imported when they are asked for."""

_EXCEPTIONS = {
    name: item
    for name, item in vars(errors).items()
    if isinstance(item, type) and issubclass(item, OrtError) and name not in ("OrtError", "OutOfMemory")
}


def install_as_onnxruntime() -> None:
    """Makes `import onnxruntime` give this package in the rest of the process. May be called again.

    Modules that this package has no equivalent of (`onnxruntime.quantization`, ...) stay missing.

    Raises:
        Fail: the real onnxruntime was imported before.
    """
    present = sys.modules.get(_NAME)
    if isinstance(present, _Facade):
        return
    if present is not None:
        raise Fail(
            "onnxruntime was already imported in this process. Call install_as_onnxruntime() before anything imports it."
        )
    for name, is_package in _FACADES.items():
        sys.modules[name] = _Facade(name, is_package=is_package)
    for name in _FACADES:
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, sys.modules[name])
    main = sys.modules[_NAME]
    main.__dict__.update(
        __file__=ort_core.__file__,
        __version__=ORT_API_VERSION,
        version=ORT_API_VERSION,
        package_name=_NAME,
        cuda_version="",
    )
    for name in ("onnxruntime_pybind11_state", "_pybind_state"):
        sys.modules[f"{_NAME}.capi.{name}"].__dict__.update(_EXCEPTIONS)
    sys.meta_path.insert(0, _Finder())


class _Facade(types.ModuleType):
    """A module that takes its names from `ort_core`."""

    def __init__(self, name: str, *, is_package: bool) -> None:
        super().__init__(name, ort_core.__doc__)
        self.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=is_package)
        if is_package:
            self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        full = f"{self.__name__}.{name}"
        if full in _MODULES:
            return importlib.import_module(full)
        if not name.startswith("_") and name in ort_core.__all__:
            return getattr(ort_core, name)
        raise AttributeError(f"module '{self.__name__}' has no attribute {name!r} (provided by ort-core)")

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *ort_core.__all__})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `onnxruntime.backend` and what is in it among our own modules."""

    def __init__(self) -> None:
        self._specs: dict[str, Any] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return None if _ours(fullname) is None else importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        module = importlib.import_module(_ours(spec.name) or "")
        self._specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing but to give back the module's own spec: it was imported under its own name already."""
        alias = module.__spec__.name if module.__spec__ is not None else ""
        module.__spec__ = self._specs.pop(alias, module.__spec__)


def _ours(fullname: str) -> str | None:
    for theirs, ours in _MODULES.items():
        if fullname == theirs or fullname.startswith(f"{theirs}."):
            return ours + fullname[len(theirs) :]
    return None
