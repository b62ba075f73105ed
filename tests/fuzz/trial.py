"""What is done with a mutant, and the verdict: sessions at two levels of optimisation, run with the mutant's feeds."""

from __future__ import annotations

import contextlib
import gc
import linecache
import os
import threading
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import ort_core as ort
from ort_core.errors import OrtError, OutOfMemory
from tests.fuzz.compare import RANDOM, difference, snapshot
from tests.fuzz.fuzz_protos import nodes
from tests.fuzz.mutant import Mutant

TERMINATE_S = 1.0
CREATION_BYTES = 1 << 29
"""What creating a session for a model of a few KiB may take at most."""
MESSAGE_LENGTH = 60_000
PROVIDER_VARIABLE = "ORT_CORE_FUZZ_PROVIDER"
_SAVED = 16
"""One mutant in so many is saved optimised, and loaded again."""
_LEVELS = (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)


class Finding(NamedTuple):
    """Something that must not happen.

    Attributes:
        key: the same for findings that are likely to have one cause.
        detail: a traceback, or what differs.
    """

    key: str
    detail: str


@dataclass
class Verdict:
    """How a mutant fared.

    Attributes:
        outcome: of the optimised session: `refused` or `failed` with the exception's class, or `ran`.
        seconds: of processor time.
    """

    seed: int
    outcome: str
    findings: list[Finding]
    seconds: float = 0.0
    base: str = ""
    log: tuple[str, ...] = ()


def provider() -> str:
    """The provider under test."""
    return os.environ.get(PROVIDER_VARIABLE, "ReferenceExecutionProvider")


class Outcome(NamedTuple):
    """What came of one session."""

    label: str
    results: list[Any] | None = None


def examine(mutant: Mutant, folder: Path) -> Verdict:
    """Creates and runs sessions of a mutant; `folder` is empty before and after."""
    started = time.process_time()
    findings: list[Finding] = []
    before = _handles()
    source: Any = mutant.model()
    if mutant.files:
        for name, content in mutant.files.items():
            (folder / name).write_bytes(content)
        source = str(folder / "model.onnx")
        (folder / "model.onnx").write_bytes(mutant.model())
    given = set(os.listdir(folder))
    saved = folder / "saved.onnx" if mutant.seed % _SAVED == 0 else None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        plain = _try(mutant, source, _LEVELS[0], findings)
        optimised = _try(mutant, source, _LEVELS[1], findings, saved)
        _compare(mutant, plain, optimised, "optimised", findings)
        if saved is not None and saved.exists():
            again = _try(mutant, str(saved), _LEVELS[0], findings)
            _compare(mutant, optimised, again, "saved", findings)
            saved.unlink()
    findings += [
        Finding(f"warning: {w.category.__name__} at {_short(w.filename)}:{w.lineno}", str(w.message)) for w in caught
    ]
    gc.collect(0)
    left = set(os.listdir(folder)) - given
    if left:
        findings.append(Finding("files left behind", str(left)))
    for name in os.listdir(folder):
        (folder / name).unlink()
    if _grown(before, _handles()):
        gc.collect()
        if _grown(before, after := _handles()):
            findings.append(Finding("threads or descriptors left behind", f"{before} before, {after} after"))
    seconds = time.process_time() - started
    return Verdict(mutant.seed, optimised.label, findings, seconds, mutant.base, tuple(mutant.log))


def _try(mutant: Mutant, source: Any, level: Any, findings: list[Finding], saved: Path | None = None) -> Outcome:
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    if saved is not None:
        options.optimized_model_filepath = str(saved)
    _reset_peak()
    resident = _peak()
    try:
        session = ort.InferenceSession(source, options, [provider()], enable_fallback=False)
    except Exception as error:
        _judge(error, "creation", findings)
        return Outcome(f"refused: {type(error).__name__}")
    finally:
        grown = _peak() - resident
        if grown > CREATION_BYTES:
            findings.append(Finding("memory at creation", f"{grown >> 20} MiB at {level.name}"))
    with session:
        return _run(mutant, session, findings)


def _run(mutant: Mutant, session: ort.InferenceSession, findings: list[Finding]) -> Outcome:
    options = ort.RunOptions()
    timer = threading.Timer(TERMINATE_S, setattr, (options, "terminate", True))
    timer.start()
    fed = snapshot(mutant.feeds)
    try:
        return Outcome("ran", session.run(mutant.fetches, mutant.feeds, options))
    except Exception as error:
        _judge(error, "run", findings)
        stopped = options.terminate and "terminate flag" in str(error)
        return Outcome("stopped" if stopped else f"failed: {type(error).__name__}")
    finally:
        timer.cancel()
        timer.join()
        if snapshot(mutant.feeds) != fed:
            findings.append(Finding("inputs changed", ""))


def _judge(error: Exception, stage: str, findings: list[Finding]) -> None:
    """Adds a finding unless the exception is one that users may expect."""
    text = str(error)
    internal = "graph pass '" in text
    if isinstance(error, OrtError) and not internal:
        if len(text) > MESSAGE_LENGTH:
            findings.append(Finding(f"{stage}: message too long", text[:500]))
        return
    frames = traceback.extract_tb(error.__traceback__)
    deliberate = bool(frames) and linecache.getline(frames[-1].filename, frames[-1].lineno or 0).strip().startswith(
        "raise "
    )
    if (
        stage == "run"
        and isinstance(error, TypeError | ValueError)
        and deliberate
        and "ort_core" in frames[-1].filename
    ):
        return
    cause = error.__cause__ if internal and error.__cause__ is not None else error
    frames = traceback.extract_tb(cause.__traceback__)
    own = [f for f in frames if "ort_core" in f.filename] or list(frames)
    place = f"{_short(own[-1].filename)}:{own[-1].lineno}" if own else "?"
    shown = "".join(traceback.format_exception(type(cause), cause, cause.__traceback__, limit=-12))
    findings.append(Finding(f"{stage}: {type(cause).__name__} at {place}", shown[-4000:]))


def _compare(mutant: Mutant, expected: Outcome, got: Outcome, what: str, findings: list[Finding]) -> None:
    """The optimised model may do more than the original (what is not needed cannot fail), but not less, nor otherwise."""
    if expected.results is None:
        return
    if got.results is None:
        if got.label not in {"stopped", f"failed: {OutOfMemory.__name__}"}:
            findings.append(Finding(f"only the {what} model: {got.label}", ""))
        return
    if any(n.op_type in RANDOM for n in nodes(mutant.proto)):
        return
    differs = difference(expected.results, got.results)
    if differs is not None:
        findings.append(Finding(f"the {what} model gives other results", differs))


def _handles() -> tuple[int, int]:
    return threading.active_count(), len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def _grown(before: tuple[int, int], after: tuple[int, int]) -> bool:
    return any(b > a for a, b in zip(before, after, strict=True))


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """The largest resident size since the last reset, where the system tells it."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def _short(path: str) -> str:
    return "/".join(Path(path).parts[-2:])
