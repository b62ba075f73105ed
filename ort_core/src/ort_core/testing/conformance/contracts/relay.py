"""A second provider for the host that only hands tensors on, to cut what the tested provider runs into partitions."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ort_core.enums import GraphOptimizationLevel
from ort_core.options import SessionOptions
from ort_core.providers import registry
from ort_core.providers.kernel import kernel
from ort_core.providers.kernel_provider import KernelProvider
from ort_core.providers.spec import API_VERSION, Plugin, Provider, SessionEnv
from ort_core.testing.conformance.contracts.cases import OPSET
from ort_core.testing.conformance.target import Target

if TYPE_CHECKING:
    from ort_core.session import InferenceSession

NAME = "RelayExecutionProvider"
DOMAIN = "relay"


@kernel("Relay", domain=DOMAIN)
def relay(x: np.ndarray) -> np.ndarray:
    """Y = X, in memory of its own that nothing else refers to."""
    return x.copy()


class RelayPlugin(Plugin):
    """Provides the operator `relay::Relay`."""

    name: ClassVar[str] = NAME
    api: ClassVar[tuple[int, int]] = API_VERSION

    def create(self, options: Any, env: SessionEnv) -> Provider:
        """The provider of one session."""
        return _RelayProvider(NAME, options, env)


class _RelayProvider(KernelProvider):
    kernels = (sys.modules[__name__],)


@contextlib.contextmanager
def relay_provider() -> Iterator[None]:
    """Makes the provider known for the time of a `with` block."""
    registry.register_plugin(RelayPlugin(), distribution="ort_core.testing")
    try:
        yield
    finally:
        registry.unregister_plugin(NAME)


def relayed_model(graph: str) -> bytes:
    """The bytes of a model in ONNX's text format that may use `relay.Relay`."""
    import onnx.parser

    header = f'<ir_version: 10, opset_import: ["" : {OPSET}, "{DOMAIN}" : 1]>'
    model: bytes = onnx.parser.parse_model(f"{header} relayed {graph}").SerializeToString()
    return model


def relayed_session(target: Target, graph: str) -> InferenceSession:
    """A session in which the tested provider runs everything but the relays.

    Raises:
        Declined: the provider does not take a node.
    """
    options = SessionOptions()
    options.graph_optimization_level = GraphOptimizationLevel.ORT_DISABLE_ALL
    return target.session(relayed_model(graph), options, others=[NAME])
