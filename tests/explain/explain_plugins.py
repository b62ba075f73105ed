"""Providers that the tests of explanations register."""

from __future__ import annotations

from contextlib import contextmanager

from ort_core.providers.registry import register_plugin, unregister_plugin
from ort_core.providers.spec import Claim, Executable, Plugin, Provider

GREEDY = "GreedyExecutionProvider"


class NeverRun(Executable):
    def run(self, ctx, inputs):
        raise NotImplementedError


class GreedyProvider(Provider):
    name = GREEDY

    def claim(self, view):
        return [Claim((node,)) for node in view.nodes]

    def compile(self, partition, ctx):
        return NeverRun()


class GreedyPlugin(Plugin):
    name = GREEDY
    api = (1, 0)

    def create(self, options, env):
        return GreedyProvider()


@contextmanager
def provider_of_everything():
    """A provider that claims every node, control flow included, and cannot run."""
    register_plugin(GreedyPlugin())
    try:
        yield GREEDY
    finally:
        unregister_plugin(GREEDY)
