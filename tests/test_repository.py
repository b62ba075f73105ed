"""Rules for the repository as a whole."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "ort_core" / "src").rglob("*.py"))
MAX_LINES = 500


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_is_short_and_says_what_it_owns(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_LINES
    assert ast.get_docstring(ast.parse(text)), "the module has no docstring"


def test_no_test_file_is_too_long():
    long = [p for p in (ROOT / "tests").rglob("*.py") if p.read_text(encoding="utf-8").count("\n") > MAX_LINES]
    assert not long
