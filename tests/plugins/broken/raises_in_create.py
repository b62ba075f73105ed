"""Looks fine until a session wants a provider."""

from ort_core.providers.spec import Plugin


class CreatePlugin(Plugin):
    api = (1, 0)
    name = "BrokenExecutionProvider"

    def create(self, options, env):
        raise RuntimeError("driver version is too old")


plugin = CreatePlugin()
