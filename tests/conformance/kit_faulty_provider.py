"""A provider that is registered when pytest loads this module as a plugin; each of its kernels is right, wrong, or fails."""

import sys

import numpy as np

from ort_core.providers.kernel_provider import FLOATS, NUMBERS, KernelProvider, kernel
from ort_core.providers.registry import register_plugin
from ort_core.providers.spec import Plugin

NAME = "FaultyExecutionProvider"


@kernel("Add", types={"T": NUMBERS})
def add(a, b):
    """Right, but for int8."""
    return a + b + np.ones((), a.dtype) if a.dtype == np.int8 else a + b


@kernel("Neg", types={"T": FLOATS})
def neg(x):
    """Right; takes floats only."""
    return -x


@kernel("Sub", types={"T": FLOATS})
class Sub:
    """Takes floats only, and cannot be prepared."""

    def prepare(self, node, ctx):
        raise NotImplementedError("no Sub here")

    def run(self, a, b):
        return a - b


class FaultyProvider(KernelProvider):
    kernels = (sys.modules[__name__],)


class FaultyPlugin(Plugin):
    name = NAME
    api = (1, 0)

    def create(self, options, env):
        return FaultyProvider(self.name, options, env)


register_plugin(FaultyPlugin())
