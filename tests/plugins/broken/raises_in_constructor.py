"""Is a class whose constructor raises."""

from ort_core.providers.spec import Plugin


class plugin(Plugin):
    api = (1, 0)
    name = "BrokenExecutionProvider"

    def __init__(self):
        raise ValueError("no configuration file")
