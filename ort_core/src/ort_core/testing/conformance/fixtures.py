"""The fixtures that tests have while a provider is tested."""

from __future__ import annotations

import pytest

from ort_core.testing.conformance.kit import Kit
from ort_core.testing.conformance.target import Target


@pytest.fixture(scope="session")
def target(pytestconfig: pytest.Config) -> Target:
    """The provider under test."""
    return Kit.of(pytestconfig).target
