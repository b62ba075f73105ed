"""Regular expressions of RE2's syntax that take time linear in the text, whatever the pattern.

Python's `re` backtracks: a pattern in a model could make it run for ever. Groups need not be remembered here, because only
whole texts are matched.
"""

from __future__ import annotations

from ort_core.reference_ops.regex.parser import parse
from ort_core.reference_ops.regex.program import Program, matches


class Regex:
    """A compiled pattern.

    Raises:
        ValueError: the pattern is not of RE2's syntax, or too large.
    """

    def __init__(self, pattern: str) -> None:
        self._program: Program = []
        parse(pattern)(self._program)

    def fullmatch(self, text: str) -> bool:
        """Whether the pattern matches all of `text`."""
        return matches(self._program, text)
