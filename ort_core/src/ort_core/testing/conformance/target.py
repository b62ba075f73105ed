"""The provider under test, and sessions in which no other provider computes anything."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ort_core.errors import NotImplemented as NoKernel
from ort_core.providers.names import CPU

if TYPE_CHECKING:
    from ort_core.options import SessionOptions
    from ort_core.session import InferenceSession


class Declined(NoKernel):
    """The provider does not take a node of the model; a test that lets it through counts as declined, not as failed."""


@dataclass(frozen=True)
class Target:
    """A provider with the options that it is tested with.

    Attributes:
        claimed: the operators that it computes in the sessions so far, such as `ai.onnx::Add`, also under the names that they
            had in the model before it was brought to one opset.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set, compare=False, repr=False)

    def session(
        self, model: Any, sess_options: SessionOptions | None = None, *, others: Sequence[str] = (), **kwargs: Any
    ) -> InferenceSession:
        """A session on this provider alone.

        Args:
            model: a path, the bytes of a model, or an `onnx.ModelProto`.
            others: providers that take what this one declines.
            kwargs: further arguments of `InferenceSession`.

        Raises:
            Declined: the provider declines a node. A provider that claims nodes and then fails raises something else.
        """
        from ort_core.options import SessionOptions
        from ort_core.session import InferenceSession

        options = SessionOptions() if sess_options is None else sess_options.copy()
        for key, value in self._alone.items():
            options.add_session_config_entry(key, value)
        try:
            providers = [*self._provider, *others]
            session = InferenceSession(model, options, providers, on_provider_error="raise", **kwargs)
        except NoKernel as error:
            raise Declined(*error.args) from error
        for node in session.explain().nodes:
            if node.provider == self.name:
                self.claimed.update({f"{node.domain}::{node.op_type}", node.original.rpartition("-")[0]} - {""})
        return session

    def check(self) -> None:
        """Starts the provider once.

        Raises:
            InvalidArgument: there is no such provider, or its options are wrong.
            EPFail: it cannot work here.
        """
        from ort_core.providers.selection import create_providers, resolve_providers
        from ort_core.providers.spec import SessionEnv

        selection = resolve_providers(self._provider, None, self._alone, on_provider_error="raise")
        for provider in create_providers(selection, SessionEnv(self._alone)):
            provider.close()

    @property
    def _provider(self) -> list[str | tuple[str, Mapping[str, Any]]]:
        return [(self.name, self.options)]

    @property
    def _alone(self) -> dict[str, str]:
        """The configuration that leaves no other provider to fall back to."""
        return {f"session.disable_{'reference_fallback' if self.name == CPU else 'cpu_ep_fallback'}": "1"}


@contextlib.contextmanager
def open_target(text: str) -> Iterator[tuple[Target, Callable[[], None]]]:
    """The provider that `NAME:key=value,...` names, and what to call after each test to see the rules that it broke.

    `FakeDeviceExecutionProvider` is provided for the time of the `with` block.

    Raises:
        InvalidArgument: the text is malformed, there is no such provider, or its options are wrong.
        EPFail: the provider cannot work here.
    """
    from ort_core.providers.arguments import parse_provider
    from ort_core.testing.fake import FakeDeviceControl, fake_device

    target = Target(*parse_provider(text))
    if target.name != FakeDeviceControl.name:
        target.check()
        yield target, lambda: None
        return
    with fake_device(check=False) as control:
        target.check()

        def check() -> None:
            try:
                control.check()
            finally:
                control.reset()

        yield target, check
