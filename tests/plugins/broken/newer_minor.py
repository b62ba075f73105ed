"""Needs a feature that this core does not have yet."""

from ort_core.providers.spec import API_VERSION, Plugin


class NewerMinorPlugin(Plugin):
    name = "BrokenExecutionProvider"
    api = (API_VERSION[0], API_VERSION[1] + 1)


plugin = NewerMinorPlugin()
