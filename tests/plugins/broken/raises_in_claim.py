"""Raises when it is offered nodes."""

from ort_core.providers.spec import Executable, Plugin, Provider


class BrokenExecutable(Executable):
    def run(self, ctx, inputs):
        return inputs


class BrokenProvider(Provider):
    name = "BrokenExecutionProvider"

    def claim(self, view):
        raise RuntimeError("cannot read the graph")

    def compile(self, partition, ctx):
        return BrokenExecutable()


class BrokenPlugin(Plugin):
    api = (1, 0)
    name = "BrokenExecutionProvider"

    def create(self, options, env):
        return BrokenProvider()


plugin = BrokenPlugin()
