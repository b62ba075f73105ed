"""Operators of the domain example.text: cleaning strings, and choosing the next token."""

from __future__ import annotations

import unicodedata
from typing import Literal

import numpy as np
from ort_custom_ops import AnyFloat, Int64, String, op


@op("example.text", shapes="text")
class NormalizeText:
    """Brings strings to one form: Unicode normalisation, then what the attributes ask for.

    Attributes of the node: `form`, `lower` (case folding), `strip_accents`, `collapse` (white space to single blanks).
    """

    def __init__(
        self,
        *,
        form: Literal["NFC", "NFD", "NFKC", "NFKD"] = "NFKC",
        lower: bool = True,
        strip_accents: bool = False,
        collapse: bool = True,
    ) -> None:
        self.form, self.lower, self.strip_accents, self.collapse = form, lower, strip_accents, collapse

    def __call__(self, text: String) -> String:
        result = np.empty(text.shape, object)
        for index, item in np.ndenumerate(text):
            result[index] = self._normalized(item)
        return result

    def _normalized(self, text: str) -> str:
        if self.strip_accents:
            text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
        text = unicodedata.normalize(self.form, text)
        if self.lower:
            text = unicodedata.normalize(self.form, text.casefold())
        return " ".join(text.split()) if self.collapse else text


@op("example.text", shapes="(..., V), ? -> (...)")
def TopPSample(
    logits: AnyFloat,
    step: Int64 | None = None,
    *,
    top_p: float = 0.9,
    temperature: float = 1.0,
    seed: int = 0,
) -> Int64:
    """Draws a token from the smallest set of most probable ones whose probability reaches `top_p`.

    The same logits, seed and step give the same tokens; a temperature of 0 takes the most probable one.

    Args:
        logits: [..., V].
        step: a number that differs from call to call in a loop.
    """
    if not 0 < top_p <= 1 or temperature < 0:
        raise ValueError(f"top_p {top_p} is not in (0, 1], or temperature {temperature} is negative")
    if temperature == 0:
        return logits.argmax(axis=-1)
    scaled = logits.astype(np.float64) / temperature
    order = np.argsort(-scaled, axis=-1, kind="stable")
    weights = np.exp(np.take_along_axis(scaled, order, axis=-1) - scaled.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    reached = np.cumsum(weights, axis=-1)
    kept = np.where(reached - weights < top_p, weights, 0)
    random = np.random.default_rng([seed % 2**64, 0 if step is None else int(step.item()) % 2**64])
    drawn = random.random((*logits.shape[:-1], 1)) * kept.sum(axis=-1, keepdims=True)
    place = (np.cumsum(kept, axis=-1) <= drawn).sum(axis=-1, keepdims=True)
    last = (kept > 0).sum(axis=-1, keepdims=True) - 1
    return np.take_along_axis(order, np.minimum(place, last), axis=-1)[..., 0]
