"""The hooks that plugins may implement, as pluggy specifications of the project `ort_core`.

Importing this module imports pluggy; `hooks` does so on first need.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

from ort_core.providers.hook_manager import PROJECT
from ort_core.providers.hooks import RunEvent

if TYPE_CHECKING:
    from ort_core.ir.graph import Model
    from ort_core.ir.passes import Level, Pass
    from ort_core.providers.spec import Plugin

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class HookSpecs:
    """What the core asks of every hook module; implementations are marked with `@hookimpl` and may leave out parameters."""

    @hookspec
    def ort_core_register_providers(self) -> Iterable[Plugin]:  # type: ignore[empty-body]
        """Execution providers that are known only at run time; called once."""

    @hookspec
    def ort_core_register_custom_ops(self) -> Iterable[Any]:  # type: ignore[empty-body]
        """Custom operators, in any form that `SessionOptions.register_custom_ops_library` or ort-custom-ops takes."""

    @hookspec
    def ort_core_graph_passes(self, level: Level) -> Iterable[Pass]:  # type: ignore[empty-body]
        """Graph passes to run after the core's own, for sessions that optimise at `level`."""

    @hookspec(firstresult=True)
    def ort_core_load_model(self, source: Any) -> Model | None:
        """The model in another format than ONNX's, or None if `source` (a path or bytes) is not of that format."""

    @hookspec
    def ort_core_session_created(self, session: Any) -> None:
        """A session is ready to run."""

    @hookspec
    def ort_core_session_closed(self, session: Any) -> None:
        """A session was closed."""

    @hookspec
    def ort_core_run_started(self, event: RunEvent) -> None:
        """A run is about to start, in the thread that runs it."""

    @hookspec
    def ort_core_run_finished(self, event: RunEvent) -> None:
        """A run has ended, also by an exception; `event` is the object that `ort_core_run_started` got."""
