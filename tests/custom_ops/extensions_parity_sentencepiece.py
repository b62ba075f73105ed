"""Cases of the operators of sentencepiece, with models made here: unigrams and byte pairs."""

from __future__ import annotations

import base64
from collections.abc import Iterable

import numpy as np

from tests.custom_ops.extensions_parity import MICROSOFT, TEXTS, Node, strings

TRUE, FALSE = np.array([True]), np.array([False])


def _protobuf(*fields: tuple[int, int | bytes | float]) -> bytes:
    """A protocol buffers message of (number, value); values are varints, 32-bit floats or bytes."""
    message = b""
    for number, value in fields:
        if isinstance(value, bytes):
            message += _varint(number << 3 | 2) + _varint(len(value)) + value
        elif isinstance(value, float):
            message += _varint(number << 3 | 5) + np.float32(value).tobytes()
        else:
            message += _varint(number << 3) + _varint(value)
    return message


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def sentencepiece_model(kind: int, pieces: Iterable[tuple[str, float, int]]) -> bytes:
    """A model of unigrams (1) or byte pairs (2); a piece is its text, score and kind (1 normal, 2 unknown, 3 control)."""
    listed = [(1, _protobuf((1, text.encode()), (2, float(score)), (3, kind))) for text, score, kind in pieces]
    trainer = _protobuf((3, kind), (4, len(listed)), (40, 0), (41, 1), (42, 2))
    normalizer = _protobuf((1, b"identity"), (3, 1), (4, 1), (5, 1))
    return _protobuf(*listed, (2, trainer), (3, normalizer))


_SPECIAL = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)]
LETTERS = [(c, -8.0 - i / 10, 1) for i, c in enumerate("▁abcdehiklmnopstuvwé日,!T")]
PIECES = [
    ("▁the", -1.0, 1),
    ("▁cat", -1.5, 1),
    ("at", -2.0, 1),
    ("s", -2.5, 1),
    ("▁s", -3.0, 1),
    ("▁on", -3.5, 1),
    ("▁m", -4.0, 1),
]
UNIGRAM = sentencepiece_model(1, [*_SPECIAL, *PIECES, *(p for p in LETTERS if p[0] != "s")])
BYTE_PAIRS = sentencepiece_model(
    2,
    [*_SPECIAL, *((text, -float(i), 1) for i, text in enumerate(["th", "▁th", "▁the", "at", "▁c", "▁cat"])), *LETTERS],
)
_FLAGS = [[FALSE, FALSE, FALSE], [TRUE, FALSE, FALSE], [FALSE, TRUE, FALSE], [TRUE, TRUE, TRUE]]
_SAMPLING = [np.array([0]), np.array([0], np.float32)]
_PIECE_IDS = np.array([3, 4, 5, 6, 1, 2, 0, 10])

SENTENCEPIECE_NODES = [
    node
    for model in (UNIGRAM, BYTE_PAIRS, base64.b64encode(UNIGRAM))
    for node in [
        Node(
            "SentencepieceTokenizer",
            [[TEXTS, *_SAMPLING, *flags] for flags in _FLAGS] + [[strings(), *_SAMPLING, *_FLAGS[0]]],
            outputs=2,
            attributes={"model": model},
        ),
        Node(
            "SentencepieceTokenizer",
            [[TEXTS, *_SAMPLING, *flags, fairseq] for flags in _FLAGS for fairseq in (TRUE, FALSE)],
            outputs=3,
            attributes={"model": model},
        ),
    ]
]
SENTENCEPIECE_NODES += [
    Node("SentencepieceTokenizer", [[TEXTS, *_SAMPLING, *_FLAGS[0]]], outputs=2, attributes={"model": b"nonsense"}),
    Node("SentencepieceTokenizer", [[TEXTS, *_SAMPLING, *_FLAGS[0]]], outputs=2),
    Node("SentencepieceTokenizer", [[TEXTS, *_SAMPLING, *_FLAGS[0]]], 2, {"model": UNIGRAM}, MICROSOFT),
    Node("SentencepieceDecoder", [[_PIECE_IDS], [_PIECE_IDS[None]], [_PIECE_IDS[:0]]], attributes={"model": UNIGRAM}),
    Node("SentencepieceDecoder", [[_PIECE_IDS, TRUE], [_PIECE_IDS, FALSE]], attributes={"model": UNIGRAM}),
    Node("SentencepieceDecoder", [[_PIECE_IDS.reshape(2, 4)], [np.array([99999])]], attributes={"model": UNIGRAM}),
    Node("SentencepieceDecoder", [[_PIECE_IDS]], attributes={"model": BYTE_PAIRS}),
    Node("SentencepieceDecoder", [[_PIECE_IDS]], attributes={"model": b"nonsense"}),
]

NODES = SENTENCEPIECE_NODES
