"""Reads patterns of RE2's syntax."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from ort_core.reference_ops.regex.characters import CHECKS, CLASSES, CONTROLS, POSIX
from ort_core.reference_ops.regex.program import UNLIMITED, Part, Test, choice, reading, repeat, requiring, sequence

MAX_REPEATS = 1000
_MAX_NESTING = 100


def parse(pattern: str) -> Part:
    """The part that a pattern describes.

    Raises:
        ValueError: the pattern is not of RE2's syntax.
    """
    return _Parser(_unquoted(pattern)).parse()


def _unquoted(pattern: str) -> str:
    r"""The pattern with each character between \Q and \E escaped."""
    parts, at = [], 0
    while at < len(pattern):
        pair = pattern[at : at + 2]
        if pair == "\\Q":
            quoted, _, _ = pattern[at + 2 :].partition("\\E")
            parts.append("".join(c if c.isalnum() or c == "_" else f"\\{c}" for c in quoted))
            at += 4 + len(quoted)
        else:
            parts.append(pair if pair[0] == "\\" else pair[0])
            at += len(parts[-1])
    return "".join(parts)


@dataclass
class _Parser:
    """Reads a pattern from left to right."""

    pattern: str
    at: int = 0
    nesting: int = 0
    flags: frozenset[str] = field(default_factory=frozenset)

    def parse(self) -> Part:
        node = self._alternatives()
        if self.at < len(self.pattern):
            raise self._error("unexpected ')'")
        return node

    def _error(self, what: str) -> ValueError:
        return ValueError(f"pattern '{self.pattern}' has {what} at position {self.at}")

    def _peek(self, text: str) -> bool:
        return self.pattern.startswith(text, self.at)

    def _accept(self, text: str) -> bool:
        found = self._peek(text)
        self.at += len(text) * found
        return found

    def _next(self) -> str:
        if self.at >= len(self.pattern):
            raise self._error("an unfinished part")
        self.at += 1
        return self.pattern[self.at - 1]

    def _until(self, end: str) -> str:
        stop = self.pattern.find(end, self.at)
        if stop < 0:
            raise self._error(f"no '{end}'")
        start, self.at = self.at, stop + len(end)
        return self.pattern[start:stop]

    def _alternatives(self) -> Part:
        flags = self.flags
        parts = [self._concatenation()]
        while self._accept("|"):
            parts.append(self._concatenation())
        self.flags = flags
        return parts[0] if len(parts) == 1 else choice(parts)

    def _concatenation(self) -> Part:
        parts: list[Part] = []
        while self.at < len(self.pattern) and not self._peek("|") and not self._peek(")"):
            parts.append(self._repetition())
        return sequence(parts)

    def _repetition(self) -> Part:
        node = self._atom()
        bounds = self._bounds()
        if bounds is None:
            return node
        self._accept("?")
        if self._bounds() is not None:
            raise self._error("a repetition of a repetition")
        return repeat(node, *bounds)

    def _bounds(self) -> tuple[int, int] | None:
        for sign, bounds in (("*", (0, UNLIMITED)), ("+", (1, UNLIMITED)), ("?", (0, 1))):
            if self._accept(sign):
                return bounds
        if not self._peek("{"):
            return None
        numbers, closed, _ = self.pattern[self.at + 1 :].partition("}")
        low, comma, high = numbers.partition(",")
        if not closed or not _is_number(low) or (high and not _is_number(high)):
            return None
        least, most = int(low), int(high) if high else UNLIMITED if comma else int(low)
        if max(least, most) > MAX_REPEATS or (most != UNLIMITED and most < least):
            raise self._error(f"a repetition that is not from a smaller to a larger number up to {MAX_REPEATS}")
        self.at += len(numbers) + 2
        return least, most

    def _atom(self) -> Part:
        character = self._next()
        if character == "(":
            return self._group()
        if character == "[":
            return reading(self._folded(self._bracket()))
        if character == ".":
            return reading((lambda c: True) if "s" in self.flags else (lambda c: c != "\n"))
        if character == "^":
            return requiring(CHECKS["line start" if "m" in self.flags else "A"])
        if character == "$":
            return requiring(CHECKS["line end" if "m" in self.flags else "z"])
        if character in "*+?":
            self.at -= 1
            raise self._error("nothing to repeat")
        if character == "\\":
            return self._escape()
        return reading(self._folded(character.__eq__))

    def _folded(self, test: Test) -> Test:
        if "i" not in self.flags:
            return test
        return lambda c: test(c) or test(c.lower()) or test(c.upper())

    def _group(self) -> Part:
        before = self.flags
        is_named = self._peek("?<") and not self._peek("?<=") and not self._peek("?<!")
        if self._accept("?P<") or (is_named and self._accept("?<")):
            self._until(">")
        elif self._accept("?") and not self._set_flags():
            return sequence([])
        self.nesting += 1
        if self.nesting > _MAX_NESTING:
            raise self._error(f"more than {_MAX_NESTING} nested groups")
        node = self._alternatives()
        self.nesting -= 1
        if not self._accept(")"):
            raise self._error("no ')'")
        self.flags = before
        return node

    def _set_flags(self) -> bool:
        """Reads flags; whether a group that they hold for follows, and not the rest of the group around."""
        adding, flags = True, set(self.flags)
        while True:
            character = self._next()
            if character == "-" and adding:
                adding = False
            elif character in "imsU":
                (flags.add if adding else flags.discard)(character)
            elif character in ":)":
                self.flags = frozenset(flags)
                return character == ":"
            else:
                raise self._error(f"an unknown group '(?{character}'")

    def _escape(self) -> Part:
        character = self._next()
        if character in ("A", "z", "b", "B"):
            return requiring(CHECKS[character])
        self.at -= 1
        return reading(self._folded(self._character_class()))

    def _character_class(self) -> Test:
        """What an escape stands for, after its backslash."""
        character = self._next()
        if (known := CLASSES.get(character.lower())) is not None:
            return known.__contains__ if character.islower() else lambda c: c not in known
        if character in "pP":
            return self._property(negated=character == "P")
        return self._literal(character).__eq__

    def _literal(self, character: str) -> str:
        """The character that an escape stands for."""
        if character in CONTROLS:
            return CONTROLS[character]
        if character == "x":
            digits = self._until("}") if self._accept("{") else self._next() + self._next()
            try:
                return chr(int(digits, 16))
            except (ValueError, OverflowError):
                raise self._error(f"no character of code '{digits}'") from None
        if character == "0":
            digits = ""
            while len(digits) < 2 and self.at < len(self.pattern) and self.pattern[self.at] in "01234567":
                digits += self._next()
            return chr(int(digits or "0", 8))
        if character.isascii() and character.isalnum():
            raise self._error(f"an unknown escape '\\{character}'")
        return character

    def _property(self, *, negated: bool) -> Test:
        name = self._until("}") if self._accept("{") else self._next()
        negated ^= name.startswith("^")
        category = name.removeprefix("^")
        if len(category) > 2 or category[:1] not in "CLMNPSZ":
            raise self._error(f"the property '{category}', of which only general categories are known")
        return lambda c: unicodedata.category(c).startswith(category) is not negated

    def _bracket(self) -> Test:
        negated = self._accept("^")
        tests: list[Test] = []
        first = True
        while first or not self._accept("]"):
            first = False
            tests.append(self._bracket_item())
        return lambda c: any(test(c) for test in tests) is not negated

    def _bracket_item(self) -> Test:
        if self._accept("[:"):
            name = self._until(":]")
            known = POSIX.get(name.removeprefix("^"))
            if known is None:
                raise self._error(f"an unknown class '[:{name}:]'")
            return (lambda c: c not in known) if name.startswith("^") else known.__contains__
        if self._peek("\\") and self.pattern[self.at + 1 : self.at + 2] in tuple("dwsDWSpP"):
            self._next()
            return self._character_class()
        low = self._bracket_character()
        if not self._peek("-") or self._peek("-]"):
            return low.__eq__
        self._next()
        high = self._bracket_character()
        if high < low:
            raise self._error(f"a range from '{low}' down to '{high}'")
        return lambda c: low <= c <= high

    def _bracket_character(self) -> str:
        character = self._next()
        return self._literal(self._next()) if character == "\\" else character


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6
