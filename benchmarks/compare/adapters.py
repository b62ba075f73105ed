"""The engines behind one interface. A worker process uses one of them; each imports its package when it loads a model."""

from __future__ import annotations

import collections
import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

Run = Callable[[Mapping[str, Any]], Any]
"""One run: feeds by name in, a sequence of new numpy arrays out."""


class Adapter(Protocol):
    """An engine with one model."""

    def prepare(self) -> str:
        """Imports the package and returns its version."""

    def load(self, model: str, threads: int, providers: Sequence[str], trace: str) -> None:
        """Makes the model ready; `trace` is the start of the path of a profile, empty for none."""

    def caller(self) -> Run:
        """What one thread calls to run the model."""

    def output_names(self) -> list[str]:
        """The outputs in the order of the results."""

    def describe(self) -> str:
        """What the model runs on, for people."""

    def costs(self, feeds: Mapping[str, Any], runs: int) -> dict[str, Any]:
        """Times of nodes in so many runs: `trace`, the path of a trace, or `nodes`, name, type and seconds for each run."""


class OnnxRuntime:
    """onnxruntime with its default optimisations, on its CPU provider."""

    package = "onnxruntime"

    def prepare(self) -> str:
        """Imports the package."""
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)
        self._package = onnxruntime
        return str(onnxruntime.__version__)

    def load(self, model: str, threads: int, providers: Sequence[str], trace: str) -> None:
        """Creates the session; `trace` is the start of the path of a profile, if one is wanted."""
        self._session = self._open(model, self._options(threads, trace), providers)

    def _options(self, threads: int, trace: str) -> Any:
        options = self._package.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        if trace:
            options.enable_profiling = True
            options.profile_file_prefix = trace
        return options

    def _open(self, model: str, options: Any, providers: Sequence[str]) -> Any:
        return self._package.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def caller(self) -> Run:
        """What a thread calls."""
        return functools.partial(self._session.run, None)

    def output_names(self) -> list[str]:
        """The outputs in the order of the results."""
        return [output.name for output in self._session.get_outputs()]

    def describe(self) -> str:
        """The providers."""
        return ", ".join(self._session.get_providers())

    def costs(self, feeds: Mapping[str, Any], runs: int) -> dict[str, Any]:
        """The path of the trace of so many runs."""
        run = self.caller()
        for _ in range(runs):
            run(feeds)
        return {"trace": self._session.end_profiling()}


class OrtCore(OnnxRuntime):
    """This project, on the providers that are asked for or on those that it chooses."""

    package = "ort_core"

    def prepare(self) -> str:
        """Imports the package."""
        import ort_core

        self._package = ort_core
        return ort_core.__version__

    def _open(self, model: str, options: Any, providers: Sequence[str]) -> Any:
        if not providers:
            return self._package.InferenceSession(model, options)
        return self._package.InferenceSession(model, options, providers=list(providers), on_provider_error="raise")

    def describe(self) -> str:
        """How many nodes run on each provider."""
        counts = collections.Counter(node.provider for node in self._session.explain().nodes)
        return ", ".join(f"{name} {count} nodes" for name, count in counts.most_common())


class OpenVino:
    """OpenVINO's CPU plugin in float32, tuned for latency."""

    package = "openvino"

    def prepare(self) -> str:
        """Imports the package; its telemetry never starts."""
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        import openvino  # type: ignore[import-untyped]

        self._package = openvino
        return str(openvino.__version__).partition("-")[0]

    def load(self, model: str, threads: int, providers: Sequence[str], trace: str) -> None:
        """Compiles the model; its profile needs no path."""
        settings: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if trace:
            settings["PERF_COUNT"] = True
        self._model = self._package.Core().compile_model(model, "CPU", settings)

    def caller(self) -> Run:
        """A request of its own for each thread; inputs are shared with it, outputs copied out of it."""
        infer = self._model.create_infer_request().infer
        outputs = range(len(self._model.outputs))

        def run(feeds: Mapping[str, Any]) -> list[Any]:
            found = infer(feeds, share_inputs=True, share_outputs=False)
            return [found[index] for index in outputs]

        return run

    def output_names(self) -> list[str]:
        """The outputs in the order of the results."""
        # A tensor may have further names; the result node is called after the model's output.
        return [output.node.friendly_name.rpartition("/sink_port_")[0] for output in self._model.outputs]

    def describe(self) -> str:
        """The settings that it took."""
        threads, kind = (self._model.get_property(n) for n in ("INFERENCE_NUM_THREADS", "INFERENCE_PRECISION_HINT"))
        return f"CPU, {threads} threads, {kind.get_type_name()}"

    def costs(self, feeds: Mapping[str, Any], runs: int) -> dict[str, Any]:
        """Seconds of each node, by name and type, for each run."""
        request = self._model.create_infer_request()
        rows = []
        for _ in range(runs):
            request.infer(feeds)
            done = [info for info in request.profiling_info if info.real_time]
            rows.append([(info.node_name, info.node_type, info.real_time.total_seconds()) for info in done])
        return {"nodes": rows}


ADAPTERS: dict[str, Callable[[], Adapter]] = {"ort_core": OrtCore, "onnxruntime": OnnxRuntime, "openvino": OpenVino}
