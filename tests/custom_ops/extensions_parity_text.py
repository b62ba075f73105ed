"""Cases of the operators on strings: cutting, joining, comparing, mapping, regular expressions, ragged tensors."""

from __future__ import annotations

import numpy as np

from tests.custom_ops.extensions_parity import Node, scalar, strings

WORDS = strings("Hello", "", "wörld", "日本語", "a\tb c ", "😀 x", "ÀÉÎ")
GRID = strings(["a", "bb", ""], ["ccc", "ß", "é"])
NONE = strings()
SPLITS = np.array([0, 2, 2, 5])
VALUES = np.arange(10, 15)
MAP = "a\t0 0 1 2\nb\t0 1 2 3\nd\t0 1 3 4"
TABLE = {"map": MAP, "unk": "0 0 0 0"}


def _mapped(text: str) -> dict[str, str]:
    return {"map": text, "unk": "0"}


STRINGS = [
    Node("StringUpper", [[WORDS], [GRID], [NONE], [scalar("x")], [strings("straße")]]),
    Node("StringLower", [[WORDS], [GRID], [NONE], [scalar("X")]]),
    Node("StringLength", [[WORDS], [GRID], [NONE], [scalar("é")], [strings("e\u0301")]]),
    Node("StringStrip", [[strings(" a ", "\t\n b\r", "   ", "", "c", "\u00a0d")], [GRID], [NONE]]),
    Node(
        "StringConcat",
        [[WORDS, WORDS], [GRID, GRID], [NONE, NONE], [scalar("a"), scalar("b")], [WORDS, GRID], [strings("a"), WORDS]],
    ),
    Node(
        "StringEqual",
        [
            [WORDS, WORDS],
            [WORDS, WORDS[::-1].copy()],
            [GRID, strings(["a"], ["ccc"])],
            [strings("a"), GRID],
            [WORDS, strings("Hello")],
            [GRID, strings("a", "b", "c")],
        ],
    ),
    Node("StringToHashBucket", [[WORDS, np.array([7])], [GRID, np.array([1000])], [NONE, np.array([3])]]),
    Node("StringToHashBucketFast", [[WORDS, np.array([7])], [GRID, np.array([1000])], [NONE, np.array([3])]]),
    Node(
        "StringJoin",
        [
            [GRID, strings(";"), np.array([1])],
            [GRID, strings(";"), np.array([0])],
            [WORDS, strings("→"), np.array([0])],
            [strings([["a", "b"], ["c", "d"]], [["e", "f"], ["g", "h"]]), strings(""), np.array([1])],
            [scalar("x"), strings("-"), np.array([0])],
            [strings("a"), scalar("-"), scalar(0)],
            [NONE, strings("-"), np.array([0])],
            [GRID, strings(";"), np.array([2])],
            [GRID, strings(";"), np.array([-1])],
        ],
    ),
    Node(
        "StringSplit",
        [
            [strings("a b  c", "", "d"), strings(" "), np.array([True])],
            [strings("a b  c", "", "d"), strings(" "), np.array([False])],
            [strings("a,b;c"), strings(",;"), np.array([True])],
            [strings("ab", "c"), strings(""), np.array([True])],
            [NONE, strings(" "), np.array([True])],
            [GRID, strings(" "), np.array([True])],
        ],
        outputs=3,
    ),
    Node(
        "MaskedFill",
        [
            [strings("a", "é", "c"), np.array([True, True, False])],
            [strings("a"), np.array([False])],
            [NONE, np.array([], bool)],
            [GRID, np.zeros((2, 3), bool)],
            [WORDS, np.array([True])],
        ],
    ),
]

