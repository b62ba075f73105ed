"""Upgrades of RNN, GRU and LSTM."""

from __future__ import annotations

from ort_core.ir.graph import Node
from ort_core.load.opset_rules.edit import look, put, take
from ort_core.load.opset_rules.registry import upgrade


@upgrade("GRU", to=3)
def spell_direction(node: Node) -> None:
    """The default direction was misspelt."""
    if look(node, "direction", "foward") == "foward":
        put(node, direction="forward")


@upgrade("RNN", "GRU", "LSTM", to=7)
def drop_output_sequence(node: Node) -> None:
    """`output_sequence` only said whether the first output is there."""
    take(node, "output_sequence")
