"""The parent of the fuzzing processes: hands out seeds, watches the time, restarts workers, collects findings.

python -m tests.fuzz.harness COUNT [--start SEED] [--jobs 2] [--provider NAME]
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz import mutations  # noqa: F401 - fills the registry
from tests.fuzz.corpus import load_corpus
from tests.fuzz.mutant import count_mutations
from tests.fuzz.trial import PROVIDER_VARIABLE, Finding, Verdict
from tests.fuzz.worker import serve

TIMEOUT_S = 180.0
"""When a worker is ended that does not answer; one that computes for 20 s of processor time ends itself."""


class Worker:
    """A worker process, started again whenever it is lost."""

    def __init__(self, corpus_path: Path, log_path: Path) -> None:
        self._paths = (str(corpus_path), str(log_path))
        self._process: Any = None
        self._connection: Any = None

    def examine(self, seed: int, keep: list[int] | None = None) -> Verdict:
        """The verdict on a mutant; a crash and a hang are findings."""
        if self._process is None:
            self._start()
        base, log = "", ()
        try:
            self._connection.send((seed, keep))
            base, log = self._receive(TIMEOUT_S)
            verdict: Verdict = self._receive(TIMEOUT_S)
            return verdict
        except TimeoutError:
            finding = Finding("hang", self._log())
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode
            what = "hang" if code == -getattr(signal, "SIGPROF", 0) else f"crash with exit code {code}"
            finding = Finding(f"{what}: {_place(self._log())}", self._log())
        self.close()
        return Verdict(seed, "lost", [finding], TIMEOUT_S, base, log)

    def _receive(self, timeout_s: float) -> Any:
        if not self._connection.poll(timeout_s):
            raise TimeoutError
        return self._connection.recv()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, *self._paths), daemon=True)
        self._process.start()
        theirs.close()

    def _log(self) -> str:
        return Path(self._paths[1]).read_text(errors="replace")[-3000:]

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._connection.close()
            self._process.kill()
            self._process.join()
            self._process = None


def _place(log: str) -> str:
    """The innermost function of ours in a stack dump."""
    return next((line.strip() for line in log.splitlines() if "ort_core" in line), "")


@dataclass
class Report:
    """What came of a run.

    Attributes:
        findings: by key, the verdicts that have it.
        slowest: seconds and seeds.
    """

    outcomes: collections.Counter[str] = field(default_factory=collections.Counter)
    findings: dict[str, list[Verdict]] = field(default_factory=dict)
    slowest: list[tuple[float, int]] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, verdict: Verdict) -> None:
        """Counts a verdict."""
        self.outcomes[verdict.outcome] += 1
        for finding in verdict.findings:
            self.findings.setdefault(finding.key, []).append(verdict)
        self.slowest = sorted([*self.slowest, (round(verdict.seconds, 1), verdict.seed)], reverse=True)[:8]

    @property
    def count(self) -> int:
        """How many verdicts there are."""
        return sum(self.outcomes.values())

    def text(self) -> str:
        """The report, for people."""
        lines = [f"{self.count} mutants in {self.seconds:.0f} s; slowest (s, seed): {self.slowest}"]
        lines += [f"{count:7} {outcome}" for outcome, count in self.outcomes.most_common()]
        for key, verdicts in sorted(self.findings.items(), key=lambda item: -len(item[1])):
            first = verdicts[0]
            detail = next(f.detail for f in first.findings if f.key == key)
            lines += ["", f"FINDING {key} ({len(verdicts)} times), seeds {[v.seed for v in verdicts[:6]]}"]
            lines += [
                f"  base {first.base}",
                *(f"  {line}" for line in first.log),
                *(f"    {line}" for line in detail.splitlines()),
            ]
        return "\n".join(lines)


def fuzz(seeds: Iterable[int], jobs: int = 2, log: Callable[[str], None] = lambda _: None) -> Report:
    """Examines the mutants of the seeds; the first mutant of each finding is reduced to the mutations that it takes.

    Args:
        log: is told of each new finding, and of every 500 mutants.
    """
    report, lock, started = Report(), threading.Lock(), time.monotonic()
    pending = iter(seeds)

    def work(worker: Worker) -> None:
        while True:
            with lock:
                seed = next(pending, None)
            if seed is None:
                worker.close()
                return
            verdict = worker.examine(seed)
            with lock:
                new = [f.key for f in verdict.findings if f.key not in report.findings]
                report.add(verdict)
                if report.count % 500 == 0:
                    log(f"{report.count} mutants, {len(report.findings)} findings")
            if new:
                log(f"seed {seed}: {', '.join(new)}")
                reduced = _reduced(worker, seed, new[0])
                with lock:
                    verdict.log = reduced.log if reduced else verdict.log

    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus.pickle"
        corpus.write_bytes(pickle.dumps(load_corpus()))
        threads = [
            threading.Thread(target=work, args=(Worker(corpus, Path(folder) / f"worker{i}.log"),)) for i in range(jobs)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    report.seconds = time.monotonic() - started
    return report


def _reduced(worker: Worker, seed: int, key: str) -> Verdict | None:
    """The verdict on the mutant with every mutation left out that the finding does not need."""
    keep = list(range(count_mutations(seed, load_corpus())))
    best = None
    for position in tuple(keep):
        fewer = [p for p in keep if p != position]
        verdict = worker.examine(seed, fewer)
        if any(f.key == key for f in verdict.findings):
            keep, best = fewer, verdict
    return best


def main(arguments: list[str]) -> int:
    """Runs as many mutants as are asked for; 1 if there are findings."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.harness", description="Fuzzes model loading and running."
    )
    parser.add_argument("count", type=int, nargs="?", default=20_000)
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--provider", help="runs the models, instead of the reference provider")
    options = parser.parse_args(arguments)
    if options.provider:
        os.environ[PROVIDER_VARIABLE] = options.provider
    report = fuzz(
        range(options.start, options.start + options.count),
        options.jobs,
        lambda line: print(line, file=sys.stderr, flush=True),
    )
    print(report.text())
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
