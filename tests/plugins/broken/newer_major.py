"""Was written for a later, incompatible protocol."""

from ort_core.providers.spec import API_VERSION


class NewerPlugin:
    name = "BrokenExecutionProvider"
    api = (API_VERSION[0] + 1, 0)


plugin = NewerPlugin()
