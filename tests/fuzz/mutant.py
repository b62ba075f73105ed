"""Mutants: a model of the corpus with its feeds, changed by a few mutations that follow from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import onnx

COUNTS = (1, 1, 1, 1, 2, 2, 2, 3, 3, 5)
"""How many mutations a mutant gets, as likely as they are listed."""
ATTEMPTS = 12


class Base(NamedTuple):
    """A valid model with its feeds; `share` is how likely it is, compared with others."""

    name: str
    model: bytes
    feeds: dict[str, Any]
    share: float = 1.0


@dataclass
class Mutant:
    """A model under mutation, with everything else that a session is given.

    Attributes:
        feeds: anything that is passed as `input_feed`.
        fetches: anything that is passed as `output_names`.
        files: contents of external data files; with any, the model is a file beside them.
        data: the model as bytes, once mutations of the wire format have begun.
        corpus: what else there is, for splicing.
        log: what was done.
    """

    seed: int
    base: str
    proto: onnx.ModelProto
    feeds: Any
    corpus: Sequence[Base] = ()
    fetches: Any = None
    files: dict[str, bytes] = field(default_factory=dict)
    data: bytes | None = None
    log: list[str] = field(default_factory=list)

    def model(self) -> bytes:
        """The bytes of the model."""
        return self.proto.SerializeToString() if self.data is None else self.data


Apply = Callable[[random.Random, Mutant], str | None]
"""Changes a mutant and says how; None if there is nothing of the kind in it."""


class Mutation(NamedTuple):
    family: str
    apply: Apply

    @property
    def name(self) -> str:
        return self.apply.__name__


FAMILIES = {
    "attributes": 20, "types": 16, "names": 16, "tensors": 18, "structure": 14, "functions": 8, "bombs": 8, "wire": 8,
    "feeds": 12,
}  # fmt: skip
"""How often mutations of a family are chosen."""
REGISTRY: dict[str, list[Mutation]] = {family: [] for family in FAMILIES}
_LAST = ("wire", "feeds")
"""Mutations of these families come after all others: the one has no message to change, the other fits feeds to the model."""


def mutation(family: str) -> Callable[[Apply], Apply]:
    """Registers a mutation."""

    def register(apply: Apply) -> Apply:
        REGISTRY[family].append(Mutation(family, apply))
        return apply

    return register


def make_mutant(seed: int, corpus: Sequence[Base], keep: Collection[int] | None = None) -> Mutant:
    """The mutant of a seed.

    Args:
        keep: the positions of the mutations to apply; the others are left out.
    """
    rng = random.Random(seed)
    base, families = _plan(rng, corpus)
    mutant = Mutant(seed, base.name, onnx.ModelProto.FromString(base.model), dict(base.feeds), corpus)
    for position, family in enumerate(families):
        if keep is None or position in keep:
            _mutate(random.Random(f"{seed}/{position}"), mutant, family, position)
    return mutant


def count_mutations(seed: int, corpus: Sequence[Base]) -> int:
    """How many mutations the mutant of a seed has."""
    return len(_plan(random.Random(seed), corpus)[1])


def _plan(rng: random.Random, corpus: Sequence[Base]) -> tuple[Base, list[str]]:
    base = rng.choices(corpus, [b.share for b in corpus])[0]
    names = list(FAMILIES)
    families = rng.choices(names, [FAMILIES[n] for n in names], k=rng.choice(COUNTS))
    return base, sorted(families, key=lambda f: _LAST.index(f) + 1 if f in _LAST else 0)


def _mutate(rng: random.Random, mutant: Mutant, family: str, position: int) -> None:
    for _ in range(ATTEMPTS):
        chosen = rng.choice(REGISTRY[family])
        done = chosen.apply(rng, mutant)
        if done is not None:
            mutant.log.append(f"{position}: {family}.{chosen.name}: {done}"[:300])
            return
