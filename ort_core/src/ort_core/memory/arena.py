"""The arena: blocks cut from large chunks of a device runtime's memory, reused in stream order."""

from __future__ import annotations

import contextlib
import operator
import os
import threading
import weakref
from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ort_core.errors import OutOfMemory
from ort_core.memory.allocator import MemoryStats
from ort_core.memory.host import check_size

if TYPE_CHECKING:
    from ort_core.devices import Device
    from ort_core.memory.allocator import Buffer, DeviceRuntime, Stream
    from ort_core.memory.memory_info import OrtArenaCfg
    from ort_core.values import RuntimeValue

BLOCK_BYTES = 256
"""Every block is a multiple of this, and starts at one from its chunk's start."""

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class ArenaSettings:
    """How an arena grows.

    Attributes:
        limit_bytes: cap on what is taken from the runtime, or None.
        exact: take as much as was asked for, instead of doubling.
        split_bytes: a block is split when this much or more would be left over, or half of it.
    """

    limit_bytes: int | None = None
    exact: bool = False
    first_chunk_bytes: int = _MIB
    regrowth_chunk_bytes: int = 2 * _MIB
    max_chunk_bytes: int = 1024 * _MIB
    split_bytes: int = 128 * _MIB

    @classmethod
    def from_cfg(cls, cfg: OrtArenaCfg | None) -> ArenaSettings:
        """The settings that an `OrtArenaCfg` stands for."""
        if cfg is None:
            return cls()

        def given(value: int, default: int) -> int:
            return default if value < 0 else value

        return cls(
            limit_bytes=cfg.max_mem or None,
            exact=cfg.arena_extend_strategy == 1,
            first_chunk_bytes=given(cfg.initial_chunk_size_bytes, cls().first_chunk_bytes),
            regrowth_chunk_bytes=given(cfg.initial_growth_chunk_size_bytes, cls().regrowth_chunk_bytes),
            max_chunk_bytes=given(cfg.max_power_of_two_extend_bytes, cls().max_chunk_bytes),
            split_bytes=given(cfg.max_dead_bytes_per_chunk, cls().split_bytes),
        )


class _Block:
    """A stretch of a chunk, at `key` = (size, address).

    `streams` are those whose queued work may still use it once it is free.
    """

    __slots__ = ("after", "before", "chunk", "free", "key", "streams")

    def __init__(self, chunk: Buffer, address: int, size: int, streams: tuple[Stream, ...] = ()) -> None:
        self.chunk = chunk
        self.key = size, address
        self.free = True
        self.streams = streams
        self.before: _Block | None = None
        self.after: _Block | None = None

    def split(self, size: int) -> _Block:
        """Keeps the first `size` bytes; the rest as a block of its own."""
        whole, address = self.key
        rest = _Block(self.chunk, address + size, whole - size, self.streams)
        rest.before, rest.after = self, self.after
        if self.after is not None:
            self.after.before = rest
        self.after = rest
        self.key = size, address
        return rest

    def absorb(self, gone: _Block) -> None:
        """Takes over `gone`, the block behind it."""
        self.key = self.key[0] + gone.key[0], self.key[1]
        self.streams = _union(self.streams, gone.streams)
        self.after = gone.after
        if self.after is not None:
            self.after.before = self
        gone.before = gone.after = None


class ArenaBuffer:
    """A block in use; collecting it gives the block back. It keeps the arena alive."""

    __slots__ = ("__weakref__", "_arena", "_block", "nbytes")

    def __init__(self, arena: Arena, block: _Block, nbytes: int) -> None:
        self._arena = arena
        self._block = block
        self.nbytes = nbytes

    @property
    def ptr(self) -> int:
        """Address on the device."""
        return self._block.key[1]

    @property
    def device(self) -> Device:
        """Where it lives."""
        return self._block.chunk.device

    def record_stream(self, stream: Stream) -> None:
        """Says that `stream` uses the memory too: once freed, other streams wait for what is queued there."""
        self._arena.add_stream(self._block, stream)

    def __del__(self) -> None:
        self._arena.give_back(self._block, self.nbytes)


