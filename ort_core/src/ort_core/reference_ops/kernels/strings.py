"""Strings: StringNormalizer, without touching the process's locale."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ort_core.ir.graph import Node
from ort_core.providers.kernel import kernel

_CASES: dict[str, Callable[[str], str]] = {"LOWER": str.lower, "UPPER": str.upper, "NONE": str}


@kernel("StringNormalizer")
class StringNormalizer:
    """Y = X [C] or [1, C] without the stop words and in the case asked for; one empty string if nothing is left.

    Case follows Unicode, whatever `locale` says. Source: ONNX StringNormalizer.
    """

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        case_change_action: str = "NONE",
        is_case_sensitive: int = 0,
        locale: str = "",
        stopwords: Sequence[str] = (),
    ) -> None:
        """Keeps the attributes."""
        if case_change_action not in _CASES:
            raise ValueError(f"case_change_action is '{case_change_action}', must be one of {', '.join(_CASES)}")
        self._change = _CASES[case_change_action]
        self._key: Callable[[str], str] = str if is_case_sensitive else str.casefold
        self._stopwords = {self._key(w) for w in stopwords}

    def run(self, x: np.ndarray) -> np.ndarray:
        """Normalises the strings."""
        if x.ndim not in (1, 2) or (x.ndim == 2 and x.shape[0] != 1):
            raise ValueError(f"strings [C] or [1, C] are needed, got shape {x.shape}")
        kept = [self._change(s) for s in x.reshape(-1) if self._key(s) not in self._stopwords] or [""]
        return np.array(kept, object).reshape((-1,) if x.ndim == 1 else (1, -1))
