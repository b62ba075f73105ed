"""Cases of the tokenizers of byte pairs and their decoder, with a vocabulary of bytes and a few merges.

Left out, because the library reads or writes out of bounds: a `padding_length` that cuts rows off in tokenizers that append
an end token, and offsets of texts that are empty or hold special tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tests.custom_ops.extensions_parity import MICROSOFT, TEXTS, Node, strings

TRUE, FALSE = np.array([True]), np.array([False])


def byte_characters() -> list[str]:
    """The printable character that stands for each byte in GPT-2's vocabularies."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(b) if b in printable else chr(next(others)) for b in range(256)]


MERGES = ["t h", "th e", "Ġ the", "Ġ c", "a t", "Ġc at", "s at", "m at", "Ġ m", "Ġm at", "o n", "Ġ on"]


def bpe(special: Sequence[str], extra: Iterable[str] = ()) -> dict[str, Any]:
    """Vocabulary and merges: special tokens, the bytes, what the merges make, and extra tokens."""
    tokens = dict.fromkeys([*special, *byte_characters(), *(m.replace(" ", "") for m in MERGES), *extra])
    vocabulary = {token: i for i, token in enumerate(tokens)}
    return {"vocab": json.dumps(vocabulary), "merges": "#version: 0.2\n" + "\n".join(MERGES) + "\n"}


GPT2 = bpe(["<|endoftext|>"])
ROBERTA = bpe(["<s>", "<pad>", "</s>", "<unk>"])
CLIP = bpe(["<|startoftext|>", "<|endoftext|>"], [c + "</w>" for c in byte_characters()] + ["at</w>", "cat</w>"])
CLIP["merges"] += "a t</w>\nc at</w>\n"
_SPM_MERGED = ["th", "▁th", "▁the", "at", "▁c", "▁cat"]
_SPM_TOKENS = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), *"▁abcehimnost", *_SPM_MERGED]
SPM = {
    "vocab": json.dumps({token: i for i, token in enumerate(_SPM_TOKENS)}),
    "merges": "t h\n▁ th\n▁th e\na t\n▁ c\n▁c at\n",
}
BATCHES = [TEXTS, TEXTS[:1], strings("a<|endoftext|>the cat</s>"), strings()]

BPE_NODES = [
    node
    for op, attributes in [
        ("GPT2Tokenizer", GPT2),
        ("RobertaTokenizer", ROBERTA),
        ("CLIPTokenizer", CLIP),
        ("SpmTokenizer", SPM),
    ]
    for node in [
        Node(op, [[batch] for batch in BATCHES], outputs=2, attributes=attributes),
        Node(op, [[TEXTS]], outputs=1, attributes=attributes),
        Node(op, [[strings(text)] for text in TEXTS if text], outputs=3, attributes=attributes),
        Node(op, [[TEXTS, TRUE], [TEXTS, FALSE]], outputs=2, attributes=attributes),
        Node(op, [[TEXTS]], outputs=2, attributes=attributes | {"padding_length": 40}),
        Node(op, [[TEXTS]], outputs=2, attributes=attributes | {"padding_length": 0}),
        Node(op, [[TEXTS]], outputs=2, attributes={"merges": attributes["merges"]}),
        Node(op, [[TEXTS]], outputs=2, attributes={"vocab": attributes["vocab"]}),
        Node(op, [[TEXTS]], outputs=2, attributes={"vocab": "{", "merges": "a b"}),
        Node(op, [[TEXTS]], outputs=2, attributes=attributes, domain=MICROSOFT),
    ]
]
_GPT2_TOKENS = list(json.loads(GPT2["vocab"]))
_DECODER = {
    "id_vocab": "\n".join(_GPT2_TOKENS),
    "byte_decoder": "\n".join(f"{ord(c)}\t{b}" for b, c in enumerate(byte_characters())),
    "added_tokens": "0\t<|endoftext|>",
    "all_special_ids": "0",
}
_the, _cat = _GPT2_TOKENS.index("Ġthe"), _GPT2_TOKENS.index("Ġcat")
_IDS = np.array([_the, _cat, 0, 999, *(_GPT2_TOKENS.index(byte_characters()[b]) for b in "é日".encode())])
BPE_NODES += [
    Node(op, [[TEXTS]], outputs=2, attributes=attributes | {"padding_length": 5})
    for op, attributes in [("GPT2Tokenizer", GPT2), ("SpmTokenizer", SPM)]
]
BPE_NODES += [
    Node("BpeDecoder", [[_IDS], [_IDS[None]], [_IDS[:1]]], attributes=_DECODER | attributes)
    for attributes in ({}, {"skip_special_tokens": 1}, {"whitespace_token": 1}, {"unk_token": "?"})
]
BPE_NODES += [
    Node("BpeDecoder", [[_IDS]]),
    Node("BpeDecoder", [[_IDS]], attributes={"id_vocab": "a"}),
    Node("BpeDecoder", [[_IDS]], attributes=_DECODER | {"added_tokens": "x"}),
]

NODES = BPE_NODES
