"""One-node models of every operator for every element type that its schema allows, and what they should give.

The cases are ONNX's own and, for operators that have none, those of `type_sweep_cases`. A case is recast by giving all
inputs of one type constraint another element type. What a narrow type should give is what the widest type of its kind gives
for the same numbers, rounded; the widest itself is held to the results that ONNX declares.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import onnx
from onnx import helper
from onnx.backend.test.case.node import collect_testcases
from reference_helpers import as_value, value_type

import ort_core
from ort_core.ir.proto import type_to_proto
from ort_core.ir.types import ElementType
from ort_core.load.opset import CANONICAL_OPSETS
from ort_core.values import type_of

Key = tuple[str, str]
E = ElementType

FLOATS = [E.DOUBLE, E.FLOAT, E.FLOAT16, E.BFLOAT16, E.FLOAT8E5M2, E.FLOAT8E4M3FN, E.FLOAT8E5M2FNUZ, E.FLOAT8E4M3FNUZ,
          E.FLOAT8E8M0, E.FLOAT4E2M1, E.FLOAT6E2M3, E.FLOAT6E3M2]  # fmt: skip
INTEGERS = [E.INT64, E.INT32, E.INT16, E.INT8, E.UINT64, E.UINT32, E.UINT16, E.UINT8, E.INT4, E.UINT4, E.INT2, E.UINT2]
COMPLEX = [E.COMPLEX128, E.COMPLEX64]
KINDS = [FLOATS, INTEGERS, COMPLEX, [E.BOOL], [E.STRING]]

CASES_PER_OPERATOR = 2


class Case(NamedTuple):
    """A node with inputs, one for each of its input names; None for an absent one."""

    name: str
    node: onnx.NodeProto
    inputs: list[Any]


@functools.cache
def schemas() -> dict[Key, Any]:
    """The schema of every operator at the canonical opset, deprecated ones apart."""
    found: dict[Key, Any] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        key = (schema.domain, schema.name)
        opset = CANONICAL_OPSETS.get(schema.domain)
        if opset is not None and schema.since_version <= opset:
            old = found.get(key)
            if old is None or old.since_version < schema.since_version:
                found[key] = schema
    return {k: s for k, s in found.items() if not s.deprecated}


@functools.cache
def onnx_cases() -> dict[Key, list[Case]]:
    """ONNX's own cases of a single node of the newest version, spread over the attributes that they vary."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collected = collect_testcases(None)
    found: dict[Key, list[Case]] = {}
    for case in collected:
        if len(case.model.graph.node) != 1:
            continue
        node = case.model.graph.node[0]
        opset = next(i.version for i in case.model.opset_import if i.domain == node.domain)
        key = (node.domain, node.op_type)
        schema = schemas().get(key)
        if schema is None or onnx.defs.get_schema(key[1], opset, key[0]).since_version != schema.since_version:
            continue
        feeds = iter(as_value(i) for i in case.data_sets[0][0])
        found.setdefault(key, []).append(Case(case.name, node, [next(feeds) if n else None for n in node.input]))
    return found


