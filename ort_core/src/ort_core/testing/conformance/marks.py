"""Markers that say what a test of the kit is about; the report is made from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

OPERATOR = "ort_operator"
CONTRACT = "ort_contract"


def declare(config: pytest.Config) -> None:
    """Makes the markers known to pytest."""
    config.addinivalue_line("markers", f"{OPERATOR}(name): the operator, such as 'ai.onnx::Add', that a test is about")
    config.addinivalue_line("markers", f"{CONTRACT}(name): the contract of the provider protocol that a test is about")


def operator_of(item: pytest.Item) -> str | None:
    """The operator that a test is about."""
    return _argument(item, OPERATOR)


def contract_of(item: pytest.Item) -> str | None:
    """The contract that a test is about."""
    return _argument(item, CONTRACT)


def _argument(item: pytest.Item, name: str) -> str | None:
    mark = item.get_closest_marker(name)
    return None if mark is None else str(mark.args[0])
