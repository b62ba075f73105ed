"""What the models of the sweep are derived from: ONNX's node cases, and cases of the opset sweep where ONNX has none."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ort_core.ir.schema import operator_schema
from ort_core.ir.types import ElementType
from ort_core.testing.conformance.dtypes.values import type_text
from ort_core.testing.conformance.dtypes.variants import swept_schemas
from ort_core.testing.conformance.onnx_cases import load_cases

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True, eq=False)
class Base:
    """A node with values for its inputs.

    Attributes:
        types: of the inputs, as schemas write them.
        values: of the inputs; both by the names in `node`.
    """

    node: onnx.NodeProto
    types: Mapping[str, str]
    values: Mapping[str, Any]


@functools.cache
def bases() -> dict[tuple[str, str], list[Base]]:
    """The bases of each operator, by domain and name."""
    found: dict[tuple[str, str], list[Base]] = {}
    for model, values in _models():
        node = model.graph.node[0]
        key = node.domain, node.op_type
        opset = next((i.version for i in model.opset_import if i.domain == node.domain), 1)
        newest, own = swept_schemas().get(key), operator_schema(node.op_type, node.domain, opset)
        if newest is not None and own is not None and own.since_version == newest.since_version:
            base = _base(model.graph, values)
            if base is not None:
                found.setdefault(key, []).append(base)
    return found


def _models() -> Iterator[tuple[onnx.ModelProto, Sequence[Any]]]:
    import onnx

    from ort_core.testing.conformance.dtypes.recipes import RECIPES
    from ort_core.testing.conformance.opset_cases.written import RECIPES as OPSET_RECIPES

    for case in load_cases().values():
        if case.kind == "node" and case.operator is not None:
            yield onnx.ModelProto.FromString(case.model), case.data[0].inputs
    for recipe in (*RECIPES, *OPSET_RECIPES):
        model, feeds = recipe.model(recipe.opsets[-1])
        if len(model.graph.node) == 1:
            yield model, list(feeds.values())


def _base(graph: onnx.GraphProto, values: Sequence[Any]) -> Base | None:
    from onnx import numpy_helper

    node = graph.node[0]
    types = {info.name: type_text(info.type) for info in graph.input}
    found = dict(zip((info.name for info in graph.input), values, strict=True))
    for tensor in graph.initializer:
        found[tensor.name] = numpy_helper.to_array(tensor)
        types[tensor.name] = f"tensor({ElementType(tensor.data_type).onnx_name})"
    names = {name for name in node.input if name}
    if any(name not in found or found[name] is None for name in names):
        return None
    return Base(node, {n: types[n] for n in names}, {n: found[n] for n in names})
