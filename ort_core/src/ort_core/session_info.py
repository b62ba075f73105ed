"""What a session tells: its inputs and outputs, metadata, options, providers and where its nodes run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ort_core.metadata import ModelMetadata, NodeArg
from ort_core.providers.options import format_options

if TYPE_CHECKING:
    from ort_core.ep_assignment import OrtEpAssignedSubgraph
    from ort_core.explain.report import PlacementReport
    from ort_core.live import LiveModel
    from ort_core.memory.memory_info import OrtMemoryInfo
    from ort_core.options import SessionOptions
    from ort_core.prepare import ModelInterface
    from ort_core.providers.selection import Selection


class SessionInfo:
    """The part of `InferenceSession` that runs nothing."""

    _active: list[str]
    _interface: ModelInterface
    _options: SessionOptions
    _selection: Selection

    def _live(self) -> LiveModel:
        raise NotImplementedError

    def get_inputs(self) -> list[NodeArg]:
        """The inputs that must be fed."""
        return [NodeArg(i.name, i.type) for i in self._interface.inputs]

    def get_outputs(self) -> list[NodeArg]:
        """The outputs, in the order in which `run(None, ...)` returns them."""
        return [NodeArg(o.name, o.type) for o in self._interface.outputs]

    def get_overridable_initializers(self) -> list[NodeArg]:
        """Initializers that a feed may replace."""
        return [NodeArg(i.name, i.type) for i in self._interface.overridable]

    def get_modelmeta(self) -> ModelMetadata:
        """The model's descriptive fields."""
        return self._interface.metadata

    def get_session_options(self) -> SessionOptions:
        """A copy of the options that the session was created with."""
        return self._options.copy()

    def get_providers(self) -> list[str]:
        """The providers in use, in priority order."""
        return list(self._active)

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        """The options in force for each provider."""
        return {name: self._provider_settings(name) for name in self._active}

    def _provider_settings(self, name: str) -> dict[str, str]:
        resolved = next((r for r in self._selection.providers if r.name == name), None)
        return {} if resolved is None else format_options(resolved.options)

    @property
    def provider_status(self) -> dict[str, str]:
        """`ok`, or why not and what to do, for each provider that was asked for or would be used if it worked."""
        return dict(self._selection.status)

    def explain(self) -> PlacementReport:
        """Where each node runs and why other providers declined it: `print` it, or ask it for JSON."""
        from ort_core.explain.collect import placement_report

        return placement_report(self._live().built, self.get_providers(), self.provider_status)

    def get_provider_graph_assignment_info(self) -> list[OrtEpAssignedSubgraph]:
        """The partitions with their providers and nodes; `explain` tells more."""
        from ort_core.ep_assignment import assigned_subgraphs

        return assigned_subgraphs(self.explain())

    def get_input_memory_infos(self) -> list[OrtMemoryInfo]:
        """The memory that each input is taken from without a copy."""
        from ort_core.ep_assignment import input_devices, memory_info_of

        compiled = self._live().built.compiled
        devices = {v.name: d for v, d in zip(compiled.graph.inputs, input_devices(compiled), strict=True)}
        return [memory_info_of(devices[i.name]) for i in self._interface.inputs]

    def get_output_memory_infos(self) -> list[OrtMemoryInfo]:
        """The memory that each output is computed in."""
        from ort_core.ep_assignment import memory_info_of

        return [memory_info_of(device) for device in self._live().built.runnable.output_homes]
