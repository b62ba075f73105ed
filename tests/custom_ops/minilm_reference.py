"""all-MiniLM-L6-v2 in float64 numpy, and BERT's tokenization in Python: what the example's model is compared with."""

from __future__ import annotations

import json
import math
import unicodedata
from pathlib import Path

import numpy as np

MAX_TOKENS = 256
_erf = np.vectorize(math.erf, otypes=[np.float64])


def words_of(text: str) -> list[str]:
    """Lower case, no accents, punctuation and CJK characters as words of their own."""
    words = [""]
    for c in unicodedata.normalize("NFD", text.lower()):
        category = unicodedata.category(c)
        if category == "Mn":
            continue
        if c.isspace():
            words.append("")
        elif category.startswith("P") or 0x4E00 <= ord(c) <= 0x9FFF or (c.isascii() and not c.isalnum()):
            words.extend([c, ""])
        elif category not in {"Cc", "Cf"}:
            words[-1] += c
    return [word for word in words if word]


class Reference:
    """The encoder, evaluated in float64 from the published files in `folder`."""

    def __init__(self, folder: Path, weights: dict[str, np.ndarray]) -> None:
        self.config = json.loads((folder / "config.json").read_text())
        self.weights = {name: value.astype(np.float64) for name, value in weights.items()}
        vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
        self.ids = {token: i for i, token in enumerate(vocabulary)}

    def token_ids(self, text: str) -> list[int]:
        tokens: list[str] = []
        for word in words_of(text):
            tokens.extend(self.pieces(word))
        return [self.ids[t] for t in ["[CLS]", *tokens[: MAX_TOKENS - 2], "[SEP]"]]

    def pieces(self, word: str) -> list[str]:
        found: list[str] = []
        while word:
            prefix = "##" if found else ""
            end = next((n for n in range(len(word), 0, -1) if prefix + word[:n] in self.ids), 0)
            if not end or len(word) > 100:
                return ["[UNK]"]
            found.append(prefix + word[:end])
            word = word[end:]
        return found

    def embed(self, text: str) -> np.ndarray:
        ids = self.token_ids(text)
        x = self.weights["embeddings.word_embeddings.weight"][ids]
        x = x + self.weights["embeddings.position_embeddings.weight"][: len(ids)]
        x = self.norm(x + self.weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(self.config["num_hidden_layers"]):
            x = self.layer(x, f"encoder.layer.{layer}")
        mean = x.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def layer(self, x: np.ndarray, name: str) -> np.ndarray:
        heads = self.config["num_attention_heads"]
        q, k, v = (
            self.dense(x, f"{name}.attention.self.{part}").reshape(len(x), heads, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        context = (weights @ v).transpose(1, 0, 2).reshape(x.shape)
        x = self.norm(x + self.dense(context, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
        inner = self.dense(x, f"{name}.intermediate.dense")
        inner = inner * (1 + _erf(inner / np.sqrt(2))) / 2
        return self.norm(x + self.dense(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def dense(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.config["layer_norm_eps"])
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
