"""Raises when it is asked whether it can work."""

from ort_core.providers.spec import Plugin


class ProbePlugin(Plugin):
    api = (1, 0)
    name = "BrokenExecutionProvider"

    def probe(self):
        raise RuntimeError("driver query failed")


plugin = ProbePlugin()
