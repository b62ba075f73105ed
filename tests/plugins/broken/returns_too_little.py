"""Returns fewer results than its partition has."""

from ort_core.providers.spec import Claim, Executable, Plugin, Provider


class BrokenExecutable(Executable):
    def run(self, ctx, inputs):
        return []


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
