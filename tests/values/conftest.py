from __future__ import annotations

import fake_runtime
import pytest

from ort_core.errors import InvalidArgument
from ort_core.memory import registry


@pytest.fixture
def fakes(monkeypatch):
    """Two fake devices, `fake:0` and `fake:1`, installed as the only plugin devices."""
    runtimes = {r.device: r for r in (fake_runtime.FakeRuntime(0), fake_runtime.FakeRuntime(1))}
    monkeypatch.setattr(fake_runtime, "FAKES", runtimes)

    def resolve(device):
        runtime = runtimes.get(device._replace(memory="default"))
        if runtime is None:
            raise InvalidArgument(f"no installed provider drives {device}")
        return runtime

    monkeypatch.setattr(registry, "_resolver", resolve)
    monkeypatch.setattr(registry, "_allocators", {})
    return [*runtimes.values()]


@pytest.fixture
def fake(fakes):
    return fakes[0]


@pytest.fixture(autouse=True)
def no_shared_allocators(monkeypatch):
    monkeypatch.setattr(registry, "_allocators", {})
