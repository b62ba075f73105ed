"""What the contracts share: what the provider claims, and the relay that cuts models into partitions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ort_core.memory.allocator import DeviceRuntime
from ort_core.memory.registry import runtime_for
from ort_core.testing.conformance.contracts.cases import Case
from ort_core.testing.conformance.contracts.claims import Claims
from ort_core.testing.conformance.contracts.relay import relay_provider
from ort_core.testing.conformance.target import Target


@pytest.fixture(scope="session")
def claims(target: Target) -> Claims:
    """What the provider takes of the catalogue."""
    return Claims(target)


@pytest.fixture
def case(request: pytest.FixtureRequest, claims: Claims) -> Case:
    """The case that is the test's parameter, with the element type to test it with."""
    return claims.with_element(request.param)


@pytest.fixture
def sample(claims: Claims) -> Case:
    """A model that the provider takes, a chain of nodes if it can be."""
    return claims.sample


@pytest.fixture
def runtime(claims: Claims) -> DeviceRuntime:
    """The runtime of the provider's device; skips the test if it computes on the host."""
    if claims.device.is_host:
        pytest.skip(f"{claims.target.name} computes on the host")
    return runtime_for(claims.device)


@pytest.fixture
def relay() -> Iterator[None]:
    """The provider that hands tensors on."""
    with relay_provider():
        yield
