"""The process of one engine: loads a model, and runs it when told to. It imports numpy and that engine alone.

Requests and answers are lines of JSON; arrays travel in files.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import pickle
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.compare.adapters import ADAPTERS, Run

_SAMPLE_S = 200e-6
_IDLE_S = 0.01
_MOST_SINGLE = 20_000


def main(arguments: Sequence[str]) -> None:
    """Serves the engine of that name."""
    serve(Worker(arguments[0]))


def serve(target: object) -> None:
    """Answers requests until there are no more: each names a method of `target` and its arguments."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(target, request.pop("action"))(**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        stream.write(json.dumps(answer) + "\n")
        stream.flush()


class Worker:
    """What an engine can be asked; each public method is a request, and returns the answer. Times are in seconds."""

    def __init__(self, engine: str) -> None:
        self._adapter = ADAPTERS[engine]()
        self._feeds: dict[str, Any] = {}
        self._run: Run

    def create(self, model: str, feeds: str, threads: int, providers: list[str], trace: str) -> dict[str, Any]:
        """Reads the feeds, imports the engine, and loads the model."""
        with open(feeds, "rb") as file:
            self._feeds = pickle.load(file)
        started = time.perf_counter()
        version = self._adapter.prepare()
        imported = time.perf_counter()
        self._adapter.load(model, threads, providers, trace)
        return {"version": version, "import_s": imported - started, "create_s": time.perf_counter() - imported}

    def first(self, outputs: str) -> dict[str, Any]:
        """The first run; the outputs go to a file, in the order of the model, with their names."""
        started = time.perf_counter()
        self._run = self._adapter.caller()
        found = self._run(self._feeds)
        seconds = time.perf_counter() - started
        if outputs:
            with open(outputs, "wb") as file:
                pickle.dump(dict(zip(self._adapter.output_names(), found, strict=True)), file)
        return {"seconds": seconds}

    def describe(self) -> dict[str, Any]:
        """What the engine runs the model on."""
        return {"text": self._adapter.describe()}

    def turn(self, seconds: float) -> dict[str, Any]:
        """Runs for a while. Short runs are measured several at a time; one that is longer than the turn is all of it."""
        run, feeds, clock = self._run, self._feeds, time.perf_counter
        cpu, started = time.process_time(), clock()
        run(feeds)
        warm = clock() - started
        if warm > seconds:
            return {"samples": [warm], "runs": 1, "cpus": (time.process_time() - cpu) / warm}
        started = clock()
        run(feeds)
        count = max(1, math.ceil(_SAMPLE_S / max(clock() - started, 1e-9)))
        samples: list[float] = []
        cpu, begin = time.process_time(), clock()
        while clock() < begin + seconds:
            started = clock()
            for _ in itertools.repeat(None, count):
                run(feeds)
            samples.append((clock() - started) / count)
        cpus = (time.process_time() - cpu) / (clock() - begin)
        return {"samples": samples, "runs": count * len(samples), "cpus": cpus}

    def latency(self, seconds: float) -> dict[str, Any]:
        """Times of single runs one after the other, and of single runs after a pause."""
        run, feeds, clock = self._run, self._feeds, time.perf_counter
        single: list[float] = []
        idle: list[float] = []
        run(feeds)
        end = clock() + seconds
        while (clock() < end and len(single) < _MOST_SINGLE) or not single:
            started = clock()
            run(feeds)
            single.append(clock() - started)
        end = clock() + seconds
        while clock() < end or not idle:
            time.sleep(_IDLE_S)
            started = clock()
            run(feeds)
            idle.append(clock() - started)
        return {"single": single, "idle": idle}

    def callers(self, count: int, seconds: float) -> dict[str, Any]:
        """Runs in so many threads at once."""
        clock = time.perf_counter
        barrier = threading.Barrier(count)
        times: list[list[float]] = [[] for _ in range(count)]
        begins: list[float] = []
        ends: list[float] = []
        errors: list[Exception] = []

        def call(found: list[float]) -> None:
            run, feeds = self._adapter.caller(), self._feeds
            try:
                run(feeds)
                barrier.wait()
                begins.append(clock())
                end = begins[0] + seconds
                while (started := clock()) < end or not found:
                    run(feeds)
                    found.append(clock() - started)
                ends.append(clock())
            except Exception as error:
                errors.append(error)
                barrier.abort()

        threads = [threading.Thread(target=call, args=(found,)) for found in times]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        every = np.concatenate([np.asarray(found) for found in times])
        rate = len(every) / (max(ends) - min(begins))
        p50, p99 = (float(p) for p in np.quantile(every, (0.5, 0.99)))
        return {"runs_per_s": rate, "p50_s": p50, "p99_s": p99, "runs": len(every)}

    def costs(self, runs: int) -> dict[str, Any]:
        """What single nodes cost, as the engine tells it."""
        return self._adapter.costs(self._feeds, runs)

    def memory(self) -> dict[str, Any]:
        """The most memory that this process has had, or None if the system does not tell."""
        return {"peak_bytes": _peak_memory()}


def _peak_memory() -> int | None:
    """`VmHWM` where there is one: `ru_maxrss` of a child starts with the size of its parent."""
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
