"""The short run: the same few hundred mutants every time. `tox run -e fuzz` runs many more."""

from tests.fuzz.corpus import load_corpus
from tests.fuzz.harness import fuzz
from tests.fuzz.mutant import FAMILIES, REGISTRY, make_mutant

COUNT = 400


def test_mutants_give_results_or_exceptions_of_ours():
    report = fuzz(range(COUNT))
    assert report.count == COUNT
    assert not report.findings, report.text()
    assert report.outcomes["ran"] > COUNT // 10


def test_a_seed_always_makes_the_same_mutant():
    corpus = load_corpus()
    for seed in range(40):
        first, second = make_mutant(seed, corpus), make_mutant(seed, corpus)
        assert (first.base, first.log, first.model()) == (second.base, second.log, second.model())


def test_every_mutation_is_used():
    corpus = load_corpus()
    used = {line.split(": ")[1] for seed in range(2000) for line in make_mutant(seed, corpus).log}
    assert set(REGISTRY) == set(FAMILIES)
    assert used == {f"{family}.{m.name}" for family, mutations in REGISTRY.items() for m in mutations}
