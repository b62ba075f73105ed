"""Value lifetimes: after which step a slot's reference is dropped, and which inputs a step may be given for reuse."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Sequence

from ort_core.plan.plan import CopyStep, RunStep, Step


def with_lifetimes(steps: Sequence[Step], kept: Collection[int], fixed: Collection[int]) -> tuple[Step, ...]:
    """The steps with `dying` and `donatable` filled in.

    Args:
        kept: slots that are never dropped (constants, results).
        fixed: slots whose memory belongs to someone else or is still read: never donated.
    """
    last: dict[int, int] = {}
    for index, step in enumerate(steps):
        for slot in _touched(step):
            last[slot] = index
    dying: dict[int, list[int]] = {}
    for slot, index in last.items():
        if slot not in kept:
            dying.setdefault(index, []).append(slot)
    # A copy may still be reading its source after the step returns.
    in_flight = {slot for step in steps if isinstance(step, CopyStep) for slot in step.inputs}
    return tuple(_finish(step, tuple(dying.get(index, ())), set(fixed) | in_flight) for index, step in enumerate(steps))


def _finish(step: Step, dying: tuple[int, ...], never: set[int]) -> Step:
    if isinstance(step, RunStep):
        donatable = tuple(slot in dying and slot not in never and step.inputs.count(slot) == 1 for slot in step.inputs)
        return dataclasses.replace(step, dying=dying, donatable=donatable)
    return dataclasses.replace(step, dying=dying)


def _touched(step: Step) -> Iterator[int]:
    yield from (slot for slot in (*step.inputs, *step.outputs) if slot >= 0)
    if not isinstance(step, RunStep | CopyStep):
        for body in step.bodies:
            yield from body.captures
