"""Has attributes of the wrong types, and a name that is not its entry point's."""

from ort_core.providers.spec import Plugin


class BadPlugin(Plugin):
    api = (1, 0)
    name = "SomethingElseExecutionProvider"
    priority = "high"
    auto = "yes"
    device_types = frozenset({"cpu"})


plugin = BadPlugin()
