"""Cases of the tokenizers that read a `tokenizer.json`, and of those that walk a trie."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from tests.custom_ops.extensions_parity import TEXTS, Node, strings
from tests.custom_ops.extensions_parity_bpe import BATCHES, GPT2, MERGES
from tests.custom_ops.extensions_parity_sentencepiece import LETTERS, PIECES

_UNIGRAM_JSON = {
    "version": "1.0",
    "added_tokens": [{"id": i, "content": t, "special": True} for i, t in enumerate(["<pad>", "</s>", "<unk>"])],
    "normalizer": None,
    "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True},
    "model": {
        "type": "Unigram",
        "unk_id": 2,
        "vocab": [["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], *([t, s] for t, s, _ in [*PIECES, *LETTERS])],
    },
}
_BPE_JSON = {
    "version": "1.0",
    "added_tokens": [{"id": 0, "content": "<|endoftext|>", "special": True}],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
    "model": {"type": "BPE", "vocab": json.loads(GPT2["vocab"]), "merges": MERGES},
}


def _hf(tokenizer_class: str, vocabulary: dict[str, Any], **config: Any) -> dict[str, str]:
    config = {"tokenizer_class": tokenizer_class, **config}
    return {"tokenizer_config": json.dumps(config), "tokenizer_vocab": json.dumps(vocabulary)}


_T5 = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
_TRIE = {
    "vocab": "".join(
        f"{i + 1} {t!r} {len(t.encode())}\n" for i, t in enumerate(["a", "b", " ", "the", "cat", " the", "é", "日"])
    )
}

NODES = [
    Node(
        "HfJsonTokenizer",
        [[strings(text)] for text in TEXTS],
        outputs=1,
        attributes=_hf("T5Tokenizer", _UNIGRAM_JSON, **_T5),
    ),
    Node("HfJsonTokenizer", [[TEXTS]], outputs=2, attributes=_hf("T5Tokenizer", _UNIGRAM_JSON, **_T5)),
    Node(
        "HfJsonTokenizer",
        [[batch] for batch in BATCHES[:3]],
        outputs=2,
        attributes=_hf(
            "GPT2Tokenizer", _BPE_JSON, bos_token="<|endoftext|>", eos_token="<|endoftext|>", unk_token="<|endoftext|>"
        ),
    ),
    Node("HfJsonTokenizer", [[TEXTS]], attributes=_hf("NoSuchTokenizer", _BPE_JSON)),
    Node("HfJsonTokenizer", [[TEXTS]], attributes={"tokenizer_config": "{", "tokenizer_vocab": "{}"}),
    Node("TrieTokenizer", [[strings("the cat", "a b", "é日")], [strings("")]], attributes=_TRIE),
    Node("TrieTokenizer", [[strings("a")]], attributes={"vocab": "x"}),
    Node("TrieTokenizer", [[strings("a")]], attributes={"vocab": "1 'a' 2"}),
    Node("TrieDetokenizer", [[np.array([[1, 3, 5], [4, 6, 7]])], [np.array([[8, 8]])]], attributes=_TRIE),
    Node("TrieDetokenizer", [[np.array([[1]])]], attributes={"vocab": "1 b'\\xff' 1\n"}),
]
