"""The node cases that the `onnx` package ships, declared at every older opset at which they are valid."""

from __future__ import annotations

import re
from collections.abc import Iterator

import onnx

from ort_core.load.opset_rules import RULES
from ort_core.testing.conformance.onnx_cases import Case, load_cases
from ort_core.testing.conformance.opset_cases.case import OpsetCase
from ort_core.testing.conformance.opset_cases.recipe import ir_version
from ort_core.testing.conformance.opset_cases.versions import OperatorVersion, operator_versions

_RANDOM = re.compile(r"test_(bernoulli|training_dropout(?!.*zero_ratio))")
_KINDS = ("node", "simple")


def redeclared_cases() -> Iterator[OpsetCase]:
    """Every node case at the first opset of every version of its operator for which it is valid."""
    versions: dict[tuple[str, str], list[OperatorVersion]] = {}
    for operator in operator_versions():
        versions.setdefault((operator.domain, operator.name), []).append(operator)
    for case in load_cases().values():
        if case.kind not in _KINDS or case.name.endswith("_expanded"):
            continue
        model = onnx.ModelProto.FromString(case.model)
        subject = model.graph.node[-1]
        for operator in versions.get((subject.domain, subject.op_type), ()):
            if not operator.deprecated:
                made = _declare(case, model, operator)
                if made is not None:
                    yield made


def _declare(case: Case, newest: onnx.ModelProto, operator: OperatorVersion) -> OpsetCase | None:
    model = onnx.ModelProto()
    model.CopyFrom(newest)
    declared = 1
    for imported in model.opset_import:
        if imported.domain == operator.domain:
            declared, imported.version = imported.version, operator.opset
    model.ir_version = ir_version(model.opset_import)
    if not _is_valid(model) or not _knows_its_words(model.graph.node[-1], operator):
        return None
    constants = {tensor.name for tensor in model.graph.initializer}
    names = [info.name for info in model.graph.input if info.name not in constants]
    data = case.data[0]
    return OpsetCase(
        name=f"{operator.name}-{operator.opset}-{case.name.removeprefix('test_')}",
        operator=operator,
        opset=operator.opset,
        model=model.SerializeToString(),
        feeds=dict(zip(names, data.inputs, strict=True)),
        expected=data.outputs if _means_the_same(model.graph, operator, declared) else None,
        random=_RANDOM.match(case.name) is not None,
        shipped=True,
    )


def _is_valid(model: onnx.ModelProto) -> bool:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return False
    return True


def _knows_its_words(node: onnx.NodeProto, operator: OperatorVersion) -> bool:
    """Whether the text of the version has the strings among the attributes that the text of the newest version has."""
    older = onnx.defs.get_schema(operator.name, operator.opset, operator.domain)
    newest = onnx.defs.get_schema(operator.name, domain=operator.domain)
    words = [(a.name, a.s.decode()) for a in node.attribute if a.type == onnx.AttributeProto.STRING]
    return all(_mentions(older, *word) or not _mentions(newest, *word) for word in words)


def _mentions(schema: onnx.defs.OpSchema, name: str, word: str) -> bool:
    attribute = schema.attributes.get(name)
    text = f"{schema.doc} {attribute.description if attribute else ''}"
    return re.search(rf"\b{re.escape(word)}\b", text) is not None


def _means_the_same(graph: onnx.GraphProto, operator: OperatorVersion, declared: int) -> bool:
    """Whether no node changed its meaning between the opset of `operator` and the one that ONNX wrote the case for."""
    older, newer = sorted((operator.opset, declared))
    for node in graph.node:
        rules = RULES.get((node.domain, node.op_type), ()) if node.domain == operator.domain else ()
        if any(older < rule.to <= newer for rule in rules):
            return False
        if not all(_means_the_same(a.g, operator, declared) for a in node.attribute if a.HasField("g")):
            return False
    return True
