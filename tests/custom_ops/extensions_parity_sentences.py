"""Cases of BlingFireSentenceBreaker, with a model of BlingFire made here: three states, one action."""

from __future__ import annotations

import struct

from tests.custom_ops.extensions_parity import CONTRIB, MICROSOFT, Node, scalar, strings

_WORD_BREAKING = 19
_AUTOMATON, _ACTIONS = 2, 25
_BY_LABEL, _FINAL = 0x04, 0xA0


def _integers(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def _aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _automaton() -> bytes:
    """A Moore automaton that accepts one of `!.?` and a space after it, and then calls action 0.

    A state is an information byte, the number of labels less one, the labels in order, the offsets of their targets.
    """
    head = _integers(4, 0, 2, 0, 127)
    marked = len(head) + 2 + 3 * 5
    accepted = marked + 2 + 5
    states = bytes([_BY_LABEL, 2]) + b"!.?" + struct.pack(">i", marked) * 3
    states += bytes([_BY_LABEL, 0]) + b" " + struct.pack(">i", accepted)
    return _aligned(head + states + bytes([_FINAL, 0]))


def _multi_map(key: int, values: list[int]) -> bytes:
    """A map with one key: an offset plus one for each key up to it (0 for none), then counts and values from byte 8 on."""
    return _aligned(_integers(key, 1) + bytes(key) + bytes([9])) + _integers(4, len(values), len(values), *values)


def sentence_breaker() -> bytes:
    """The dumps of a model behind the table of their offsets: parameters, automaton, actions.

    The action is to end a sentence (tag 1) one character before what was accepted.
    """
    parameters = _multi_map(_WORD_BREAKING, [_AUTOMATON, 1, _ACTIONS, 2])
    dumps = [parameters, _automaton(), _multi_map(0, [0, 1, 1])]
    table = 4 * (1 + len(dumps))
    offsets = [table + sum(map(len, dumps[:i])) for i in range(len(dumps))]
    return _integers(len(dumps), *offsets) + b"".join(dumps)


_TEXTS = ["One. Two! Three? Four", "no end", "3.14 is π. Yes. 日本語. 😀", "", " . . ", "a.\nb. c"]

NODES = [
    Node(
        "BlingFireSentenceBreaker",
        [[strings(text)] for text in _TEXTS] + [[scalar(_TEXTS[0])], [strings("a", "b")]],
        attributes={"model": sentence_breaker()} | attributes,
        domain=domain,
    )
    for attributes, domain in [({}, CONTRIB), ({"max_sentence": 2}, CONTRIB), ({}, MICROSOFT)]
]
NODES += [
    Node("BlingFireSentenceBreaker", [[strings("One. Two.")]], attributes={"model": ""}),
    Node("BlingFireSentenceBreaker", [[strings("One. Two.")]]),
]
