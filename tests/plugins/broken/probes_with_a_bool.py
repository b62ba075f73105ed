"""Answers the probe with the wrong type."""

from ort_core.providers.spec import Plugin


class ProbePlugin(Plugin):
    name = "BrokenExecutionProvider"

    def probe(self):
        return True


plugin = ProbePlugin()
