"""What ort-core imports to learn of the provider; it must stay light."""

from __future__ import annotations

from dataclasses import dataclass

from ort_core.providers.spec import Plugin, Provider, SessionEnv


@dataclass(frozen=True)
class Options:
    """`fuse`: compute MatMul, Add and Relu in one call where they follow each other."""

    fuse: bool = True


class ExamplePlugin(Plugin):
    """The installed provider."""

    name = "ExampleExecutionProvider"
    api = (1, 0)
    priority = 1
    options = Options

    def create(self, options: Options, env: SessionEnv) -> Provider:
        """The provider of one session."""
        from ort_provider_example.provider import ExampleProvider

        return ExampleProvider(self.name, options, env)


plugin = ExamplePlugin()
