"""Was written for an earlier, incompatible protocol."""


class OlderPlugin:
    name = "BrokenExecutionProvider"
    api = (0, 9)


plugin = OlderPlugin()
