"""The child process that examines one plugin: it imports it, asks it, and runs a small model on it."""

from __future__ import annotations

import faulthandler
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from ort_core.cli.child import take_stdout

Tell = Callable[..., None]


def main(arguments: Sequence[str]) -> None:
    """Examines the plugin `group name [distribution]`, or lists providers without arguments; tells what it does and finds as
    lines of JSON.
    """
    faulthandler.enable()
    stream = take_stdout()

    def tell(**record: Any) -> None:
        stream.write(json.dumps(record, default=str) + "\n")
        stream.flush()

    from ort_core.providers.entry_points import PROVIDERS

    if not arguments:
        _list_providers(tell)
    elif arguments[0] == PROVIDERS:
        _examine_provider(arguments[1], tell)
    else:
        _examine_entry(*arguments, tell=tell)
    tell(step="")


def _list_providers(tell: Tell) -> None:
    from ort_core.providers import discovery, names

    tell(step="finding providers")
    found = discovery.catalog()
    for name in discovery.default_order(found.slots):
        tell(installed=name, distribution=found.slots[name].entry.distribution)
    missing = [discovery.missing_report(name) for name in names.KNOWN if name not in found.slots]
    for report in (*missing, *found.rejected):
        tell(report=asdict(report))


def _examine_entry(group: str, name: str, distribution: str, *, tell: Tell) -> None:
    from ort_core.providers import hooks
    from ort_core.providers.entry_points import HOOKS, entry_points
    from ort_core.providers.loading import failure, load_object

    tell(step="being imported")
    if group == HOOKS:
        hooks.provider_slots()
        for found in hooks.hook_problems():
            if found.distribution == distribution:
                tell(problem=found.reason, remedy=_report_to(distribution), traceback=found.traceback)
        return
    for entry in entry_points(group):
        if (entry.name, entry.distribution) == (name, distribution):
            try:
                load_object(entry)
            except Exception as error:
                problem = failure(entry, "importing it", error)
                tell(problem=problem.reason, remedy=problem.remedy, traceback=problem.traceback)


def _examine_provider(name: str, tell: Tell) -> None:
    from ort_core.providers.loading import Problem
    from ort_core.providers.registry import slot_of

    tell(step="being imported")
    slot = slot_of(name)
    report = slot.report()
    tell(report=asdict(report))
    plugin = slot.load()
    if isinstance(plugin, Problem):
        return
    tell(step="doctor()")
    try:
        for finding in plugin.doctor():
            name, ok, found, remedy = finding
            tell(finding=(str(name), bool(ok), str(found), str(remedy)))
    except Exception as error:
        problem = f"doctor() raised {type(error).__name__}: {error}"
        tell(check="doctor()", problem=problem, remedy=_report_to(report.distribution))
    if report.status == "available":
        tell(step="running a small model")
        for record in _run_small_model(name, report.distribution):
            tell(check="test", **record)


def _run_small_model(name: str, distribution: str) -> Iterator[dict[str, str]]:
    import numpy as np

    import ort_core

    x = np.arange(-6, 6, dtype=np.float32).reshape(3, 4)
    weight = np.arange(8, dtype=np.float32).reshape(4, 2) - 4
    bias = np.array([0.5, -1], np.float32)
    expected = np.maximum(x @ weight + bias, 0)
    started = time.perf_counter()
    try:
        with ort_core.InferenceSession(
            _small_model(weight, bias), providers=[name], on_provider_error="raise"
        ) as session:
            (result,) = session.run(None, {"x": x})
            nodes = session.explain().nodes
    except Exception as error:
        yield {"problem": f"a small model fails: {type(error).__name__}: {error}", "remedy": _report_to(distribution)}
        return
    seconds = time.perf_counter() - started
    taken = sum(node.provider == name for node in nodes)
    if result.shape != expected.shape or not np.allclose(result, expected, rtol=1e-3, atol=1e-3):
        difference = f"expected {expected.tolist()}, got {result.tolist()}"
        yield {"problem": f"a small model gives wrong results: {difference}", "remedy": _report_to(distribution)}
    elif not taken:
        yield {"note": f"takes none of the {len(nodes)} nodes of a small model: {', '.join(n.op_type for n in nodes)}"}
    else:
        yield {"fine": f"a small model runs ({taken} of {len(nodes)} nodes on it, {seconds:.2f} s with its start)"}


def _small_model(weight: Any, bias: Any) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["p"]),
            helper.make_node("Add", ["p", "b"], ["s"]),
            helper.make_node("Relu", ["s"], ["y"]),
        ],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    data: bytes = model.SerializeToString()
    return data


def _report_to(distribution: str) -> str:
    return f"Upgrade it (pip install --upgrade {distribution}), or report this to its authors."
