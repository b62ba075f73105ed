"""Libraries of custom operators made for ONNX Runtime, loaded as they are."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ort_core.custom_ops.spec import CustomOp
from ort_custom_ops import _native
from ort_custom_ops.kernel_log import connect_logger
from ort_custom_ops.library_op import LibraryOp
from ort_custom_ops.operations import connect_operations
from ort_custom_ops.other_runtime import capture_table

_Key: TypeAlias = tuple[str, str, int]

_known: dict[object, dict[_Key, LibraryOp]] = {}
_lock = threading.RLock()


def load_library(path: str | os.PathLike[str], config: Mapping[str, str] | None = None) -> Sequence[CustomOp]:
    """The operators that the library at `path` registers. A library is loaded once and stays in the process, but asked each
    time: onnxruntime-extensions has further operators whenever one was written in Python.

    A library is code that runs with all rights of the process: never take its path from a model.

    Args:
        config: the configuration entries that it may ask for while it registers its operators.

    Raises:
        Fail: there is no such library, it is not one of custom operators, or it needs a newer version of the API.
    """
    path = os.fspath(path)
    with _lock:
        known = _known.setdefault(_identity(path), {})
        connect_logger()
        connect_operations()
        capture_table()
        located = os.path.abspath(path) if os.path.exists(path) else path
        found = _native.load(located, dict(config or {}))
        counts: Counter[tuple[str, str]] = Counter()
        ops = []
        for op in found:
            name = (op.domain, op.name)
            key = (*name, counts[name])
            counts[name] += 1
            last = _last_version(op, found)
            if key in known:
                known[key].declare(op, last)
            else:
                known[key] = LibraryOp(op, located, last)
            ops.append(known[key])
        return ops


def _last_version(op: _native.Operator, ops: Sequence[_native.Operator]) -> int | None:
    """The last version of the domain in which an operator exists; None if it has no end.

    As in ONNX Runtime an operator stays until another of its name starts, whatever end it declares.
    """
    starts = [other.start_version for other in ops if (other.domain, other.name) == (op.domain, op.name)]
    later = [start for start in starts if start > op.start_version]
    return min(later) - 1 if later else None


def _identity(path: str) -> object:
    try:
        status = os.stat(path)
    except OSError:
        return path
    return status.st_dev, status.st_ino
