"""Answers the probe with the wrong type."""

from ort_core.providers.spec import Plugin


class ProbePlugin(Plugin):
    api = (1, 0)
    name = "BrokenExecutionProvider"

    def probe(self):
        return True


plugin = ProbePlugin()
