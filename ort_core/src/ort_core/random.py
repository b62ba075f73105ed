"""Random numbers: the process seed and the generators of random operators."""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from ort_core.errors import InvalidArgument

if TYPE_CHECKING:
    import numpy as np

_lock = threading.Lock()
_process_seed: int | None = None


def set_seed(seed: int) -> None:
    """Makes the random operators of sessions created from now on reproducible.

    Raises:
        InvalidArgument: the seed is not an integer.
    """
    global _process_seed  # noqa: PLW0603 - the seed belongs to the process, as in onnxruntime
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise InvalidArgument(f"set_seed takes an integer, got {type(seed).__name__} {seed!r}.")
    with _lock:
        _process_seed = seed.__index__()


def generator_for(node_seed: float | None, key: Hashable) -> np.random.Generator:
    """A generator for one node of one session; it is thread-safe, and consecutive runs draw from it in turn.

    Args:
        node_seed: the operator's `seed` attribute. Nodes with equal seeds draw equal numbers; an integer seed gives the
            uniform numbers of `numpy.random.RandomState`, which ONNX's own tests expect.
        key: tells the nodes of a process apart when only the process seed is set; must have a stable `repr`.
    """
    import numpy as np

    if node_seed is not None:
        bits = np.random.MT19937()
        state: Any = np.random.RandomState(_legacy_seed(node_seed)).get_state(legacy=False)
        bits.state = state
        return np.random.Generator(bits)
    with _lock:
        seed = _process_seed
    if seed is None:
        return np.random.default_rng()
    return np.random.default_rng([zlib.crc32(repr(key).encode()), seed & (2**64 - 1)])


def _legacy_seed(seed: float) -> int:
    if float(seed).is_integer() and 0 <= seed < 2**32:
        return int(seed)
    return zlib.crc32(struct.pack("<d", seed))
