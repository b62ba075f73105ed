"""The provider protocol: what an execution provider package implements, and what the core gives it.

Three lifetimes: a `Plugin` and its device runtimes live with the process, a `Provider` with a session, an `Executable` with a
partition. A `RunContext` lives for one call. Members marked optional have a default here.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeVar

from ort_core.devices import HOST, Device
from ort_core.errors import NotImplemented as NotImplementedByProvider
from ort_core.ir.graph import Graph, Node, Value
from ort_core.limits import Limits

if TYPE_CHECKING:
    import ctypes
    import logging

    from ort_core.custom_ops.spec import CustomOp, Kernel
    from ort_core.ir.passes import Level, Pass
    from ort_core.ir.tensors import WeightRef
    from ort_core.ir.types import ElementType
    from ort_core.memory.allocator import Buffer, DeviceRuntime, Stream
    from ort_core.values import RuntimeValue

T = TypeVar("T")

API_VERSION = (1, 0)
"""Majors must match; a plugin may need a minor up to the core's."""


class Availability(NamedTuple):
    """Whether a provider can work in this process; why not, and what to do about it."""

    ok: bool
    reason: str = ""
    remedy: str = ""


class Finding(NamedTuple):
    """What a plugin found out about one thing that it needs: for `ort-core doctor`.

    Attributes:
        name: what it looked for, `libcudnn.so.9` or `driver`.
        ok: whether it will do.
        found: where it is or which version, or what is wrong with it.
        remedy: the command or the advice that helps, if not ok.
    """

    name: str
    ok: bool
    found: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class NoOptions:
    """For providers that take no options."""


@dataclass(frozen=True, slots=True)
class ThreadPolicy:
    """Thread counts (0 = choose), whether idle workers may spin, whether nodes may run in parallel, and whether the session has
    threads of its own.
    """

    intra_op: int = 0
    inter_op: int = 0
    spin: bool = True
    parallel: bool = False
    per_session: bool = True

    def intra_op_threads(self) -> int:
        """How many threads to use within a node: as asked for, else as many as this process may use cores."""
        from ort_core.resources import default_threads

        return self.intra_op or default_threads()


def _default_logger() -> logging.Logger:
    import logging

    return logging.getLogger("ort_core")


@dataclass(frozen=True, slots=True)
class SessionEnv:
    """What a provider may know of its session.

    Attributes:
        config: the session configuration entries.
        limits: what the session may use; a provider keeps to `memory_bytes` and raises OutOfMemory with node and bytes.
        use_arena, use_mem_pattern, use_mem_reuse, deterministic: the `SessionOptions` of these names.
        execution_order: in which order nodes should run that do not depend on each other: `DEFAULT`, `PRIORITY_BASED` or
            `MEMORY_EFFICIENT`.
    """

    config: Mapping[str, str] = field(default_factory=dict)
    threads: ThreadPolicy = ThreadPolicy()
    limits: Limits = field(default_factory=Limits)
    use_arena: bool = True
    use_mem_pattern: bool = True
    use_mem_reuse: bool = True
    deterministic: bool = False
    execution_order: str = "DEFAULT"
    logger: logging.Logger = field(default_factory=_default_logger)


class Plugin:
    """An installed execution provider. Importing its module and calling `probe` must be cheap.

    Attributes:
        name: the provider's name, ending in `ExecutionProvider`; equal to the entry point's name.
        api: the protocol version it was written for; every plugin states it, there is no default.
        priority: higher comes first in `get_available_providers()`.
        auto: whether `providers=None` uses it; a third-party plugin should not start because it was installed.
        device_types: the device types whose memory it provides; empty for providers that work on the host.
        options: a frozen dataclass of typed options with defaults; what users pass is validated against it.
    """

    name: ClassVar[str]
    api: ClassVar[tuple[int, int]]
    priority: ClassVar[int] = 0
    auto: ClassVar[bool] = False
    device_types: ClassVar[frozenset[str]] = frozenset()
    options: ClassVar[type] = NoOptions

    def probe(self) -> Availability:
        """Whether it can work here, without initialising a driver. Optional."""
        return Availability(True)

    def doctor(self) -> Iterable[Finding]:
        """Examines everything that the provider needs here, whether or not `probe` is content; it may take seconds and start
        drivers, since the doctor calls it in a process of its own. Optional.
        """
        return ()

    def runtime(self, device: Device) -> DeviceRuntime:
        """The runtime of one of its devices; the core asks once per device. Optional for host providers.

        Raises:
            Fail: the device does not exist.
        """
        raise NotImplementedByProvider(f"{self.name} has no device memory of its own")

    def create(self, options: Any, env: SessionEnv) -> Provider:
        """The provider for one session; `options` is an instance of `self.options`."""
        raise NotImplementedByProvider(f"{self.name} does not implement create()")


