"""The sweep over element types: one model for each operator, type variable and type that the operator's schema allows."""

from __future__ import annotations

from ort_core.testing.conformance.dtypes.models import DtypeModel, dtype_model
from ort_core.testing.conformance.dtypes.variants import Variant, variants

__all__ = ["DtypeModel", "Variant", "dtype_model", "variants"]
