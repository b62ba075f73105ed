"""Providers for the session tests, registered in the process."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from ort_core.errors import EPFail
from ort_core.providers.spec import Claim, Decline, Executable, Plugin, Provider

TROUBLE = "TroubleExecutionProvider"


class TroubleExecutable(Executable):
    def __init__(self, provider, partition, constants):
        self.provider = provider
        self.plugin = provider.plugin
        (self.node,) = partition.graph.nodes
        self.inputs = partition.graph.inputs
        self.constants = constants

    def run(self, ctx, inputs):
        self.plugin.runs += 1
        assert not self.provider.closed, "run after close"
        if self.plugin.entered is not None:
            self.plugin.entered.set()
            assert self.plugin.go_on.wait(30) is not False
        assert not self.provider.closed, "closed during a run"
        if self.plugin.failure is not None:
            raise self.plugin.failure
        values = {**self.constants, **dict(zip(self.inputs, inputs, strict=True))}
        return [np.add(*(values[v] for v in self.node.inputs))]


class TroubleProvider(Provider):
    name = TROUBLE

    def __init__(self, plugin, options, env):
        self.plugin = plugin
        self.options = options
        self.env = env
        self.closed = 0

    def claim(self, view):
        for node in view.nodes:
            yield Claim((node,)) if node.op_type == "Add" else Decline(node, "adds only")

    def compile(self, partition, ctx):
        if self.plugin.compile_failure is not None:
            raise self.plugin.compile_failure
        return TroubleExecutable(self, partition, {v: ctx.constant(v) for v in partition.constants})

    def close(self):
        self.closed += 1


@dataclass(frozen=True)
class TroubleOptions:
    level: int = 1
    label: str = "none"


class TroublePlugin(Plugin):
    name = TROUBLE
    api = (1, 0)
    options = TroubleOptions

    def __init__(self):
        self.created = []
        self.runs = 0
        self.failure = None
        self.compile_failure = None
        self.entered = None
        self.go_on = threading.Event()

    def create(self, options, env):
        self.created.append(TroubleProvider(self, options, env))
        return self.created[-1]

    def fail_as_provider(self, provider=""):
        self.failure = EPFail("the device fell off the bus")
        self.failure.provider = provider

    def hold_runs(self):
        """From now on runs wait for `go_on` and set the event that is returned when they begin."""
        self.entered = threading.Event()
        return self.entered