def spread(cases: list[Case]) -> list[Case]:
    """Some of the cases, far apart; what reduces over nothing gives a limit of the type and is tested elsewhere."""
    cases = [c for c in cases if "empty_set" not in c.name]
    step = max(1, len(cases) // CASES_PER_OPERATOR)
    return cases[::step][:CASES_PER_OPERATOR]


def element_of(value: Any) -> ElementType | None:
    if isinstance(value, np.ndarray):
        return E.from_dtype(value.dtype)
    return element_of(value[0]) if isinstance(value, list) and value else None


def elements_allowed(schema: Any, constraint: str, container: str = "") -> list[ElementType]:
    """The element types that a type constraint allows, of tensors or in a container such as `seq`. A plain type is itself."""
    allowed = next(
        (c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == constraint), [constraint]
    )
    return [
        e for e in E if (f"{container}(tensor({e.onnx_name}))" if container else f"tensor({e.onnx_name})") in allowed
    ]


def recast(value: Any, element: ElementType) -> Any:
    """The numbers of a value in another element type, moved into its range where they must be."""
    if isinstance(value, list):
        return [recast(v, element) for v in value]
    if not isinstance(value, np.ndarray) or E.from_dtype(value.dtype) is element:
        return value
    return np.asarray(_convert(value, E.from_dtype(value.dtype), element))


def _convert(value: np.ndarray, old: ElementType, element: ElementType) -> Any:
    if element is E.STRING:
        return np.array([str(v) for v in value.reshape(-1)], object).reshape(value.shape)
    if old is E.STRING:
        value = np.array([len(v) for v in value.reshape(-1)], np.int64).reshape(value.shape)
    if element is E.BOOL:
        return np.not_equal(value, 0) if value.dtype.kind == "c" else value.astype(np.float64) > 0
    if element in COMPLEX:
        return (
            value.astype(element.dtype)
            if old in COMPLEX
            else (value.astype(np.float64) * (1 - 0.5j)).astype(element.dtype)
        )
    numbers = value.real if old in COMPLEX else value
    if element in FLOATS:
        return _to_float(numbers.astype(np.float64), element)
    if old in FLOATS or old in COMPLEX:
        numbers = np.rint(np.nan_to_num(numbers.astype(np.float64), posinf=99, neginf=-99) * 3)
    bits, signed = element.bits, not element.name.startswith("U")
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    whole = numbers.astype(np.int64 if old is not E.UINT64 else np.uint64)
    whole = np.clip(whole if signed else np.abs(whole), low if old is not E.UINT64 else 0, min(high, 2**63 - 1))
    return whole.astype(np.int8 if signed and bits < 8 else np.uint8 if bits < 8 else element.dtype).astype(
        element.dtype
    )


def _to_float(numbers: np.ndarray, element: ElementType) -> np.ndarray:
    info = ml_dtypes.finfo(element.dtype)
    if element is E.FLOAT8E8M0:
        numbers = np.abs(numbers)
    finite = np.clip(numbers, float(info.min), float(info.max))
    has_infinity = element in (E.DOUBLE, E.FLOAT, E.FLOAT16, E.BFLOAT16, E.FLOAT8E5M2)
    kept = np.where(np.isinf(numbers), numbers, finite) if has_infinity else finite
    return kept.astype(np.float64 if element is E.DOUBLE else np.float32).astype(element.dtype)


def formals(schema: Any, count: int) -> list[str]:
    """The type constraint of each actual input."""
    types = [i.type_str for i in schema.inputs]
    return [types[min(i, len(types) - 1)] for i in range(count)]


def feeds_of(case: Case, inputs: list[Any]) -> dict[str, Any]:
    return {name: v for name, v in zip(case.node.input, inputs, strict=True) if name}


def run_model(node: onnx.NodeProto, feeds: dict[str, Any], types: dict[str, Any] | None = None) -> list[Any]:
    """The outputs of a session over the node alone, at the canonical opset, the types of its outputs being inferred."""
    infos = [
        helper.make_value_info(name, type_to_proto((types or {}).get(name) or value_type(v)))
        for name, v in feeds.items()
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
    imports = [helper.make_opsetid(d, v) for d, v in CANONICAL_OPSETS.items() if d in ("", node.domain)]
    model = helper.make_model(helper.make_graph([node], "g", infos, outputs), opset_imports=imports, ir_version=13)
    session = ort_core.InferenceSession(model.SerializeToString(), providers=["ReferenceExecutionProvider"])
    results = session.run(None, feeds)
    for meta, result in zip(session.get_outputs(), results, strict=True):
        got = type_of(result)
        holds_maps = "map(" in meta.type
        assert got is None or holds_maps or meta.type in (str(got), f"optional({got})"), (
            f"got {got}, expected {meta.type}"
        )
    return results


EPSILON = {E.DOUBLE: 2.0**-52, E.FLOAT: 2.0**-23, E.FLOAT16: 2.0**-10, E.BFLOAT16: 2.0**-7, E.COMPLEX64: 2.0**-22}


def agrees(got: Any, wide: Any, ulps: float) -> bool:
    """Whether a result is what the widest type gives: rounded to its type, cut to its bits, or exactly."""
    if isinstance(wide, list | dict):
        return len(got) == len(wide) and all(agrees(g, w, ulps) for g, w in zip(got, wide, strict=True))
    if wide is None or got is None:
        return got is wide
    if got.shape != wide.shape:
        return False
    element = E.from_dtype(got.dtype)
    if element in (E.STRING, E.BOOL):
        return np.array_equal(got, wide)
    if element in INTEGERS:
        exact = wide.astype(got.dtype) if element.bits >= 8 and wide.dtype.kind in "iu" else wide
        return np.array_equal(got.astype(np.int64), exact.astype(np.int64))
    number = np.complex128 if element in COMPLEX else np.float64
    with np.errstate(all="ignore"):
        a, b = (
            got.astype(number),
            (wide.astype(number) if element in COMPLEX else wide.astype(got.dtype).astype(number)),
        )
    largest = np.max(np.abs(np.where(np.isfinite(b), b, 0)), initial=0)
    tolerance = ulps * EPSILON.get(element, 0.25)
    return np.allclose(a, b, rtol=tolerance, atol=tolerance * largest, equal_nan=True)
