"""Which versions every ONNX operator has, from the first opset on that ort-core promises to run."""

from __future__ import annotations

import functools
from typing import NamedTuple

import onnx

FIRST_OPSETS = {"": 7, "ai.onnx.ml": 1, "ai.onnx.preview": 1, "ai.onnx.preview.training": 1}
"""The domains of ONNX, each with its oldest opset that the sweep covers."""


class OperatorVersion(NamedTuple):
    """An operator as it is from one opset on, until it changes again.

    Attributes:
        version: the opset at which the operator became what it is.
        opset: the first opset of the sweep at which that holds: `version`, or the oldest opset covered.
        deprecated: the operator ended with this version; no model may use it.
    """

    domain: str
    name: str
    version: int
    opset: int
    deprecated: bool

    @property
    def full_name(self) -> str:
        """Domain and operator as messages print them."""
        return f"{self.domain or 'ai.onnx'}::{self.name}"


@functools.cache
def operator_versions() -> tuple[OperatorVersion, ...]:
    """Every version of every operator that is in force at some opset of the sweep, in order."""
    history: dict[tuple[str, str], dict[int, bool]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        versions = history.setdefault((schema.domain, schema.name), {})
        versions[schema.since_version] = schema.deprecated
    found = []
    for (domain, name), versions in sorted(history.items()):
        first = FIRST_OPSETS[domain]
        oldest = max((version for version in versions if version <= first), default=first)
        for version in sorted(versions):
            if version >= oldest:
                ended = versions[version] and any(earlier < version for earlier in versions)
                found.append(OperatorVersion(domain, name, version, max(version, first), ended))
    return tuple(found)


def in_force(domain: str, name: str, opset: int) -> OperatorVersion:
    """The version of an operator that a model of an opset means; version 1 where only onnxruntime has the operator."""
    versions = [v for v in operator_versions() if (v.domain, v.name) == (domain, name) and v.opset <= opset]
    return versions[-1] if versions else OperatorVersion(domain, name, 1, FIRST_OPSETS[domain], deprecated=False)
