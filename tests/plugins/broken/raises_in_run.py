"""Claims and compiles everything and cannot run it."""

from ort_core.providers.spec import Claim, Executable, Plugin, Provider


class BrokenExecutable(Executable):
    def run(self, ctx, inputs):
        raise RuntimeError("the device caught fire")


class BrokenProvider(Provider):
    name = "BrokenExecutionProvider"

    def claim(self, view):
        return [Claim((node,)) for node in view.nodes]

    def compile(self, partition, ctx):
        return BrokenExecutable()


class BrokenPlugin(Plugin):
    api = (1, 0)
    name = "BrokenExecutionProvider"

    def create(self, options, env):
        return BrokenProvider()


plugin = BrokenPlugin()