class Claim(NamedTuple):
    """Nodes that the provider takes as one group. `meta` comes back in `Partition.claims`.

    A group between whose nodes another provider computes something comes back as one claim for each node, with this `meta`.
    """

    nodes: tuple[Node, ...]
    meta: Any = None


class Decline(NamedTuple):
    """A node that the provider does not take, and why: shown by `session.explain()`."""

    node: Node
    reason: str


@dataclass(frozen=True, slots=True)
class GraphView:
    """What a provider is asked to claim from.

    Attributes:
        nodes: the nodes that nobody has claimed yet, in topological order.
        graph: the graph that holds them; only `nodes` may be claimed.
        opsets: domain to version, after normalisation.
        custom: the custom operator that a node calls, or None.
    """

    nodes: tuple[Node, ...]
    graph: Graph
    opsets: Mapping[str, int]
    custom: Callable[[Node], CustomOp | None] = lambda node: None


class Provider(ABC):
    """An execution provider in one session. `close` is called once; results already returned stay valid.

    Attributes:
        runs_custom_kernels: whether it is offered nodes of custom operators, to run them with `CompileContext.kernel`.
    """

    name: str
    device: Device = HOST
    runs_custom_kernels: ClassVar[bool] = False

    @abstractmethod
    def claim(self, view: GraphView) -> Iterable[Claim | Decline]:
        """Which nodes it takes. A control-flow node is taken with all its bodies, and only if their nodes are claimed too.
        Called again for each subgraph, and after the core has expanded functions that nobody claimed.
        """

    def passes(self, level: Level) -> Sequence[Pass]:
        """Graph passes to run on its partitions before `compile`. Optional."""
        return ()

    @abstractmethod
    def compile(self, partition: Partition, ctx: CompileContext) -> Executable:
        """Makes a partition executable; dimensions may be unknown."""

    def load(self, blob: bytes, ctx: CompileContext) -> Executable:
        """Restores what `Executable.save` wrote. Optional."""
        raise NotImplementedByProvider(f"{self.name} cannot load compiled partitions")

    def control(self, request: str, args: Mapping[str, Any]) -> Any:
        """Dynamic options, tuning results, captured graphs. Optional."""
        raise NotImplementedByProvider(f"{self.name} does not know the request '{request}'")

    def close(self) -> None:  # noqa: B027 - optional, not abstract
        """Releases what the session holds. Optional."""


@dataclass(slots=True)
class Partition:
    """A convex set of nodes, as a graph of its own.

    Attributes:
        name: unique in the session.
        graph: its inputs are what `Executable.run` receives, its outputs what it returns; constants are initializers. The
            provider may rewrite it.
        claims: the claims that it is made of, over the nodes of `graph`.
    """

    name: str
    graph: Graph
    claims: tuple[Claim, ...]
    opsets: Mapping[str, int]

    @property
    def constants(self) -> tuple[Value, ...]:
        """The initializers of `graph` that no input overrides."""
        return tuple(v for v in self.graph.initializers.values() if not self.graph.is_input(v))


class CompileContext(Protocol):
    """What `compile` gets from the core."""

    @property
    def env(self) -> SessionEnv:
        """The session's settings."""

    def prepack(self, weight: WeightRef, layout: str, make: Callable[[], T]) -> T:
        """`make()`, once for each weight and layout in a session."""

    def constant(self, value: Value) -> RuntimeValue:
        """A constant as a host value, made once per session; arrays are read-only."""

    def read_constant(self, value: Value, target: memoryview, offset: int = 0) -> None:
        """Fills `target` with the stored bytes of a dense constant (see `WeightRef`) from `offset` on, for providers that
        repack them; in pieces if the weight `is_seekable`.
        """

    def kernel(self, node: Node) -> Kernel:
        """The kernel of a node for which `GraphView.custom` names an operator; its `native` entry is valid as long as it is.

        Raises:
            OrtError: the operator refuses the node's attributes.
        """

    def check(self) -> None:
        """Raises when loading was cancelled."""


