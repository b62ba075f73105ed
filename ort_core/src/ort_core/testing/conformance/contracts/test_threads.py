"""Threads: sessions run, open and close in many of them at once."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ort_core.errors import Fail, OrtError
from ort_core.options import RunOptions
from ort_core.testing.conformance.contracts.cases import Arrays, Case
from ort_core.testing.conformance.contracts.catalogue import each_case
from ort_core.testing.conformance.contracts.checks import check_results
from ort_core.testing.conformance.contracts.claims import open_case
from ort_core.testing.conformance.contracts.threads import COUNT, in_threads
from ort_core.testing.conformance.target import Target

if TYPE_CHECKING:
    from ort_core.session import InferenceSession

pytestmark = pytest.mark.ort_contract("threads")

TURNS = 8
PATIENCE_S = 20.0


@each_case()
def test_one_session_in_many_threads(target: Target, case: Case) -> None:
    """8 threads on one session, with other numbers and shapes each, get what one thread gets."""
    small = [case.feeds(i, N=i % 3 + 2, M=i % 4 + 5, K=4 + i % 2) for i in range(COUNT)]
    large = [case.feeds(i, N=i % 3 + 40, M=401 + 16 * (i % 4), K=13 + i % 2) for i in range(COUNT)]
    with open_case(target, case) as session:
        _run_in_threads(session, case, small, least=2, most=TURNS, seconds=1.0, interleaved=True)
        _run_in_threads(session, case, large, least=TURNS, most=8 * TURNS, seconds=0.03)


def _run_in_threads(
    session: InferenceSession,
    case: Case,
    feeds: list[Arrays],
    *,
    least: int,
    most: int,
    seconds: float,
    interleaved: bool = False,
) -> None:
    """Runs each of the feeds in each thread, `least` to `most` times in all, as long as there is time."""
    serial = [session.run(None, f) for f in feeds]
    results: list[tuple[int, list[np.ndarray]]] = []

    def work(index: int) -> None:
        until = time.monotonic() + seconds
        for turn in range(most):
            if turn >= least and time.monotonic() > until:
                return
            which = (index + turn) % COUNT
            results.append((which, session.run(None, feeds[which])))

    in_threads(work, interleaved=interleaved)
    for which, result in results:
        check_results(result, serial[which], exact=case.exact)
    for result, f in zip(serial, feeds, strict=True):
        check_results(result, case.expected(f), exact=case.exact)


def test_sessions_come_and_go(target: Target, sample: Case) -> None:
    """8 threads create, run and close sessions."""
    feeds = [sample.feeds(i, N=i + 1) for i in range(COUNT)]
    expected = [sample.expected(f) for f in feeds]

    def work(index: int) -> None:
        for turn in range(3):
            which = (index + turn) % COUNT
            with open_case(target, sample, optimize=turn == 1) as session:
                for _ in range(3):
                    check_results(session.run(None, feeds[which]), expected[which])

    in_threads(work)


def test_closing_while_others_run(target: Target, sample: Case) -> None:
    """Closing a session under running threads gives results or an error that says so."""
    feeds = sample.feeds(1, N=64, M=257)
    expected = sample.expected(feeds)
    for _ in range(3):
        session = open_case(target, sample)
        ready = threading.Semaphore(0)

        def work(index: int, session: InferenceSession = session, ready: threading.Semaphore = ready) -> None:
            if index == 0:
                for _ in range(2 * (COUNT - 1)):
                    ready.acquire(timeout=1)
                session.close()
                return
            for _ in range(30):
                try:
                    results = session.run(None, feeds)
                except Fail as error:
                    assert "closed" in str(error)  # noqa: PT017 - most runs succeed
                    return
                finally:
                    ready.release()
                check_results(results, expected)

        in_threads(work)


def test_terminated_run(target: Target, sample: Case) -> None:
    """A run whose options say so ends with Fail, and the session goes on."""
    feeds = sample.feeds(2)
    options = RunOptions()
    with open_case(target, sample) as session:
        options.terminate = True
        with pytest.raises(Fail, match="terminate"):
            session.run(None, feeds, options)
        options.terminate = False
        check_results(session.run(None, feeds, options), sample.expected(feeds))


def test_terminating_from_another_thread(target: Target, sample: Case) -> None:
    """Runs that another thread terminates give results or Fail, and the session goes on."""
    feeds = sample.feeds(3, N=64, M=257)
    expected = sample.expected(feeds)
    options = RunOptions()
    stopped = threading.Event()
    with open_case(target, sample) as session:
        started = threading.Semaphore(0)

        def work(index: int) -> None:
            if index == 0:
                for _ in range(COUNT):
                    started.acquire(timeout=1)
                options.terminate = True
                return
            until = time.monotonic() + PATIENCE_S
            try:
                while not stopped.is_set():
                    assert time.monotonic() < until, f"no run was terminated within {PATIENCE_S:.0f} s"
                    started.release()
                    check_results(session.run(None, feeds, options), expected)
            except OrtError as error:
                stopped.set()
                assert "terminate" in str(error)  # noqa: PT017 - how it ends is the point

        in_threads(work)
        options.terminate = False
        check_results(session.run(None, feeds, options), expected)
