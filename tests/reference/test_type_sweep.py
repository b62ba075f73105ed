"""Every operator, for every element type that its schema allows: exact types and shapes, values as the widest type gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from type_sweep import (
    KINDS,
    Case,
    E,
    Key,
    agrees,
    elements_allowed,
    feeds_of,
    formals,
    onnx_cases,
    recast,
    run_model,
    schemas,
    spread,
)
from type_sweep_cases import COMPUTING, ELSEWHERE, HAND_CASES, HAND_ONLY, ONLY_TYPES, TYPES_TOGETHER, ULPS, UNTESTABLE


def cases_of(key: Key) -> list[Case]:
    hand = [c for c in HAND_CASES if (c.node.domain, c.node.op_type) == key]
    return hand if key[1] in HAND_ONLY else hand + spread(onnx_cases().get(key, []))


SWEPT = sorted(key for key in schemas() if key not in ELSEWHERE)


def container(value: Any) -> str:
    return "seq" if isinstance(value, list) else ""


def computes(case: Case) -> bool:
    """Whether a node of an operator that may just move elements calculates with them, which strings do not allow."""
    return any(a.s in COMPUTING.get((case.node.op_type, a.name), ()) for a in case.node.attribute)


def combinations(key: Key, case: Case) -> list[tuple[str, E, E]]:
    """The constraints of a case's inputs with each element type, and the widest of its kind."""
    schema, found = schemas()[key], []
    constraints = formals(schema, len(case.inputs))
    for constraint in dict.fromkeys(constraints):
        value = next(
            (v for v, f in zip(case.inputs, constraints, strict=True) if f == constraint and v is not None), None
        )
        if value is None:
            continue
        allowed = elements_allowed(schema, constraint, container(value))
        for kind in KINDS:
            wide = next((e for e in kind if e in allowed), None)
            found += [(constraint, e, wide) for e in kind if e in allowed and wide is not None]
    return found


def recast_some(inputs: list[Any], chosen: list[bool], element: E) -> list[Any]:
    return [recast(v, element) if choose else v for v, choose in zip(inputs, chosen, strict=True)]


def shown(value: Any) -> str:
    return f"{value.shape} {value.reshape(-1)[:6].tolist()}" if isinstance(value, np.ndarray) else str(value)


@pytest.mark.parametrize("key", SWEPT, ids="::".join)
def test_every_allowed_type(key: Key) -> None:
    problems = []
    tested = 0
    for case in cases_of(key):
        constraints = formals(schemas()[key], len(case.inputs))
        for constraint, element, wide in combinations(key, case):
            if (key[1], element) in UNTESTABLE or (element is E.STRING and computes(case)):
                continue
            together = [f in TYPES_TOGETHER.get(key, (constraint,)) for f in constraints]
            narrow = recast_some(case.inputs, together, element)
            label = f"{case.name} {constraint}={element.onnx_name}"
            try:
                results = run_model(case.node, feeds_of(case, narrow))
                tested += 1
                if wide is element or {(key[1], constraint), (key[1], "*")} & ONLY_TYPES.keys():
                    continue
                expected = run_model(case.node, feeds_of(case, recast_some(narrow, together, wide)))
            except Exception as error:
                problems.append(f"{label}: {type(error).__name__}: {error}")
                continue
            for got, exact in zip(results, expected, strict=True):
                if not agrees(got, exact, ULPS.get(key[1], 4)):
                    problems.append(f"{label}: got {shown(got)}, expected {shown(exact)}")
    assert not problems, "\n".join(problems)
    assert tested


def test_every_operator_is_swept_or_has_its_types_tested_elsewhere() -> None:
    without_cases = [key for key in SWEPT if not cases_of(key)]
    assert not without_cases
    assert not ELSEWHERE.keys() - schemas().keys()
