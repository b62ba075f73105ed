"""Cases of BERT's tokenizers and their decoder, with a vocabulary small enough to read."""

from __future__ import annotations

import json

import numpy as np

from tests.custom_ops.extensions_parity import MICROSOFT, TEXTS, Node, scalar, strings

WORDPIECES = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "The", "cat", "##s", "sat", "on", "mat", "sit", "##ting"),
    *("!", ",", "na", "##ive", "##ïve", "cafe", "café", "日", "本", "語", "two", "space", "-", "'", "$", "(", ")", "5"),
]
BERT = {"vocab_file": "\n".join(WORDPIECES)}
_PAIR = strings("the cat sat", "on The mats")
_LONG = strings("the cat sat on the mat " * 3)

BERT_NODES = [
    Node(op, [[strings(text)] for text in TEXTS] + [[scalar("the cat")]], outputs=outputs, attributes=attributes)
    for op, outputs, attributes in [
        ("BertTokenizer", 3, BERT),
        ("BertTokenizer", 4, BERT | {"do_lower_case": 0}),
        ("BertTokenizer", 3, BERT | {"strip_accents": 1, "tokenize_chinese_chars": 0}),
        ("BertTokenizer", 3, BERT | {"do_basic_tokenize": 0}),
        ("BasicTokenizer", 1, {}),
        ("BasicTokenizer", 1, {"do_lower_case": 0, "tokenize_punctuation": 1, "strip_accents": 1}),
        ("BasicTokenizer", 1, {"tokenize_chinese_chars": 0, "remove_control_chars": 0}),
    ]
]
BERT_NODES += [
    Node("BasicTokenizer", [[_PAIR]]),
    Node("BertTokenizer", [[_PAIR], [TEXTS]], outputs=4, attributes=BERT),
    Node("BertTokenizer", [[_LONG], [strings(_LONG[0], _LONG[0])]], outputs=3, attributes=BERT | {"max_length": 8}),
    *(
        Node(
            "BertTokenizer", [[_PAIR]], outputs=3, attributes=BERT | {"max_length": 7, "truncation_strategy_name": name}
        )
        for name in ("longest_first", "only_first", "only_second", "longest_from_back")
    ),
    Node("BertTokenizer", [[_PAIR]], outputs=3),
    Node("BertTokenizer", [[_PAIR]], outputs=3, attributes={"vocab_file": "the\ncat"}),
    Node("HfBertTokenizer", [[_PAIR], [strings("", "")], [TEXTS]], outputs=2, attributes=BERT),
    Node("HfBertTokenizer", [[_PAIR]], outputs=4, attributes=BERT),
    Node("HfBertTokenizer", [[_PAIR]], outputs=3, attributes=BERT, domain=MICROSOFT),
]

_IDS = np.array([2, 5, 7, 8, 9, 14, 3, 99, -1, 0, 29, 31, 30])
BERT_NODES += [
    Node(
        "BertTokenizerDecoder",
        [[_IDS, np.zeros((0, 2), np.int64)], [_IDS[None], np.zeros((0, 2), np.int64)], [_IDS.reshape(13, 1), _IDS]],
        attributes=BERT | attributes,
    )
    for attributes in ({}, {"skip_special_tokens": 1}, {"clean_up_tokenization_spaces": 0})
]
BERT_NODES += [
    Node(
        "BertTokenizerDecoder",
        [[_IDS, np.array([[1, 3], [3, 6], [2, 2]])], [_IDS, np.zeros((0, 2), np.int64)], [_IDS, np.array([1, 2])]],
        attributes=BERT | {"use_indices": 1},
    ),
]

_WORDPIECE = {"vocab": json.dumps({w: i for i, w in enumerate(WORDPIECES)}), "suffix_indicator": "##"}
WORDPIECE_NODES = [
    Node(
        "WordpieceTokenizer",
        [
            [strings("the", "cats", "sitting", "dog", "日本"), np.array([0, 2, 4])],
            [strings("the cats", "", "sitting x"), np.array([], np.int64)],
            [strings(), np.array([], np.int64)],
        ],
        outputs=4,
        attributes=_WORDPIECE | attributes,
    )
    for attributes in ({"unknown_token": "[UNK]"}, {"unknown_token": "?", "max_input_chars_per_word": 4})
]
WORDPIECE_NODES += [
    Node("WordpieceTokenizer", [[TEXTS, np.array([0])]], outputs=4, attributes=_WORDPIECE),
    Node(
        "WordpieceTokenizer",
        [[TEXTS, np.array([0])]],
        outputs=4,
        attributes=_WORDPIECE | {"vocab": "{", "unknown_token": ""},
    ),
]

NODES = [*BERT_NODES, *WORDPIECE_NODES]
