"""The rules that bring nodes of older opsets to the canonical one; every module here adds its own to the registry."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from ort_core.load.opset_rules.registry import RULES, Rule, apply_rules, pending, upgrade

__all__ = ["RULES", "Rule", "apply_rules", "pending", "upgrade"]

for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    import_module(_module.name)
