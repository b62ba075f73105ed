"""How operators compute the types of their outputs, with every check that ONNX's inference makes: a file for each family."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import import_module

from ort_core.infer.direct_rules.common import Rule

FAMILIES = {
    "": (
        "elementwise",
        "products",
        "reshaping",
        "windows",
        "normalization",
        "pieces",
        "reductions",
        "indexing",
        "generators",
        "quantization",
        "images",
        "sequences",
        "text",
    ),
    "ai.onnx.ml": ("ml",),
}
"""The files with the rules of each domain, the most common operators first: what a model does not need is not imported."""


@functools.lru_cache(1024)
def direct_rule(domain: str, op_type: str) -> Rule | None:
    """The rule for the newest version of an operator, if there is one."""
    for family in FAMILIES.get(domain, ()):
        rule = family_rules(family).get(op_type)
        if rule is not None:
            return rule
    return None


@functools.cache
def family_rules(family: str) -> Mapping[str, Rule]:
    """The rules of one file by operator."""
    rules: Mapping[str, Rule] = import_module(f"{__name__}.{family}").RULES
    return rules
