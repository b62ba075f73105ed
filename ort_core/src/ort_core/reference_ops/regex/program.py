"""Compiled patterns: instructions that are followed in all ways at once, and the parts that emit them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

Test: TypeAlias = Callable[[str], bool]
"""Whether a character is one of those meant."""
Check: TypeAlias = Callable[[str, int], bool]
"""Whether a position of the text is one of those meant."""

MAX_INSTRUCTIONS = 10_000
UNLIMITED = -1


class Read(NamedTuple):
    """Goes on if the next character passes."""

    test: Test


class Require(NamedTuple):
    """Goes on if the position passes."""

    check: Check


class Jump(NamedTuple):
    """Goes on at each of some instructions."""

    targets: list[int]


Program: TypeAlias = "list[Read | Require | Jump]"
Part: TypeAlias = Callable[[Program], None]
"""A part of a pattern: appends its instructions, which end at the end of the program."""


def matches(program: Program, text: str) -> bool:
    """Whether the program can read all of `text` and end."""
    states = _follow(program, {0}, text, 0)
    for position, character in enumerate(text):
        if not states:
            return False
        read = {s + 1 for s in states if s < len(program) and _reads(program[s], character)}
        states = _follow(program, read, text, position + 1)
    return len(program) in states


def _reads(instruction: Read | Require | Jump, character: str) -> bool:
    return isinstance(instruction, Read) and instruction.test(character)


def _follow(program: Program, states: set[int], text: str, position: int) -> set[int]:
    """The states and all that are reached from them without reading."""
    seen, waiting = set(states), [s for s in states if s < len(program)]
    while waiting:
        state = waiting.pop()
        instruction = program[state]
        targets: list[int] = []
        if isinstance(instruction, Jump):
            targets = instruction.targets
        elif isinstance(instruction, Require) and instruction.check(text, position):
            targets = [state + 1]
        for target in targets:
            if target not in seen:
                seen.add(target)
                if target < len(program):
                    waiting.append(target)
    return seen


def _append(program: Program, instruction: Read | Require | Jump) -> None:
    if len(program) >= MAX_INSTRUCTIONS:
        raise ValueError(f"the pattern needs more than {MAX_INSTRUCTIONS} instructions")
    program.append(instruction)


def sequence(parts: list[Part]) -> Part:
    """One part after another."""

    def emit(program: Program) -> None:
        for part in parts:
            part(program)

    return emit


def choice(parts: list[Part]) -> Part:
    """Any one of the parts."""

    def emit(program: Program) -> None:
        fork, ends = Jump([]), []
        _append(program, fork)
        for part in parts:
            fork.targets.append(len(program))
            part(program)
            ends.append(Jump([]))
            _append(program, ends[-1])
        for end in ends:
            end.targets.append(len(program))

    return emit


def repeat(part: Part, least: int, most: int) -> Part:
    """The part from `least` to `most` times, or any number of times more if that is `UNLIMITED`."""

    def emit(program: Program) -> None:
        for _ in range(least):
            part(program)
        if most == UNLIMITED:
            fork = Jump([])
            start = len(program)
            _append(program, fork)
            part(program)
            _append(program, Jump([start]))
            fork.targets.extend((start + 1, len(program)))
            return
        forks = []
        for _ in range(most - least):
            forks.append(Jump([len(program) + 1]))
            _append(program, forks[-1])
            part(program)
        for fork in forks:
            fork.targets.append(len(program))

    return emit


def reading(test: Test) -> Part:
    """A character that passes."""
    return lambda program: _append(program, Read(test))


def requiring(check: Check) -> Part:
    """A position that passes."""
    return lambda program: _append(program, Require(check))
