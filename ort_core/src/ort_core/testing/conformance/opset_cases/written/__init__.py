"""The cases that are written out: every module here has a list `RECIPES`."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from ort_core.testing.conformance.opset_cases.recipe import Recipe

RECIPES: list[Recipe] = [
    recipe for module in pkgutil.iter_modules(__path__, f"{__name__}.") for recipe in import_module(module.name).RECIPES
]
"""All written cases."""
