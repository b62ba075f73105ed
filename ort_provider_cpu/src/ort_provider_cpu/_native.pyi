"""The native engine: building programs, asking the registry, memory and threads."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import numpy as np

class Environment:
    """What the programs of a session share: threads, memory, settings."""

    def __init__(
        self,
        *,
        threads: int,
        own_threads: bool = False,
        spin: bool = True,
        winograd: bool = True,
        deterministic: bool = False,
        low_memory: bool = False,
        keep_arena: bool = True,
        plan_memory: bool = True,
        reuse_memory: bool = True,
        memory_limit: int = 0,
    ) -> None: ...
    def trim(self) -> int: ...
    def memory_stats(self) -> dict[str, int]: ...

class Program:
    """Instructions over numbered slots; build it, finish it, make a runner of it."""

    def __init__(self, environment: Environment) -> None: ...
    def add_input(self, port: tuple[int, Sequence[int] | None]) -> int: ...
    def add_constant(self, array: np.ndarray, element: int, uses: int) -> int: ...
    def add_stored_constant(
        self, read: Callable[[memoryview, int], None], element: int, dims: Sequence[int]
    ) -> int: ...
    def add_node(
        self,
        domain: str,
        op: str,
        label: str,
        attributes: Mapping[str, tuple[str, Any]],
        inputs: Sequence[int],
        outputs: Sequence[tuple[int, Sequence[int] | None]],
    ) -> list[int]: ...
    def add_custom_node(
        self,
        kernel: object,
        entry: int,
        op: str,
        label: str,
        inputs: Sequence[int],
        outputs: Sequence[tuple[int, Sequence[int] | None]],
    ) -> list[int]: ...
    def finish(self, outputs: Sequence[int], types: Sequence[tuple[int, Sequence[int] | None]]) -> None: ...
    def trim(self) -> None: ...
    def runner(
        self,
        inputs: list[tuple[str, np.dtype, Sequence[Any] | None]],
        outputs: list[tuple[str, np.dtype]],
    ) -> Runner: ...

@final
class Runner:
    """Runs a program on numpy arrays."""

    def fast_run(self, feeds: Any, fetches: Any, /) -> Any: ...
    def bind_run(self, session: Any, method: Any, gate: list[Any], /) -> Any: ...
    def run(self, inputs: list[Any], output: Any, cancel: int, timings: list[Any] | None, /) -> list[np.ndarray]: ...

def decline_reason(
    domain: str,
    op: str,
    attributes: Mapping[str, tuple[str, Any]],
    inputs: Sequence[tuple[int, Sequence[int] | None]],
    outputs: Sequence[int],
) -> str | None: ...
def has_kernel(domain: str, op: str) -> bool: ...
def registered_kernels() -> list[tuple[str, str, list[list[int]], list[list[int]]]]: ...
def chain_opcodes() -> list[tuple[str, int, int]]: ...
def probe_fma_gflops(seconds: float, threads: int) -> float: ...
def probe_read_bandwidth(size_bytes: int, threads: int) -> float: ...
def isa() -> str: ...
def supported_isas() -> list[str]: ...
def set_exception_classes(classes: Mapping[int, type[BaseException]]) -> None: ...
