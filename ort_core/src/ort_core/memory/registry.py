"""The process's device runtimes and shared allocators."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ort_core.devices import HOST, Device
from ort_core.errors import InvalidArgument
from ort_core.memory.arena import Arena, ArenaSettings
from ort_core.memory.host import host_runtime
from ort_core.memory.memory_info import OrtAllocatorType, OrtArenaCfg, OrtMemoryInfo

if TYPE_CHECKING:
    from ort_core.memory.allocator import DeviceRuntime

_CPU_PROVIDER = "CPUExecutionProvider"
_STRATEGIES = {"kNextPowerOfTwo": False, "kSameAsRequested": True}

_log = logging.getLogger("ort_core")
_lock = threading.Lock()
_allocators: dict[Device, DeviceRuntime] = {}


def _ask_provider_registry(device: Device) -> DeviceRuntime:
    from ort_core.providers.registry import runtime_for_device

    return runtime_for_device(device)


_resolver: Callable[[Device], DeviceRuntime] = _ask_provider_registry


def runtime_for(device: Device) -> DeviceRuntime:
    """The runtime that drives a device; the memory kind (`pinned`) makes no difference.

    Raises:
        InvalidArgument: nothing installed has devices of this type.
        EPFail: its provider cannot work here.
    """
    if device.type == HOST.type:
        return host_runtime()
    return _resolver(device)


def allocator_for(device: Device) -> DeviceRuntime:
    """The shared allocator registered for a device's memory, else its runtime.

    Raises:
        InvalidArgument, EPFail: as `runtime_for`.
    """
    runtime = runtime_for(device)
    with _lock:
        return _allocators.get(_memory_of(device), runtime)


def create_and_register_allocator(mem_info: OrtMemoryInfo, arena_cfg: OrtArenaCfg | None, /) -> None:
    """Makes an allocator of host memory that sessions and values share.

    Registering a memory again replaces its allocator; memory that is in use stays valid.

    Raises:
        InvalidArgument: `mem_info` is not the CPU's.
    """
    _check_types(mem_info, arena_cfg)
    if mem_info.device != HOST:
        raise InvalidArgument(
            f"create_and_register_allocator takes CPU memory only, got {mem_info}. For another device call "
            "create_and_register_allocator_v2 with its provider's name."
        )
    _register(mem_info, ArenaSettings.from_cfg(arena_cfg))


def create_and_register_allocator_v2(
    provider_type: str, mem_info: OrtMemoryInfo, options: Mapping[str, str], arena_cfg: OrtArenaCfg | None, /
) -> None:
    """Makes an allocator of a device's memory that sessions and values share.

    Registering a memory again replaces its allocator; memory that is in use stays valid.

    Args:
        provider_type: the execution provider that drives the device.
        options: `gpu_mem_limit` and `arena_extend_strategy` as the provider spells them; `arena_cfg` goes before them.

    Raises:
        InvalidArgument: the provider does not drive that memory.
        EPFail: it cannot work here.
    """
    _check_types(mem_info, arena_cfg)
    if (provider_type == _CPU_PROVIDER) != (mem_info.device == HOST):
        raise InvalidArgument(
            f"create_and_register_allocator_v2: {provider_type} does not drive {mem_info.device}, which is the memory "
            f"that {mem_info} names. Pass the provider of that device."
        )
    _register(mem_info, _settings(arena_cfg, options))


def memory_stats(device: Device | str = HOST) -> dict[str, int]:
    """Bytes and counts of the allocator of a device: what is in use, at most was, is reserved, and the cap.

    Args:
        device: a `Device`, or its text: `cpu`, `cuda:1`.

    Raises:
        InvalidArgument, EPFail: as `runtime_for`.
    """
    return allocator_for(_device(device)).stats().as_dict()


def trim(device: Device | str = HOST) -> int:
    """Returns a device's unused memory to the system; the number of bytes returned.

    Raises:
        InvalidArgument, EPFail: as `runtime_for`.
    """
    return allocator_for(_device(device)).trim()


def _register(mem_info: OrtMemoryInfo, settings: ArenaSettings) -> None:
    device = mem_info.device
    runtime = runtime_for(device)
    if mem_info.allocator_type is OrtAllocatorType.INVALID:
        raise InvalidArgument(f"{mem_info} has no allocator type. Use ORT_ARENA_ALLOCATOR or ORT_DEVICE_ALLOCATOR.")
    with _lock:
        if mem_info.allocator_type is OrtAllocatorType.ORT_DEVICE_ALLOCATOR:
            _allocators.pop(_memory_of(device), None)
            return
        registered = _allocators.get(_memory_of(device))
        if not isinstance(registered, Arena) or registered.settings != settings or registered.runtime is not runtime:
            _allocators[_memory_of(device)] = Arena(runtime, settings, device.memory)


def _memory_of(device: Device) -> Device:
    return HOST if device.type == HOST.type else device


def _device(device: Device | str) -> Device:
    if isinstance(device, Device):
        return device
    kind, _, index = device.lower().partition(":")
    if index and not index.isdecimal():
        raise InvalidArgument(f"{device!r} is not a device. Write it as 'cpu' or 'cuda:1'.")
    return Device(kind, int(index or 0))


def _settings(cfg: OrtArenaCfg | None, options: Mapping[str, str]) -> ArenaSettings:
    settings = ArenaSettings.from_cfg(cfg)
    for name, value in options.items():
        if name == "gpu_mem_limit" and value.isdecimal():
            settings = replace(settings, limit_bytes=settings.limit_bytes or int(value) or None)
        elif name == "arena_extend_strategy" and value in _STRATEGIES:
            if cfg is None or cfg.arena_extend_strategy < 0:
                settings = replace(settings, exact=_STRATEGIES[value])
        elif name in ("gpu_mem_limit", "arena_extend_strategy"):
            raise InvalidArgument(f"create_and_register_allocator_v2: {name} cannot be {value!r}")
        else:
            _log.warning("create_and_register_allocator_v2: option '%s' has no effect on an allocator", name)
    return settings


def _check_types(mem_info: object, arena_cfg: object) -> None:
    if not isinstance(mem_info, OrtMemoryInfo) or not isinstance(arena_cfg, OrtArenaCfg | None):
        raise InvalidArgument(f"expected an OrtMemoryInfo and an OrtArenaCfg, got {mem_info!r} and {arena_cfg!r}")


def _after_fork_in_child() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it
    _lock = threading.Lock()
    host_runtime().after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
