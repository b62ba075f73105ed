"""What a provider claims of the catalogue, as sessions and as chains of nodes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ort_core.devices import Device
from ort_core.enums import GraphOptimizationLevel
from ort_core.options import SessionOptions
from ort_core.providers import registry
from ort_core.testing.conformance.contracts.cases import Case
from ort_core.testing.conformance.contracts.catalogue import CASES, ELEMENTWISE, NUMBERS
from ort_core.testing.conformance.target import Declined, Target

if TYPE_CHECKING:
    from ort_core.session import InferenceSession

CHAIN_LENGTH = 12


def open_case(
    target: Target, case: Case, element: str = "", sizes: Mapping[str, int] | None = None, *, optimize: bool = False
) -> InferenceSession:
    """A session on the model of a case, by default with its nodes as they are.

    Raises:
        Declined: the provider does not take it.
    """
    options = SessionOptions()
    if not optimize:
        options.graph_optimization_level = GraphOptimizationLevel.ORT_DISABLE_ALL
    return target.session(case.model(element, sizes), options)


class Claims:
    """What one provider takes.

    Attributes:
        target: the provider.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self._elements: dict[str, str] = {}

    def with_element(self, case: Case) -> Case:
        """A case for the first element type that it takes, or the usual one if it takes none."""
        if case.name not in self._elements:
            taken = (element for element in case.elements if self.takes(case, element))
            self._elements[case.name] = next(taken, case.elements[0])
        return replace(case, elements=(self._elements[case.name],))

    def takes(self, case: Case, element: str) -> bool:
        """Whether it takes a model with an element type."""
        try:
            open_case(self.target, case, element).close()
        except Declined:
            return False
        return True

    @cached_property
    def links(self) -> tuple[Case, ...]:
        """The operators that it takes of those that make chains, with the one element type that a chain has."""
        for element in NUMBERS:
            links = [case for case in ELEMENTWISE if case.chains and element in case.elements]
            if taken := [replace(case, elements=(element,)) for case in links if self.takes(case, element)]:
                return tuple(taken)
        return ()

    @cached_property
    def sample(self) -> Case:
        """A model for contracts that have nothing to do with operators: a chain if the provider has the nodes for one.

        Skips the test if it takes nothing at all.
        """
        if self.links:
            return chain_of(self.links)
        for case in map(self.with_element, CASES):
            if self.takes(case, case.elements[0]):
                return case
        pytest.skip(f"{self.target.name} claims no model of the catalogue")

    @cached_property
    def device(self) -> Device:
        """Where it computes."""
        with open_case(self.target, self.sample) as session:
            kind, _, index = session.explain().partitions[0].device.partition(":")
        return Device(kind, int(index))

    @property
    def plugin(self) -> Any:
        """The plugin behind the provider."""
        return registry.plugin(self.target.name)


def chain_of(operators: Sequence[Case]) -> Case:
    """A model `(x, w) => y` in which each node takes the result of the one before, and `w` if it takes two.

    Nodes whose result depends on all they read come last, so that no clamp hides what came before.
    """
    in_order = sorted(operators, key=lambda case: case.name in ("Add", "Sub", "Mul"))
    links = list(itertools.islice(itertools.cycle(in_order), max(CHAIN_LENGTH, len(in_order))))
    element = links[0].elements[0]
    binary = ["(a, b)" in case.graph for case in links]
    nodes, last = [], "x"
    for index, (case, takes_two) in enumerate(zip(links, binary, strict=True)):
        result = "y" if index == len(links) - 1 else f"v{index}"
        nodes.append(f"{result} = {case.name} ({last}{', w' if takes_two else ''})")
        last = result

    def compute(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        for case, takes_two in zip(links, binary, strict=True):
            x = case.compute(x, w) if takes_two else case.compute(x)
        return x

    graph = f"({element}[N, M] x, {element}[N, M] w) => ({element}[N, M] y) {{ {' '.join(nodes)} }}"
    return Case("Chain", graph, compute, (element,), low=-1.0, high=1.0)
