"""What was measured, as plain data; `dataclasses.asdict` of it is the JSON."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.compare.figures import Spread


@dataclass(slots=True)
class Probe:
    """How fast the machine was at that moment: multiply-adds and memory, and how that was measured."""

    gflops: float
    gbytes_per_s: float
    method: str


@dataclass(slots=True)
class Start:
    """A fresh process: the import of the engine, the session, the first run, all of them (`cold_s`), and the peak memory.

    Medians of several processes that had imported numpy and read the feeds before.
    """

    import_s: float
    create_s: float
    first_s: float
    cold_s: float
    peak_bytes: int | None


@dataclass(slots=True)
class EngineResult:
    """One engine on one model.

    Attributes:
        error: why it could not be measured; empty if it could.
        detail: what it runs on.
        rounds: the median of each round in seconds.
        cpus: processor seconds for each second of the turns.
        deviation: from the other engines: the largest relative to the range of the output, by engine, and that output.
    """

    name: str
    version: str = ""
    error: str = ""
    detail: str = ""
    time: Spread | None = None
    rounds: list[float] = field(default_factory=list)
    runs: int = 0
    cpus: float = 0.0
    start: Start | None = None
    deviation: dict[str, tuple[float, str]] = field(default_factory=dict)


@dataclass(slots=True)
class Case:
    """All engines on one model with one number of threads.

    Attributes:
        peer: the faster of the other engines.
        ratio: our time over that of `peer`, by round.
    """

    model: str
    threads: int
    shapes: str
    engines: list[EngineResult]
    peer: str = ""
    ratio: Spread | None = None
    probes: list[Probe] = field(default_factory=list)

    def engine(self, name: str) -> EngineResult | None:
        """The result of an engine, if it was asked for."""
        return next((e for e in self.engines if e.name == name), None)


@dataclass(slots=True)
class Latency:
    """Single runs of one engine: in loops of many, one by one, and after a pause of 10 ms. Times are in seconds.

    Attributes:
        single: quantiles of runs timed one by one, by text (`p50`).
        idle: the same of runs after a pause.
    """

    name: str
    loop: Spread
    single: dict[str, float]
    idle: dict[str, float]


@dataclass(slots=True)
class Callers:
    """One engine with one session and several threads that call it: medians of several rounds."""

    name: str
    callers: int
    runs_per_s: float
    p50_s: float
    p99_s: float


@dataclass(slots=True)
class NodeCost:
    """A node as an engine reports it; `anchor` is the node of the model that it stands for, empty if none was found."""

    name: str
    operator: str
    seconds: float
    family: str = ""
    anchor: str = ""
