"""The engines of one case, each loaded in its process, asked in turns; one that fails drops out with its reason."""

from __future__ import annotations

import contextlib
import pickle
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.compare.process import EngineSetup, Floor, Process, Task, WorkerError, start_engine
from benchmarks.compare.results import EngineResult
from benchmarks.compare.subjects import Subject


@dataclass(slots=True)
class Engines:
    """Loaded engines.

    Attributes:
        results: of all that were asked for, in that order.
        running: those that have not failed.
        outputs: of the first run, by engine and output.
    """

    floor: Floor
    task: Task
    folder: Path
    results: dict[str, EngineResult]
    running: dict[str, Process]
    outputs: dict[str, dict[str, Any]]

    def ask(self, round_number: int, action: str, **arguments: Any) -> Iterator[tuple[EngineResult, dict[str, Any]]]:
        """Asks each running engine in turn; each round begins with another of them."""
        names = list(self.running)
        turn = round_number % max(len(names), 1)
        for name in names[turn:] + names[:turn]:
            try:
                answer = self.running[name].ask(action, **arguments)
            except WorkerError as error:
                self.results[name].error = str(error)
                self.running.pop(name).close()
            else:
                yield self.results[name], answer


@contextlib.contextmanager
def load_engines(
    floor: Floor, setups: Sequence[EngineSetup], subject: Subject, threads: int, *, trace: bool = False
) -> Iterator[Engines]:
    """Starts a process for each engine, loads the model there and runs it once."""
    with tempfile.TemporaryDirectory(prefix="ort-compare-") as name:
        folder = Path(name)
        feeds = folder / "feeds"
        feeds.write_bytes(pickle.dumps(subject.feeds))
        task = Task(str(subject.path), str(feeds), threads)
        engines = Engines(floor, task, folder, {s.name: EngineResult(s.name) for s in setups}, {}, {})
        try:
            for setup in setups:
                _load(engines, setup, str(folder / f"{setup.name}-trace") if trace else "")
            yield engines
        finally:
            for process in engines.running.values():
                process.close()


def _load(engines: Engines, setup: EngineSetup, trace: str) -> None:
    result = engines.results[setup.name]
    outputs = engines.folder / f"{setup.name}-outputs"
    try:
        process, answer = start_engine(engines.floor, setup, engines.task, trace)
    except WorkerError as error:
        result.error = str(error)
        return
    try:
        result.version = answer["version"]
        process.ask("first", outputs=str(outputs))
        result.detail = process.ask("describe")["text"]
        engines.outputs[setup.name] = pickle.loads(outputs.read_bytes())
    except WorkerError as error:
        result.error = str(error)
        process.close()
    else:
        engines.running[setup.name] = process