MAPPINGS = [
    Node(
        "StringMapping",
        [[strings("a", "b", "unknown", "")], [GRID], [NONE], [scalar("a")]],
        attributes={"map": "a\tälpha\nb\tx y\nccc\t\u65e5"},
    ),
    Node("StringMapping", [[GRID]], attributes={"map": "a\t1\t2"}),
    Node("StringMapping", [[GRID]]),
    Node(
        "StringToVector", [[strings("a", "d", "e")], [strings(["a"], ["b"])], [NONE], [scalar("b")]], attributes=TABLE
    ),
    Node("StringToVector", [[strings("a")]], attributes={"map": MAP, "unk": "0 0"}),
    Node("StringToVector", [[strings("a")]], attributes={"map": MAP, "unk": "0 0 x 0"}),
    Node("StringToVector", [[strings("a")]], attributes=_mapped("a 1")),
    Node("StringToVector", [[strings("a")]], attributes=_mapped("a\tone")),
    Node(
        "VectorToString",
        [
            [np.array([[0, 0, 1, 2], [0, 1, 3, 4], [0, 0, 0, 0]])],
            [np.array([[[0, 1, 2, 3]]])],
            [np.zeros((0, 4), np.int64)],
            [np.zeros((2, 3), np.int64)],
            [scalar(3)],
        ],
        attributes={"map": MAP, "unk": "unknown ✗"},
    ),
    Node("VectorToString", [[np.array([1, 2, 9])], [scalar(2)]], attributes={"map": "a\t1\nb\t2", "unk": "?"}),
    Node("VectorToString", [[np.array([1])]], attributes={"map": "a\tx", "unk": "?"}),
    Node("VectorToString", [[np.array([1])]], attributes={"map": "a", "unk": "?"}),
]

_CODE = strings("def myfunc():", "def dummy(): def two():", "é def ü():", "")
_FUNCTION = strings(r"def\s+([^\s(]+)\s*\(\s*\):")
REGEXES = [
    Node(
        "StringRegexReplace",
        [
            [_CODE, _FUNCTION, strings(r"static \1(void) {")],
            [GRID, strings("[bc]"), strings("<\\0>")],
            [NONE, strings("a"), strings("b")],
            [strings("日本語"), strings("本"), strings("")],
            [_CODE, strings(""), strings("x")],
            [_CODE, strings("a", "b"), strings("x")],
        ],
    ),
    Node("StringRegexReplace", [[_CODE, _FUNCTION, strings(r"\1")]], attributes={"global_replace": 0}),
    Node(
        "StringECMARegexReplace",
        [
            [_CODE, _FUNCTION, strings("static $1(void) {")],
            [GRID, strings("[bc]"), strings("<$&>")],
            [NONE, strings("a"), strings("b")],
            [_CODE, strings(""), strings("x")],
            [_CODE, strings("("), strings("x")],
        ],
    ),
    Node("StringECMARegexReplace", [[strings("AaA"), strings("a"), strings("b")]], attributes={"ignore_case": 1}),
    Node("StringECMARegexReplace", [[strings("aaa"), strings("a"), strings("b")]], attributes={"global_replace": 0}),
]
REGEXES += [
    Node(
        op,
        [
            [strings("hello there", "a  b", "", "é ü"), strings(r"(\s)"), strings(r"(\s)")],
            [strings("hello there", "a  b"), strings(r"(\s)"), strings("")],
            [strings("a,b;c"), strings("([,;])"), strings("(;)")],
            [NONE, strings(r"(\s)"), strings("")],
        ],
        outputs=4,
    )
    for op in ("StringRegexSplitWithOffsets", "StringECMARegexSplitWithOffsets")
]
REGEXES += [
    Node("StringRegexSplitWithOffsets", [[strings("a b"), strings(r"(\s)"), NONE]], outputs=4),
    Node("StringRegexSplitWithOffsets", [[strings("a b"), strings(""), strings("")]], outputs=4),
    Node("StringRegexSplitWithOffsets", [[strings("a b"), strings("a"), strings("b", "c")]], outputs=4),
    Node(
        "StringECMARegexSplitWithOffsets",
        [[strings("aXbxc"), strings("(x)"), strings("")], [strings("a"), strings("["), strings("")]],
        outputs=4,
        attributes={"ignore_case": 1},
    ),
]

RAGGED = [
    Node("RaggedTensorToSparse", [[SPLITS], [np.array([0])], [np.array([0, 1, 3, 3, 4])], [SPLITS[None]]], outputs=2),
    Node(
        "RaggedTensorToDense",
        [
            [np.array([0]), VALUES, np.array([-1]), SPLITS],
            [np.array([0]), VALUES, np.array([7]), np.array([0, 5])],
            [np.array([0]), VALUES[:0], np.array([7]), np.array([0, 0, 0])],
        ],
    ),
    Node("RaggedTensorToDense", [[np.array([0]), VALUES, np.array([-1]), SPLITS]], attributes={"missing_value": 3}),
    Node(
        "StringRaggedTensorToDense",
        [
            [np.array([0]), strings("a", "é", "", "d", "e"), SPLITS, strings("", "", "", "")],
            [np.array([0]), strings("a", "b"), np.array([0, 2]), strings("", "")],
        ],
    ),
]

NODES = [*STRINGS, *MAPPINGS, *REGEXES, *RAGGED]