class Executable(ABC):
    """A compiled partition; `run` is re-entrant."""

    fast_run: Callable[..., Any] | None = None
    """Optional, for a whole graph on the host: called as `fast_run(feeds, fetches)`; returns NotImplemented, before any
    side effect, for whatever is unusual."""

    bind_run: Callable[..., Any] | None = None
    """Optional, beside `fast_run`: `bind_run(session, method, gate)` gives a callable that stands for `session.run`, without
    Python in between. `session` is a weak reference; what the callable cannot answer as `fast_run` would, and everything while
    the list `gate` is not empty, it passes to `method(session, ...)` as it is. It has two methods: `hold_session(session)`
    makes it keep the session alive from then on, after `release()` it passes everything to `method`."""

    @abstractmethod
    def run(self, ctx: RunContext, inputs: Sequence[RuntimeValue]) -> Sequence[RuntimeValue]:
        """Computes the partition's outputs.

        Inputs are on the provider's device, in stream order, borrowed and read-only unless `ctx.donated(i)`. Device work may
        still be queued on `ctx.stream` at return. Output i of the list is `ctx.output(i, ...)`, an input, a constant, or a
        value that the caller may keep, on the provider's device; anything where `ctx.wanted[i]` is false.
        """

    def save(self) -> bytes:
        """A blob for `Provider.load`. Optional."""
        raise NotImplementedByProvider("this executable cannot be saved")


class Profiler(Protocol):
    """Collects timed events of a session."""

    def now(self) -> int:
        """Nanoseconds since profiling began."""

    def add(self, name: str, category: str, started_ns: int, *, ended_ns: int | None = None, **args: Any) -> None:
        """Records an event that began at `started_ns` (of `now()`) and ended at `ended_ns`, or ends now."""


class MemoryMeter(Protocol):
    """Counts the host memory of a run against `Limits.memory_bytes`."""

    def admit(self, nbytes: int, where: str) -> None:
        """Raises OutOfMemory, naming `where`, if the run cannot have `nbytes` more."""

    def hold(self, values: Iterable[RuntimeValue], where: str) -> None:
        """Counts arrays that were just made, as long as they live."""

    def disregard(self, values: Iterable[RuntimeValue]) -> None:
        """Never counts these arrays, nor views of them: inputs and constants."""


class RunContext(Protocol):
    """What one call of `Executable.run` may use.

    Attributes:
        stream: the stream of this run on the provider's device; None on the host.
        cancel_flag: non-zero when the run was terminated; native code may poll its address.
        config: the run configuration entries.
        binding_id: names a set of stable input and output addresses, or None.
        profiler: None unless the session is being profiled.
        memory: None unless the session has a limit of memory; a provider that makes large values asks it first.
        wanted: for each output, whether anybody uses it.
    """

    stream: Stream | None
    cancel_flag: ctypes.c_uint32
    config: Mapping[str, str]
    binding_id: int | None
    profiler: Profiler | None
    memory: MemoryMeter | None
    wanted: tuple[bool, ...]

    def output(self, index: int, element: ElementType, shape: Sequence[int]) -> RuntimeValue:
        """Where output `index` goes: the bound buffer if one fits, else new memory of the provider's device."""

    def donated(self, index: int) -> bool:
        """Whether input `index` may be overwritten and its memory given to an output.

        Ask before keeping a reference to the input other than in the list of inputs: with one it is not donated.
        """

    def scratch(self, nbytes: int) -> Buffer:
        """Memory of the provider's device until the call ends, in stream order."""

    def check(self) -> None:
        """Raises when the run was terminated."""


def option_fields(options: type) -> dict[str, dataclasses.Field[Any]]:
    """The option names of a plugin's options class with their fields."""
    return {f.name: f for f in dataclasses.fields(options)}
