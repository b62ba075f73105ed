"""Creates something that is no provider."""

from ort_core.providers.spec import Plugin


class CreatePlugin(Plugin):
    api = (1, 0)
    name = "BrokenExecutionProvider"

    def create(self, options, env):
        return object()


plugin = CreatePlugin()
