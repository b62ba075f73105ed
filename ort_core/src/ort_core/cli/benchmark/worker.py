"""The child process of one engine: creates a session, runs it when told to, and measures.

Requests and answers are lines of JSON; arrays travel in files.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import pickle
import sys
import time
from collections.abc import Sequence
from typing import Any

from ort_core.cli.child import take_stdout

_SAMPLE_S = 50e-6


def main(_arguments: Sequence[str]) -> None:
    """Answers requests until there are no more."""
    stream = take_stdout()
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        action = getattr(worker, request.pop("action"))
        try:
            answer = action(**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        stream.write(json.dumps(answer) + "\n")
        stream.flush()


class Worker:
    """What an engine can be asked to do; each method is a request, and returns the answer."""

    def __init__(self) -> None:
        self._session: Any = None
        self._feeds: dict[str, Any] = {}

    def create(
        self,
        package: str,
        model: str,
        providers: list[str],
        provider_options: list[dict[str, str]],
        threads: int,
        profile_prefix: str,
    ) -> dict[str, Any]:
        """Imports `package` (this one or onnxruntime) and creates a session."""
        started = time.perf_counter()
        ort = importlib.import_module(package)
        imported = time.perf_counter()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        if profile_prefix:
            options.enable_profiling = True
            options.profile_file_prefix = profile_prefix
        settings: dict[str, Any] = {}
        if package == "ort_core":
            settings["on_provider_error"] = "raise"
        else:
            usable = [name for name in providers if name in ort.get_available_providers()]
            provider_options = [{} for _ in usable]
            providers = usable or ["CPUExecutionProvider"]
        if providers:
            settings["providers"] = providers
            settings["provider_options"] = provider_options or None
        self._session = ort.InferenceSession(model, options, **settings)
        created = time.perf_counter()
        return {
            "version": ort.__version__,
            "providers": self._session.get_providers(),
            "import_s": imported - started,
            "create_s": created - imported,
        }

    def first(self, feeds: str, results: str) -> dict[str, Any]:
        """Runs for the first time on the feeds of one file, and writes the outputs to another."""
        with open(feeds, "rb") as file:
            self._feeds = pickle.load(file)
        started = time.perf_counter()
        outputs = self._session.run(None, self._feeds)
        seconds = time.perf_counter() - started
        named = dict(zip((o.name for o in self._session.get_outputs()), outputs, strict=True))
        with open(results, "wb") as file:
            pickle.dump(named, file)
        return {"seconds": seconds}

    def repeat(self, runs: int, seconds: float) -> dict[str, Any]:
        """Runs `runs` times, or for `seconds` if that is 0. Very short runs are measured several at a time.

        Returns:
            `times`: seconds for one run, for each sample; `per_sample`: runs in a sample.
        """
        run, feeds, clock = self._session.run, self._feeds, time.perf_counter
        per_sample = 1
        if not runs:
            started = clock()
            run(None, feeds)
            per_sample = max(1, math.ceil(_SAMPLE_S / max(clock() - started, 1e-9)))
        times: list[float] = []
        end = clock() + seconds
        while len(times) < runs if runs else not times or clock() < end:
            started = clock()
            for _ in range(per_sample):
                run(None, feeds)
            times.append((clock() - started) / per_sample)
        return {"times": times, "per_sample": per_sample}

    def peak_memory(self) -> dict[str, Any]:
        """The most memory that this process has had, or None if the system does not tell."""
        return {"size_bytes": _peak_memory()}

    def end_profiling(self) -> dict[str, Any]:
        """Writes the profile."""
        return {"path": self._session.end_profiling()}


def _peak_memory() -> int | None:
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
