"""A process that examines mutants: whatever they do to it, the harness lives on."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import pickle
import signal
import sys
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

MEMORY_BYTES = 4 << 30
CPU_S = 20
"""After so many seconds of processor time with one mutant, the process ends, and leaves its stacks in the log."""


class _Formatting(logging.Handler):
    """Formats every message, and keeps none."""

    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()


def serve(connection: Connection, corpus_path: str, log_path: str) -> None:
    """Answers requests of a seed and the positions of the mutations to keep: with what the mutant is, then with the verdict."""
    os.environ["ORT_CORE_DEBUG"] = "1"
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    if sys.platform != "win32":
        faulthandler.register(signal.SIGPROF, file=log, chain=True)
    faulthandler.enable(log)
    limit_memory()
    quiet_logging()

    from tests.fuzz import mutations
    from tests.fuzz.mutant import make_mutant
    from tests.fuzz.trial import examine

    corpus = pickle.loads(Path(corpus_path).read_bytes())
    assert mutations
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(EOFError):
        while True:
            seed, keep = connection.recv()
            _limit_time(CPU_S)
            mutant = make_mutant(seed, corpus, keep)
            connection.send((mutant.base, tuple(mutant.log)))
            verdict = examine(mutant, Path(folder))
            _limit_time(0)
            connection.send(verdict)


def limit_memory() -> None:
    """Makes larger allocations fail, where the system can."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_time(seconds: float) -> None:
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, seconds)


def quiet_logging() -> None:
    """Formats messages of every level without showing them."""
    logger = logging.getLogger("ort_core")
    logger.addHandler(_Formatting())
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
