"""Whether two lists of results say the same."""

from __future__ import annotations

from typing import Any

import numpy as np

RANDOM = frozenset(
    {
        "Bernoulli", "Dropout", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
    }
)  # fmt: skip
"""Operators whose results differ from run to run."""


def difference(expected: Any, got: Any, where: str = "result") -> str | None:
    """What differs, or None.

    Floating-point numbers may differ by rounding, and empty arrays in shape: the scan outputs of a Loop without iterations
    have sizes that nothing tells.
    """
    if isinstance(expected, list):
        if not isinstance(got, list) or len(expected) != len(got):
            return f"{where}: {_kind(expected)} and {_kind(got)}"
        pairs = zip(expected, got, strict=True)
        return next(filter(None, (difference(a, b, f"{where}[{i}]") for i, (a, b) in enumerate(pairs))), None)
    if isinstance(expected, dict):
        if not isinstance(got, dict) or expected.keys() != got.keys():
            return f"{where}: {_kind(expected)} and {_kind(got)}"
        return next(filter(None, (difference(v, got[k], f"{where}[{k!r}]") for k, v in expected.items())), None)
    if not isinstance(expected, np.ndarray | np.generic):
        same = type(expected) is type(got) and (not _is_plain(expected) or expected == got or expected != expected)
        return None if same else f"{where}: {expected!r} and {got!r}"
    a, b = np.asarray(expected), np.asarray(got)
    if a.dtype == b.dtype and a.size == b.size == 0:
        return None
    if a.dtype != b.dtype or a.shape != b.shape:
        return f"{where}: {a.dtype} {a.shape} and {b.dtype} {b.shape}"
    if _equal(a, b):
        return None
    return f"{where}: {a.dtype} {a.shape}, {a.reshape(-1)[:8]} and {b.reshape(-1)[:8]}"


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    if a.dtype.kind in "Obiu" or a.dtype.itemsize * a.size == 0:
        return bool(np.array_equal(a, b))
    if a.tobytes() == b.tobytes():
        return True
    if a.dtype.kind not in "fc":
        a, b = a.astype(np.float32), b.astype(np.float32)
    with np.errstate(all="ignore"):
        return bool(np.allclose(a, b, rtol=1e-5, atol=1e-7, equal_nan=True))


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | bytes | int | float | bool | None)


def _kind(value: Any) -> str:
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, list | dict) else type(value).__name__


def snapshot(value: Any) -> Any:
    """What must not change in something that is fed."""
    if isinstance(value, dict):
        return {k if isinstance(k, str) else id(k): snapshot(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [snapshot(v) for v in value]
    if isinstance(value, np.ndarray):
        content = repr(value.tolist()) if value.dtype.hasobject else value.tobytes()
        return (value.dtype.str, value.shape, value.strides, value.flags.writeable, content)
    return id(value)
