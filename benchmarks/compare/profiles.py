"""What single nodes cost on each engine."""

from __future__ import annotations

import json
import re
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.compare.align import ModelNodes, anchored
from benchmarks.compare.engines import load_engines
from benchmarks.compare.process import EngineSetup, Floor
from benchmarks.compare.results import EngineResult, NodeCost
from benchmarks.compare.subjects import Subject

_WARM_S = 0.05


def profile_nodes(
    floor: Floor, setups: Sequence[EngineSetup], subject: Subject, threads: int, runs: int
) -> tuple[list[EngineResult], ModelNodes, dict[str, list[NodeCost]]]:
    """The rows of each engine, for one run."""
    import onnx

    model = ModelNodes(onnx.load(subject.path, load_external_data=False).graph.node)
    found = {}
    with load_engines(floor, setups, subject, threads, trace=True) as engines:
        for _ in engines.ask(0, "turn", seconds=_WARM_S):
            pass
        for result, answer in engines.ask(0, "costs", runs=runs):
            rows = _from_trace(Path(answer["trace"]), runs) if "trace" in answer else _from_runs(answer["nodes"])
            found[result.name] = anchored(rows, model)
        return list(engines.results.values()), model, found


def _from_trace(path: Path, runs: int) -> list[NodeCost]:
    """The last runs of a trace as onnxruntime and this project write it: each node by its median."""
    events: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    whole = sorted((e for e in events if e["name"] == "model_run"), key=lambda e: e["ts"])[-runs:]
    begin = whole[0]["ts"] if whole else 0
    late = [e for e in events if e["ts"] >= begin]
    nodes = [e for e in late if e["cat"] == "Node" and "op_name" in e["args"]]
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in nodes or [e for e in late if e["cat"] == "partition"]:
        operator = event["args"].get("op_name", "")
        times[node_name(event["name"]), operator].append(event["dur"] / 1e6)
    return median_costs(times, len(whole) or 1)


def node_name(text: str) -> str:
    """The name in a trace's event: `a` of `a_kernel_time`, and of `node 'a' (ai.onnx::Add, opset 18)`."""
    label = re.match(r"node '(.*)' \(", text)
    return label[1] if label else text.removesuffix("_kernel_time")


def _from_runs(runs: Sequence[Sequence[tuple[str, str, float]]]) -> list[NodeCost]:
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for rows in runs:
        for name, operator, seconds in rows:
            times[name, operator].append(seconds)
    return median_costs(times, len(runs))


def median_costs(times: dict[tuple[str, str], list[float]], runs: int) -> list[NodeCost]:
    """A node that ran several times in a run (in a loop) counts as often; whole microseconds are averaged, not counted."""
    rows = []
    for (name, operator), each in times.items():
        middle = statistics.median(each)
        typical = middle if middle >= 20e-6 else statistics.fmean(t for t in each if t <= 2 * middle + 1e-6)
        rows.append(NodeCost(name, operator, typical * len(each) / runs))
    return rows
