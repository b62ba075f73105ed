"""The table of upgrade rules, filled by the `upgrade` decorator."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from typing import NamedTuple

from ort_core.errors import InvalidGraph, OrtError
from ort_core.ir.graph import ONNX_DOMAIN, Node


class Rule(NamedTuple):
    """Brings a node from any version below `to` to the meaning that its operator has at `to`.

    Attributes:
        to: the version of the operator's domain at which the operator changed.
        apply: rewrites the node in place, or replaces it by nodes that are canonical already.
        wants: whether the rule would do better if the types of this node's inputs were known.
    """

    to: int
    apply: Callable[[Node], None]
    wants: Callable[[Node], bool] | None = None


RULES: dict[tuple[str, str], list[Rule]] = {}
"""Domain and operator to its rules in ascending order of `Rule.to`."""


def upgrade(
    *operators: str, to: int, domain: str = ONNX_DOMAIN, wants: Callable[[Node], bool] | None = None
) -> Callable[[Callable[[Node], None]], Callable[[Node], None]]:
    """Registers a function as the rule by which `operators` reach version `to` of `domain`.

    A rule edits its node or puts nodes around it; it may rename the operator, whose own rules then apply. Several rules
    may share a version; they run in the order of registration.
    """

    def register(function: Callable[[Node], None]) -> Callable[[Node], None]:
        for operator in operators:
            insort(RULES.setdefault((domain, operator), []), Rule(to, function, wants), key=lambda rule: rule.to)
        return function

    return register


def pending(node: Node, version: int) -> list[Rule]:
    """The rules that a node of opset `version` has yet to go through."""
    rules = RULES.get((node.domain, node.op_type))
    return [] if rules is None or rules[-1].to <= version else [rule for rule in rules if rule.to > version]


def apply_rules(node: Node, version: int) -> None:
    """Takes a node of opset `version` to the canonical one, step by step.

    Raises:
        InvalidGraph: the node does not fit its operator.
        NotImplemented: the node has no equivalent.
    """
    where = node.where()
    done: set[Rule] = set()
    while node.graph is not None:
        rule = next((r for r in pending(node, version) if r not in done), None)
        if rule is None:
            return
        try:
            rule.apply(node)
        except OrtError:
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise InvalidGraph(
                f"{where} does not fit its operator: bringing it to version {rule.to} failed with {error}. "
                "Check its inputs and attributes against the ONNX documentation of its opset."
            ) from error
        done.add(rule)
        version = max(version, rule.to - 1)
