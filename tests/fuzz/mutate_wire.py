"""Mutations of the bytes: flipped, cut, repeated, spliced, with huge varints and deep messages."""

from __future__ import annotations

import random

from tests.fuzz.mutant import Mutant, mutation

_VARINTS = (
    b"\xff" * 9 + b"\x01",
    b"\xff" * 10,
    b"\x80" * 9 + b"\x01",
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\x07",
    b"\x80\x00",
    b"\x00",
)


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


@mutation("wire")
def flip_bits(rng: random.Random, mutant: Mutant) -> str | None:
    data = bytearray(mutant.model())
    if not data:
        return None
    places = [rng.randrange(len(data)) for _ in range(rng.choice([1, 1, 2, 8, 100]))]
    for place in places:
        data[place] ^= 1 << rng.randrange(8)
    mutant.data = bytes(data)
    return f"{len(places)} bits, first at {places[0]}"


@mutation("wire")
def set_bytes(rng: random.Random, mutant: Mutant) -> str | None:
    data = bytearray(mutant.model())
    if not data:
        return None
    place, count = rng.randrange(len(data)), rng.choice([1, 1, 2, 4, 16])
    data[place : place + count] = rng.choice([bytes(count), b"\xff" * count, rng.randbytes(count), b"\x7f" * count])
    mutant.data = bytes(data)
    return f"{count} bytes at {place}"


@mutation("wire")
def truncate(rng: random.Random, mutant: Mutant) -> str | None:
    data = mutant.model()
    end = rng.choice([rng.randrange(len(data) + 1), len(data) - 1, len(data) // 2])
    mutant.data = data[:end]
    return f"at {end} of {len(data)}"


@mutation("wire")
def move_piece(rng: random.Random, mutant: Mutant) -> str | None:
    data = mutant.model()
    start = rng.randrange(len(data) + 1)
    end = min(len(data), start + rng.choice([1, 2, 10, 200, 2000]))
    piece = data[start:end]
    how = rng.choice(["remove", "repeat", "repeat often", "move"])
    if how == "remove":
        mutant.data = data[:start] + data[end:]
    elif how == "repeat":
        mutant.data = data[:end] + piece + data[end:]
    elif how == "repeat often":
        mutant.data = data[:end] + piece * 50 + data[end:]
    else:
        rest = data[:start] + data[end:]
        to = rng.randrange(len(rest) + 1)
        mutant.data = rest[:to] + piece + rest[to:]
    return f"{how} {start}:{end}"


@mutation("wire")
def insert_varint(rng: random.Random, mutant: Mutant) -> str | None:
    data = mutant.model()
    place, huge = rng.randrange(len(data) + 1), rng.choice(_VARINTS)
    mutant.data = data[:place] + huge + data[place + rng.choice([0, 1]) :]
    return f"{huge.hex()} at {place}"


@mutation("wire")
def append_field(rng: random.Random, mutant: Mutant) -> str | None:
    """Fields that the schema does not have, or has elsewhere, or has already."""
    number = rng.choice([1, 2, 5, 7, 8, 14, 20, 25, 100, (1 << 29) - 1])
    junk = rng.choice([b"", b"\0", rng.randbytes(20), mutant.model()[:500]])
    kind = rng.choice([0, 1, 2, 3, 4, 5, 6, 7])
    addition = (
        _field(number, junk) if kind == 2 else _varint(number << 3 | kind) + rng.choice([*_VARINTS, rng.randbytes(8)])
    )
    mutant.data = mutant.model() + addition
    return f"field {number} of wire type {kind}"


@mutation("wire")
def append_model(rng: random.Random, mutant: Mutant) -> str | None:
    """Protobuf merges what follows into what came before."""
    other = rng.choice(mutant.corpus)
    mutant.data = mutant.model() + other.model[: rng.choice([None, len(other.model) // 2])]
    return other.name


@mutation("wire")
def nest_deeply(rng: random.Random, mutant: Mutant) -> str | None:
    """A graph in an attribute of a node of a graph ..., or a type in a type."""
    depth = rng.choice([10, 30, 60, 120, 1000, 20_000])
    inner = b""
    if rng.random() < 0.5:
        for _ in range(depth):
            attribute = _field(1, b"g") + _field(6, inner) + _varint(20 << 3) + _varint(5)
            inner = _field(1, _field(4, b"If") + _field(5, attribute)) if len(inner) < 300_000 else inner
        addition = _field(7, inner)
    else:
        for _ in range(depth):
            inner = _field(4, _field(1, inner))
        addition = _field(7, _field(11, _field(1, b"deep") + _field(2, inner)))
    mutant.data = mutant.model() + addition
    return f"{depth} levels"


@mutation("wire")
def replace_all(rng: random.Random, mutant: Mutant) -> str | None:
    size = rng.choice([0, 1, 3, 50, 2000])
    mutant.data = rng.choice(
        [rng.randbytes(size), bytes(size), b"\xff" * size, b"\x0a" * size, b"\x3a\x80\x80\x80\x80\x08" * size]
    )
    return f"{size} bytes of junk"
