"""The argument checks of `providers` and `provider_options` against onnxruntime's own, in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import warnings

import pytest

from ort_core.providers.arguments import normalize_arguments

pytestmark = pytest.mark.parity

A, B = "CPUExecutionProvider", "AzureExecutionProvider"
CASES = [
    "(None, None)",
    "(None, [{'a': 1}])",
    "([], None)",
    f"(['{A}'], None)",
    f"(('{A}', '{B}'), None)",
    f"(['{A}', '{A}'], None)",
    f"([('{A}', {{'a': 1, 2: True}}), '{B}'], None)",
    f"(['{A}', '{B}'], [{{'a': 1}}, {{}}])",
    f"(('{A}',), ({{}},))",
    f"({{'{A}'}}, None)",
    f"([['{A}', {{}}]], None)",
    f"([('{A}',)], None)",
    f"([('{A}', [])], None)",
    "([1], None)",
    "([None], None)",
    f"(['{A}'], [])",
    f"([('{A}', {{}})], [{{}}])",
    f"(['{A}'], [1])",
    f"(['{A}'], {{}})",
    "(7, None)",
]
WORKER = """
import json, sys, warnings
from onnxruntime.capi.onnxruntime_inference_collection import check_and_normalize_provider_args as check
found = []
for case in json.load(sys.stdin):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            names, options = check(*eval(case), ["CPUExecutionProvider", "AzureExecutionProvider"])
            found.append([dict(zip(names, options)), len(seen)])
        except ValueError:
            found.append("refused")
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def expected() -> list[object]:
    if importlib.util.find_spec("onnxruntime") is None:
        pytest.skip("onnxruntime is not installed")
    done = subprocess.run(
        [sys.executable, "-c", WORKER], input=json.dumps(CASES), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("index", range(len(CASES)), ids=CASES)
def test_arguments_are_taken_and_refused_as_by_onnxruntime(expected, index):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            found = normalize_arguments(*eval(CASES[index]))
        except ValueError:
            assert expected[index] == "refused"
            return
    assert [{k: {o: str(v) for o, v in options.items()} for k, options in found.items()}, len(seen)] == expected[index]
