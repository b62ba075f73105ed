"""The classes of characters and positions that RE2's syntax names."""

from __future__ import annotations

from ort_core.reference_ops.regex.program import Check

_DIGITS = frozenset("0123456789")
_WORD = frozenset("0123456789_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_SPACES = frozenset("\t\n\f\r ")
_LOWER, _UPPER = frozenset("abcdefghijklmnopqrstuvwxyz"), frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
CLASSES = {"d": _DIGITS, "w": _WORD, "s": _SPACES}
POSIX = {
    "alnum": _DIGITS | _LOWER | _UPPER, "alpha": _LOWER | _UPPER, "ascii": frozenset(map(chr, range(128))),
    "blank": frozenset("\t "), "cntrl": frozenset(map(chr, (*range(32), 127))), "digit": _DIGITS,
    "graph": _PUNCTUATION | _DIGITS | _LOWER | _UPPER, "lower": _LOWER,
    "print": _PUNCTUATION | _DIGITS | _LOWER | _UPPER | {" "}, "punct": _PUNCTUATION, "space": _SPACES | {"\v"},
    "upper": _UPPER, "word": _WORD, "xdigit": frozenset("0123456789abcdefABCDEF"),
}  # fmt: skip
CONTROLS = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _is_boundary(text: str, position: int) -> bool:
    before = position > 0 and text[position - 1] in _WORD
    after = position < len(text) and text[position] in _WORD
    return before is not after


CHECKS: dict[str, Check] = {
    "A": lambda text, at: at == 0,
    "z": lambda text, at: at == len(text),
    "b": _is_boundary,
    "B": lambda text, at: not _is_boundary(text, at),
    "line start": lambda text, at: at == 0 or text[at - 1] == "\n",
    "line end": lambda text, at: at == len(text) or text[at] == "\n",
}
