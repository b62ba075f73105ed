"""Which of the installed providers take which operators of a model, asked without creating a session."""

from __future__ import annotations

from dataclasses import dataclass

from ort_core.custom_ops.catalog import CustomOps
from ort_core.custom_ops.provider import CustomOpProvider
from ort_core.custom_ops.published import custom_ops_of
from ort_core.errors import OrtError
from ort_core.infer.shapes import infer_types
from ort_core.ir.graph import Model
from ort_core.load.opset import normalize_opset
from ort_core.partition.assign import assign
from ort_core.partition.claims import Assignment, is_control_flow, offer
from ort_core.prepare import inference
from ort_core.progress import UNWATCHED
from ort_core.providers.names import REFERENCE
from ort_core.providers.registry import available_slots
from ort_core.providers.selection import close_quietly
from ort_core.providers.spec import Provider, SessionEnv


@dataclass(frozen=True, slots=True)
class ProviderSupport:
    """What a provider says to the model.

    Attributes:
        claimed, asked: nodes that it takes, of those that it was offered (bodies included, functions of the model whole).
        declined: the operators that it does not take, with the reason for the first node of each.
        problem: why it could not be asked; empty if it could.
    """

    name: str
    claimed: int
    asked: int
    declined: dict[str, str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Support:
    """What each available provider takes, and why the model cannot run on all of them together (empty if it can)."""

    providers: tuple[ProviderSupport, ...]
    problem: str


def find_support(model: Model) -> Support:
    """Asks every available provider; brings the model to one opset and expands functions on the way."""
    created: list[Provider] = []
    rows: list[ProviderSupport] = []
    try:
        normalize_opset(model, infer=infer_types)
        custom = custom_ops_of(model, ())
        infer = inference(UNWATCHED, custom)
        infer(model)
        for slot, plugin in available_slots():
            try:
                created.append(plugin.create(plugin.options(), SessionEnv()))
            except Exception as error:
                rows.append(ProviderSupport(slot.name, 0, 0, {}, f"{type(error).__name__}: {error}"))
                continue
            rows.append(_ask(created[-1], model, custom))
        failed = {row.name for row in rows if row.problem}
        usable = [p for p in created if p.name not in failed]
        reference = next((p for p in usable if p.name == REFERENCE), None)
        engines = [p for p in usable if p is not reference]
        assign(model, [*engines, CustomOpProvider(custom)], fallback=reference, retype=infer, custom=custom)
    except OrtError as error:
        return Support(tuple(rows), f"{type(error).__name__}: {error}")
    finally:
        for provider in created:
            close_quietly(provider)
    return Support(tuple(rows), "")


def _ask(provider: Provider, model: Model, custom: CustomOps) -> ProviderSupport:
    answers = Assignment()
    offer(model.graph, [provider], model.opset_imports, answers, custom)
    nodes = [n for n in model.graph.walk() if not is_control_flow(n)]
    declined: dict[str, str] = {}
    for node in nodes:
        if node not in answers.claims:
            reasons = dict(answers.declines.get(node, ()))
            declined.setdefault(node.label, reasons.get(provider.name, "no reason given"))
    claimed = sum(node in answers.claims for node in nodes)
    failure = answers.failures.get(provider)
    return ProviderSupport(provider.name, claimed, len(nodes), declined, "" if failure is None else str(failure))