class Arena:
    """A `DeviceRuntime` that allocates from chunks of another one; thread-safe.

    Best fit, with neighbours merged. Memory freed on a stream is reused on the same stream at once, on another one after
    that stream has been made to wait for what was queued before. All but allocation goes to the backing runtime.
    """

    def __init__(self, runtime: DeviceRuntime, settings: ArenaSettings | None = None, kind: str = "default") -> None:
        self.runtime = runtime
        self.settings = settings or ArenaSettings()
        self.kind = kind
        self._lock = threading.Lock()
        self._free: list[_Block] = []
        self._first_blocks: list[_Block] = []
        self._next_chunk_bytes = max(BLOCK_BYTES, self.settings.first_chunk_bytes)
        self._stats = MemoryStats(limit_bytes=self.settings.limit_bytes)
        # Finalizers run at any point, also while this thread holds the lock, so they append here.
        self._returned: deque[tuple[_Block, int]] = deque()
        _arenas.add(self)

    @property
    def device(self) -> Device:
        """The backing runtime's device."""
        return self.runtime.device

    def allocate(self, nbytes: int, stream: Stream | None = None, kind: str = "default") -> Buffer:
        """A block of at least `nbytes`, for use in the order of `stream` (None: by the host, at once).

        Raises:
            InvalidArgument: the size is negative or does not fit 63 bits.
            OutOfMemory: the cap or the device allows no such block.
        """
        check_size(nbytes)
        if kind not in ("default", self.kind):
            return self.runtime.allocate(nbytes, stream, kind)
        with self._lock:
            self._drain()
            block = self._take(nbytes, stream)
            stats = self._stats
            stats.in_use_bytes += nbytes
            stats.num_allocations += 1
            stats.peak_in_use_bytes = max(stats.peak_in_use_bytes, stats.in_use_bytes)
            stats.largest_allocation_bytes = max(stats.largest_allocation_bytes, nbytes)
            own = () if stream is None else (stream,)
            earlier = block.streams
            block.streams = _union(own, earlier)
        buffer = ArenaBuffer(self, block, nbytes)
        for other in earlier:
            if other is stream:
                continue
            if stream is None:
                _settle(other)
            else:
                stream.wait(other.record())
        block.streams = own
        return buffer

    def copy(self, src: RuntimeValue, dst: RuntimeValue, stream: Stream | None = None) -> None:
        """The backing runtime's copy."""
        self.runtime.copy(src, dst, stream)

    def new_stream(self) -> Stream | None:
        """The backing runtime's stream."""
        return self.runtime.new_stream()

    def wrap(self, ptr: int, nbytes: int, owner: object) -> Buffer:
        """The backing runtime's buffer over foreign memory."""
        return self.runtime.wrap(ptr, nbytes, owner)

    def trim(self) -> int:
        """Gives chunks without a block in use back to the runtime, and trims that; the number of bytes returned."""
        with self._lock:
            self._drain()
            released = self._release_chunks()
            self._next_chunk_bytes = max(BLOCK_BYTES, self.settings.regrowth_chunk_bytes)
        # A runtime with a pool of its own counts the chunks again.
        return max(released, self.runtime.trim())

    def stats(self) -> MemoryStats:
        """Bytes as the callers asked for them; `reserved_bytes` is what the chunks take, `num_reserves` their number."""
        with self._lock:
            self._drain()
            return replace(self._stats)

    def after_fork(self) -> None:
        """The backing runtime decides whether the device can be used."""
        self.runtime.after_fork()

    def add_stream(self, block: _Block, stream: Stream) -> None:
        """See `ArenaBuffer.record_stream`."""
        with self._lock:
            block.streams = _union(block.streams, (stream,))

    def give_back(self, block: _Block, nbytes: int) -> None:
        """Called by the finalizer of a buffer, in any thread and at any point."""
        self._returned.append((block, nbytes))
        if self._lock.acquire(blocking=False):
            try:
                self._drain()
            finally:
                self._lock.release()

    def __del__(self) -> None:
        for first in self._first_blocks:
            block: _Block | None = first
            while block is not None:
                for stream in block.streams:
                    _settle(stream)
                block.before, block.after, block = None, None, block.after

    def _drain(self) -> None:
        while self._returned:
            block, nbytes = self._returned.popleft()
            self._stats.in_use_bytes -= nbytes
            block.free = True
            before, after = block.before, block.after
            if after is not None and after.free and _same(after.streams, block.streams):
                self._remove(after)
                block.absorb(after)
            if before is not None and before.free and _same(before.streams, block.streams):
                self._remove(before)
                before.absorb(block)
                block = before
            insort(self._free, block, key=_key)

    def _take(self, nbytes: int, stream: Stream | None) -> _Block:
        size = max(BLOCK_BYTES, (nbytes + BLOCK_BYTES - 1) // BLOCK_BYTES * BLOCK_BYTES)
        block = self._fit(size, stream)
        if block is None and self._merge_across_streams():
            block = self._fit(size, stream)
        if block is None:
            block = self._extend(size, nbytes)
        self._remove(block)
        block.free = False
        rest = block.key[0] - size
        if rest >= size or rest >= max(BLOCK_BYTES, self.settings.split_bytes):
            insort(self._free, block.split(size), key=_key)
        return block

    def _fit(self, size: int, stream: Stream | None) -> _Block | None:
        """The smallest block that fits without a wait, else the smallest that fits."""
        smallest: _Block | None = None
        for index in range(bisect_left(self._free, (size, 0), key=_key), len(self._free)):
            block = self._free[index]
            if all(s is stream for s in block.streams):
                return block
            smallest = smallest or block
        return smallest

    def _merge_across_streams(self) -> bool:
        merged = False
        for first in self._first_blocks:
            block: _Block | None = first
            while block is not None:
                while block.free and block.after is not None and block.after.free:
                    self._remove(block)
                    self._remove(block.after)
                    block.absorb(block.after)
                    insort(self._free, block, key=_key)
                    merged = True
                block = block.after
        return merged

    def _remove(self, block: _Block) -> None:
        del self._free[bisect_left(self._free, block.key, key=_key)]

    def _extend(self, size: int, nbytes: int) -> _Block:
        settings = self.settings
        wanted = size
        if not settings.exact and size <= settings.max_chunk_bytes:
            wanted = self._next_chunk_bytes
            while wanted < size:
                wanted *= 2
        chunk = self._reserve(wanted, size, nbytes)
        if not settings.exact:
            self._next_chunk_bytes = max(
                BLOCK_BYTES, min(max(wanted, self._next_chunk_bytes * 2), settings.max_chunk_bytes)
            )
        self._stats.reserved_bytes += chunk.nbytes
        self._stats.num_reserves += 1
        block = _Block(chunk, chunk.ptr, chunk.nbytes // BLOCK_BYTES * BLOCK_BYTES)
        self._first_blocks.append(block)
        insort(self._free, block, key=_key)
        return block

    def _reserve(self, wanted: int, needed: int, nbytes: int) -> Buffer:
        """A chunk of `wanted` bytes, or of fewer where the cap or the device allows no more, but of `needed` at least."""
        limit = self.settings.limit_bytes
        failure: OutOfMemory | None = None
        while True:
            room = wanted if limit is None else limit - self._stats.reserved_bytes
            for size in dict.fromkeys((min(wanted, room // BLOCK_BYTES * BLOCK_BYTES), needed)):
                if needed <= size <= max(room, 0):
                    try:
                        return self.runtime.allocate(size, None, self.kind)
                    except OutOfMemory as error:
                        failure = error
            if not self._release_chunks():
                raise self._out_of_memory(nbytes) from failure

    def _release_chunks(self) -> int:
        """Drops the chunks without a block in use, once the device is done with them."""
        self._merge_across_streams()
        kept, released = [], 0
        for block in self._first_blocks:
            if not block.free or block.after is not None:
                kept.append(block)
                continue
            for stream in block.streams:
                _settle(stream)
            self._remove(block)
            released += block.chunk.nbytes
        self._first_blocks = kept
        self._stats.reserved_bytes -= released
        return released

    def _out_of_memory(self, nbytes: int) -> OutOfMemory:
        stats = self._stats
        limit = stats.limit_bytes
        cap = f"the cap is {limit} bytes" if limit is not None else "there is no cap"
        remedy = "Raise max_mem in its OrtArenaCfg" if limit is not None else "Set a cap"
        return OutOfMemory(
            f"cannot allocate {nbytes} bytes on {self.device}: {stats.in_use_bytes} bytes are in use, "
            f"{stats.reserved_bytes} reserved, {cap}. {remedy}, use smaller batches, or drop values that are not needed."
        )


_key = operator.attrgetter("key")


def _settle(stream: Stream) -> None:
    """Waits until a stream is done; its failure is reported to those who use it."""
    with contextlib.suppress(Exception):
        stream.record().wait_host()


def _union(a: tuple[Stream, ...], b: tuple[Stream, ...]) -> tuple[Stream, ...]:
    return a + tuple(s for s in b if not any(s is t for t in a)) if b else a


def _same(a: tuple[Stream, ...], b: tuple[Stream, ...]) -> bool:
    return len(a) == len(b) and len(_union(a, b)) == len(a)


_arenas: weakref.WeakSet[Arena] = weakref.WeakSet()
_locked_for_fork: list[Arena] = []


def _before_fork() -> None:
    for arena in list(_arenas):
        arena._lock.acquire()
        _locked_for_fork.append(arena)


def _after_fork_in_parent() -> None:
    while _locked_for_fork:
        _locked_for_fork.pop()._lock.release()


def _after_fork_in_child() -> None:
    while _locked_for_fork:
        _locked_for_fork.pop()._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
