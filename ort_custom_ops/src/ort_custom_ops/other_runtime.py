"""Real ONNX Runtime in the same process, which shares the pointers to tables that libraries keep."""

from __future__ import annotations

import sys
from importlib.machinery import EXTENSION_SUFFIXES

from ort_custom_ops import _native

_STATE = "onnxruntime.capi.onnxruntime_pybind11_state"


def capture_table() -> None:
    """Gets the table of real ONNX Runtime, if that is imported: registered with it as a library, our extension learns it.

    Kernels of the other runtime that call our table are answered by theirs then.
    """
    state = sys.modules.get(_STATE)
    if state is not None and (getattr(state, "__file__", None) or "").endswith(tuple(EXTENSION_SUFFIXES)):
        state.SessionOptions().register_custom_ops_library(_native.__file__)


_native.set_foreign_search(capture_table)
