import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_helpers import run, strings

from ort_core.reference_ops.regex import Regex

ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "\\w", "\\d", "1", " ", "\\s", "\\.", "^", "$", "\\b"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda p: f"({p[0]}|{p[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?"])).map(
            lambda p: f"(?:{p[0]}){p[1]}"
        ),
    ),
    max_leaves=8,
)


@given(PATTERNS, st.lists(st.text("ab1 .", max_size=8), max_size=5))
def test_whole_texts_match_as_python_says(pattern: str, texts: list[str]) -> None:
    expected = [re.fullmatch(pattern, text) is not None for text in texts]
    assert [Regex(pattern).fullmatch(text) for text in texts] == expected


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("\\p{L}+", "aü", True),
        ("\\PN", "7", False),
        ("\\pN", "٣", True),
        ("\\d", "٣", False),
        ("(?i)aB", "Ab", True),
        ("(?i:a)b", "AB", False),
        ("[[:alpha:]]+", "ab", True),
        ("[[:^digit:]]", "7", False),
        ("\\Qa.b\\E+", "a.bb", True),
        ("a{,2}", "a{,2}", True),
        ("\\x{61}\\x62", "ab", True),
        ("[]a]+", "]a", True),
        ("[a\\-c-]+", "a-c", True),
        (".", "\n", False),
        ("(?s).", "\n", True),
        ("(?m)^a$\n^b$", "a\nb", True),
        ("a$", "a\n", False),
        ("(?P<n>a)(?<m>b)", "ab", True),
        ("", "", True),
        ("a||b", "", True),
    ],
)
def test_the_syntax_is_that_of_re2(pattern: str, text: str, matches: bool) -> None:
    assert Regex(pattern).fullmatch(text) is matches


@pytest.mark.parametrize(
    "pattern",
    [
        "(", ")", "a**", "[b-a]", "(?=a)", "(?<=a)", "\\1", "a{1001}", "a{2,1}", "*a", "[[:foo:]]", "\\p{Greek}", "[a",
        "\\", "(?P<n>a", "(?x)a", "((a{100}){100}){100}", "(" * 500 + ")" * 500,
    ],
)  # fmt: skip
def test_what_is_not_of_the_syntax_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        Regex(pattern)


def test_no_pattern_takes_exponential_time() -> None:
    assert not Regex("(a+)+$").fullmatch("a" * 3000 + "b")
    assert not Regex("(a|aa)*b").fullmatch("a" * 3000)


def test_the_operator_keeps_the_shape() -> None:
    x = strings("ab", "b").reshape(2, 1)
    assert run("RegexFullMatch", x, pattern="a.*", types=(bool,)).tolist() == [[True], [False]]
