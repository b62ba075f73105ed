"""The coordinator's side of worker processes: starting them, asking them one at a time, and the pauses between."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import Any

from ort_core.cli.child import describe_exit, start_child, stop_child

PAUSE_S = 0.05
"""onnxruntime's threads spin for 30 ms after a run."""


class WorkerError(Exception):
    """An engine cannot do what it was asked, or its process ended."""


class Floor:
    """Who may work: one process at a time, and another only after a pause."""

    def __init__(self) -> None:
        self._last: object = None
        self._ended = 0.0

    def take(self, process: object) -> None:
        """Waits until the process before has become quiet."""
        if process is not self._last:
            time.sleep(max(0.0, self._ended + PAUSE_S - time.monotonic()))
        self._last = process

    def leave(self) -> None:
        """The work that began with `take` has ended."""
        self._ended = time.monotonic()


class Process:
    """A child that serves requests; a context manager that ends it."""

    def __init__(self, floor: Floor, title: str, module: str, *arguments: str, threads: int) -> None:
        self.title = title
        self._floor = floor
        environment = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        self._child = start_child(module, *arguments, env={**os.environ, **environment})

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process."""
        stop_child(self._child)
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()

    def ask(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Sends a request and returns the answer.

        Raises:
            WorkerError: the worker answered with an error, or its process ended.
        """
        self._floor.take(self)
        try:
            answer = self._exchange(json.dumps({"action": action, **arguments}), action)
        finally:
            self._floor.leave()
        if "error" in answer:
            raise WorkerError(f"{self.title}: {answer['error']}")
        return answer

    def _exchange(self, request: str, action: str) -> dict[str, Any]:
        stdin, stdout = self._child.stdin, self._child.stdout
        line = ""
        if stdin is not None and stdout is not None:
            try:
                stdin.write(request + "\n")
                stdin.flush()
                line = stdout.readline()
            except BrokenPipeError:
                pass
        if not line:
            raise WorkerError(f"{self.title}: its process {describe_exit(self._child.wait())} ({action}).")
        answer: dict[str, Any] = json.loads(line)
        return answer


@dataclass(frozen=True, slots=True)
class EngineSetup:
    """An engine as the command line asks for it; `providers` are for ort_core."""

    name: str
    providers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """What every engine gets: a model, the file of its feeds, and the number of threads."""

    model: str
    feeds: str
    threads: int


def start_engine(floor: Floor, setup: EngineSetup, task: Task, trace: str = "") -> tuple[Process, dict[str, Any]]:
    """A worker that has loaded the model, and its answer.

    Raises:
        WorkerError: it cannot load the model.
    """
    process = Process(floor, setup.name, "benchmarks.compare.worker", setup.name, threads=task.threads)
    try:
        answer = process.ask(
            "create",
            model=task.model,
            feeds=task.feeds,
            threads=task.threads,
            providers=list(setup.providers),
            trace=trace,
        )
    except BaseException:
        process.close()
        raise
    return process, answer
