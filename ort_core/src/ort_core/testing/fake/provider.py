"""The fake device's plugin and provider."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from ort_core.devices import Device
from ort_core.errors import Fail
from ort_core.ir.graph import Node
from ort_core.providers.spec import (
    API_VERSION,
    Claim,
    CompileContext,
    Decline,
    GraphView,
    Partition,
    Plugin,
    Provider,
    SessionEnv,
)
from ort_core.testing.fake.executable import FakeExecutable
from ort_core.testing.fake.kernel import ALL, Unsupported
from ort_core.testing.fake.kernels import KERNELS
from ort_core.testing.fake.machine import Machine
from ort_core.testing.fake.runtime import FakeRuntime

NAME = "FakeDeviceExecutionProvider"
DEVICE_TYPE = "fake"
DEVICE_COUNT = 2


@dataclass(frozen=True, slots=True)
class FakeDeviceOptions:
    """Options of the fake device.

    Attributes:
        device_id: which of the two devices.
        memory_limit_bytes: cap on what is in use on the device, from now on and for all sessions.
        ops: operators that it claims, separated by commas; all that it has when empty.
    """

    device_id: int = field(default=0, metadata={"min": 0, "max": DEVICE_COUNT - 1})
    memory_limit_bytes: int | None = field(default=None, metadata={"min": 0})
    ops: str = ""


class FakeDevicePlugin(Plugin):
    """The plugin of one `fake_device()`: two devices of type `fake`."""

    name: ClassVar[str] = NAME
    api: ClassVar[tuple[int, int]] = API_VERSION
    device_types: ClassVar[frozenset[str]] = frozenset({DEVICE_TYPE})
    options: ClassVar[type] = FakeDeviceOptions

    def __init__(self, machine: Machine, memory_limit_bytes: int | None = None) -> None:
        self.machine = machine
        for index in range(DEVICE_COUNT):
            device = Device(DEVICE_TYPE, index)
            machine.runtimes[device] = FakeRuntime(machine, device, memory_limit_bytes)

    def runtime(self, device: Device) -> FakeRuntime:
        """The runtime of one of its devices.

        Raises:
            Fail: the device does not exist.
        """
        found = self.machine.runtimes.get(Device(device.type, device.id))
        if found is None:
            raise Fail(f"{NAME} has no device {device}. It has: {', '.join(map(str, self.machine.runtimes))}.")
        return found

    def create(self, options: FakeDeviceOptions, env: SessionEnv) -> FakeDeviceProvider:
        """The provider for one session."""
        self.machine.faults.hit("create", "creating the provider")
        runtime = self.runtime(Device(DEVICE_TYPE, options.device_id))
        if options.memory_limit_bytes is not None:
            runtime.limit_bytes = options.memory_limit_bytes
        return FakeDeviceProvider(runtime, frozenset(filter(None, map(str.strip, options.ops.split(",")))))


class FakeDeviceProvider(Provider):
    """The fake device in one session: claims node by node, whatever it has a kernel for."""

    name = NAME

    def __init__(self, runtime: FakeRuntime, ops: frozenset[str] = frozenset()) -> None:
        self._runtime = runtime
        self._ops = ops
        self.device = runtime.device

    def claim(self, view: GraphView) -> Iterable[Claim | Decline]:
        """Every node that it has a kernel for, each as a claim of its own."""
        self._runtime.machine.faults.hit("claim", "claiming nodes")
        for node in view.nodes:
            reason = self._decline_reason(node)
            yield Claim((node,)) if reason is None else Decline(node, reason)

    def _decline_reason(self, node: Node) -> str | None:
        kernel = KERNELS.get(node.op_type) if node.domain == "" else None
        if kernel is None:
            return f"no kernel for {node.label}"
        if self._ops and node.op_type not in self._ops:
            return f"the option 'ops' leaves {node.op_type} out"
        try:
            inputs = kernel.data_inputs(node)
            parameters = kernel.parameters(node)
        except Unsupported as error:
            return str(error)
        if not inputs or len(node.outputs) != 1 or len({value.element for value in inputs}) != 1:
            return "kernel takes inputs of one type and has one output"
        if "to" in parameters and parameters["to"] not in ALL:
            return f"kernel cannot cast to element type {parameters['to']}"
        return None

    def compile(self, partition: Partition, ctx: CompileContext) -> FakeExecutable:
        """Uploads the constants and lists the steps."""
        self._runtime.machine.faults.hit("compile", f"compiling partition '{partition.name}'")
        return FakeExecutable(self.name, self._runtime, partition, ctx)
