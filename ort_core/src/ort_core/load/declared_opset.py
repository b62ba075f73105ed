"""Which opsets and IR version a saved model declares: old ones, so that other runtimes read it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ort_core.ir.graph import Model
from ort_core.ir.schema import operator_signature
from ort_core.load.opset import CANONICAL_OPSETS


@contextlib.contextmanager
def older_declaration(model: Model, ir_version: int) -> Iterator[None]:
    """While it lasts, a model of the canonical opsets declares older ones that mean the same.

    For each standard domain that is the opset of the newest operator version in the model, or the one that the file
    declared, if that is newer.

    Args:
        ir_version: what the file declared; raised only as far as the opsets need it.
    """
    bodies = [model.opset_imports, *(f.opset_imports for f in model.functions.values())]
    before = [dict(imports) for imports in bodies]
    header = model.header
    declared_before = header.ir_version
    older = _needed_opsets(model)
    try:
        for imports in bodies:
            imports.update({domain: older[domain] for domain in imports if domain in older})
        header.ir_version = max(ir_version, _ir_version_for(model.opset_imports))
        yield
    finally:
        for imports, known in zip(bodies, before, strict=True):
            imports.update(known)
        header.ir_version = declared_before


def _needed_opsets(model: Model) -> dict[str, int]:
    canonical = {d: v for d, v in model.opset_imports.items() if CANONICAL_OPSETS.get(d) == v}
    needed = {d: min(model.original_opsets.get(d, 1), v) for d, v in canonical.items()}
    for graph in model.graphs():
        for node in graph.nodes:
            if node.domain in needed:
                signature = operator_signature(node.op_type, node.domain, canonical[node.domain])
                if signature is not None:
                    needed[node.domain] = max(needed[node.domain], signature.since_version)
    return needed


def _ir_version_for(imports: dict[str, int]) -> int:
    from onnx import helper

    opsets = [helper.make_opsetid(domain, version) for domain, version in imports.items()]
    return helper.find_min_ir_version_for(opsets, ignore_unknown=True)
