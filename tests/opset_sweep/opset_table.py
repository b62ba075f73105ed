"""Writes docs/opsets.md from what the opset sweep compares with: `python tests/opset_sweep/opset_table.py`."""

import tempfile
from collections import Counter, defaultdict
from importlib.metadata import version
from pathlib import Path

from opset_differences import DIFFERENCES
from opset_oracles import DEFINITION, ONNX, ONNXRUNTIME, find_oracles

from ort_core.load.opset import CANONICAL_OPSETS
from ort_core.testing.conformance.opset_cases import operator_versions, opset_cases

PAGE = Path(__file__).parents[2] / "docs" / "opsets.md"

DEPRECATED = "deprecated"

_PAGE = """# Opsets

A model of any opset from 1 on can be loaded. Its nodes are brought to one opset, {canonical}, before anything else looks at
them: kernels, optimisations and providers know one version of each operator. Where an operator changed its meaning, a rule
rewrites the node: an attribute becomes an input, a Softmax of opset 11 works on a matrix, Scan of opset 8 becomes a loop over
the batch. Bodies of If, Loop and Scan are covered, and functions, each from the opset that it imports itself. What a model
asked for is kept: error messages and `session.explain()` name the operator and opset of the file. A node that cannot be
expressed any more raises `NotImplemented` when the session is created, and says why.

The table below is what the tests verify: a model at the opset where each version begins, on the reference provider, compared
in types, shapes and values; and where its inputs are floats, once more in each type from float16 to uint64 that the version
allows and onnxruntime computes. The conformance kit runs the same {cases:,} models on any provider (`test_opsets.py`).

| compared with | versions | when |
| --- | ---: | --- |
| onnxruntime {onnxruntime} | {by_onnxruntime} | it has a kernel |
| ONNX {onnx} | {by_onnx} | onnxruntime has no kernel; a case of ONNX's own that means the same at that version |
| definition | {by_definition} | neither; of random numbers only types and shapes |
| deprecated | {deprecated} | the operator ended with that version |

A version is the opset at which the operator changed. The one that was in force at opset 7 is the first.
{tables}
## Operators of onnxruntime's own

onnxruntime has operators in ONNX's domain at opsets where ONNX does not have them. They give its results:

{own}

## Where onnxruntime differs

In these test cases of ONNX onnxruntime {onnxruntime} gives something else than ONNX states. We follow ONNX.

| case | what onnxruntime does |
| --- | --- |
{differences}
"""

_TABLE = """
## {}

| operator | compared with onnxruntime | otherwise |
| --- | --- | --- |
{}
"""


def table_page(oracles):
    """The text of the page."""
    sources = _sources(oracles)
    counts = Counter(sources[operator] for operator in operator_versions())
    own = defaultdict(set)
    for case in opset_cases():
        if case.operator not in sources:
            own[case.operator.name].add(case.opset)
    return _PAGE.format(
        canonical=CANONICAL_OPSETS[""],
        cases=len(opset_cases()),
        onnxruntime=version("onnxruntime"),
        onnx=version("onnx"),
        by_onnxruntime=counts[ONNXRUNTIME],
        by_onnx=counts[ONNX],
        by_definition=counts[DEFINITION],
        deprecated=counts[DEPRECATED],
        tables="".join(_TABLE.format(domain or "ai.onnx", _rows(domain, sources)) for domain in CANONICAL_OPSETS),
        own=", ".join(f"{name} ({', '.join(map(str, sorted(opsets)))})" for name, opsets in sorted(own.items())),
        differences="\n".join(f"| {case} | {reason} |" for case, reason in sorted(DIFFERENCES.items())),
    )


def _sources(oracles):
    """What each version of an operator is compared with."""
    found = defaultdict(set)
    for case in opset_cases():
        if case.opset == case.operator.opset:
            found[case.operator].add(oracles[case.name].source)
    return {
        operator: DEPRECATED if operator.deprecated else min(found[operator], key=[ONNXRUNTIME, ONNX, DEFINITION].index)
        for operator in operator_versions()
    }


def _rows(domain, sources):
    rows = []
    versions = defaultdict(lambda: defaultdict(list))
    for operator, source in sources.items():
        if operator.domain == domain:
            versions[operator.name][source].append(str(operator.version))
    for name, found in versions.items():
        others = [f"{source} {' '.join(found[source])}" for source in (ONNX, DEFINITION, DEPRECATED) if found[source]]
        rows.append(f"| {name} | {' '.join(found[ONNXRUNTIME])} | {', '.join(others)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(table_page(find_oracles(Path(folder))), encoding="utf-8")
