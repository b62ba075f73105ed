"""Less used methods of ONNX Runtime's sessions: vectors of values, values on the session's device, requests to providers."""

from __future__ import annotations

from collections.abc import Mapping, MutableSequence, Sequence
from typing import TYPE_CHECKING, Any

from ort_core.errors import InvalidArgument
from ort_core.errors import NotImplemented as NotImplementedByProvider

if TYPE_CHECKING:
    from ort_core.live import LiveModel
    from ort_core.memory.memory_info import OrtDeviceVendorId
    from ort_core.options import RunOptions
    from ort_core.ort_value import OrtValue


class NativeMethods:
    """What `InferenceSession` has for programs that were written against ONNX Runtime's less used methods."""

    def _live(self) -> LiveModel:
        raise NotImplementedError

    def run_with_ort_values(
        self,
        output_names: Sequence[str] | None,
        input_dict_ort_values: Mapping[str, OrtValue],
        run_options: RunOptions | None = None,
    ) -> list[OrtValue]:
        """As `InferenceSession.run_with_ort_values`."""
        raise NotImplementedError

    def run_with_ortvaluevector(
        self,
        run_options: RunOptions | None,
        feed_names: Sequence[str],
        feeds: Sequence[OrtValue],
        fetch_names: Sequence[str],
        fetches: MutableSequence[OrtValue],
        fetch_devices: Sequence[Any],
    ) -> None:
        """As `run_with_ort_values`, with the results appended to `fetches`, where they were computed.

        Raises:
            InvalidArgument: there is not one value for each name.
        """
        if len(feed_names) != len(feeds):
            raise InvalidArgument(
                f"run_with_ortvaluevector got {len(feed_names)} names of inputs and {len(feeds)} values"
            )
        results = self.run_with_ort_values(fetch_names, dict(zip(feed_names, feeds, strict=True)), run_options)
        fetches[:] = results

    def create_ortvalue_from_shape_and_type(
        self,
        shape: Sequence[int],
        element_type: Any,
        device_type: str,
        device_id: int = 0,
        vendor_id: int | OrtDeviceVendorId = -1,
    ) -> OrtValue:
        """An uninitialised tensor on a device; see `OrtValue.ortvalue_from_shape_and_type`."""
        from ort_core.ort_value import OrtValue

        return OrtValue.ortvalue_from_shape_and_type(shape, element_type, device_type, device_id, vendor_id)

    def set_ep_dynamic_options(self, options: Mapping[str, str]) -> None:
        """Passes options to the providers while the session lives; those that have none ignore them.

        Raises:
            InvalidArgument: there are no options.
        """
        if not options:
            raise InvalidArgument("set_ep_dynamic_options takes at least one option, got none")
        self._request_of_providers("set_dynamic_options", {"options": dict(options)})

    def release_captured_graph(self, graph_annotation_id: int = 0) -> None:
        """Lets providers forget a captured graph; those that capture none ignore it."""
        self._request_of_providers("release_captured_graph", {"graph_annotation_id": int(graph_annotation_id)})

    def get_tuning_results(self) -> list[dict[str, Any]]:
        """What providers have tuned, one entry for each that tunes."""
        return [answer for answer in self._request_of_providers("get_tuning_results", {}) if answer]

    def set_tuning_results(self, results: Sequence[Mapping[str, Any]], *, error_on_invalid: bool = False) -> None:
        """Gives tuned parameters to the providers.

        Raises:
            InvalidArgument: no provider takes an entry, and `error_on_invalid` is set.
        """
        for entry in results:
            taken = self._request_of_providers("set_tuning_results", {"results": dict(entry)})
            if error_on_invalid and not any(taken):
                raise InvalidArgument(f"no provider of the session takes the tuning results of {entry.get('ep')!r}")

    def _request_of_providers(self, request: str, arguments: Mapping[str, Any]) -> list[Any]:
        answers = []
        for provider in self._live().providers:
            try:
                answers.append(provider.control(request, arguments))
            except NotImplementedByProvider:
                continue
        return answers
