"""Claims everything and cannot compile it."""

from ort_core.providers.spec import Claim, Executable, Plugin, Provider


class BrokenExecutable(Executable):
    def run(self, ctx, inputs):
        return inputs


class BrokenProvider(Provider):
    name = "BrokenExecutionProvider"

    def claim(self, view):
        return [Claim((node,)) for node in view.nodes]

    def compile(self, partition, ctx):
        raise RuntimeError("the compiler crashed")


class BrokenPlugin(Plugin):
    api = (1, 0)
    name = "BrokenExecutionProvider"

    def create(self, options, env):
        return BrokenProvider()


plugin = BrokenPlugin()
