"""The registry: provider names, plugins by name, and one device runtime per device and process."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, NamedTuple

from ort_core.devices import Device
from ort_core.errors import EPFail, InvalidArgument, NotFound, OrtError
from ort_core.providers import discovery, names
from ort_core.providers.entry_points import PROVIDERS, EntryPoint
from ort_core.providers.loading import IN_PROCESS, Problem, Slot, check_plugin, error_of

if TYPE_CHECKING:
    from ort_core.memory.allocator import DeviceRuntime
    from ort_core.providers.spec import Plugin


class _OwnedRuntime(NamedTuple):
    runtime: DeviceRuntime
    provider: str
    pid: int


_runtimes: dict[tuple[str, int], _OwnedRuntime] = {}
_lock = threading.RLock()


def get_all_providers() -> list[str]:
    """The providers that are installed, and the first-party ones that could be: accelerators, CPU, reference.

    Imports no provider.
    """
    return discovery.default_order({*discovery.catalog().slots, *names.KNOWN})


def get_available_providers() -> list[str]:
    """The providers that work in this process, highest priority first.

    Imports the plugin modules, which are light, and asks each whether it can work here.
    """
    return [slot.name for slot, _ in available_slots()]


def available_slots() -> list[tuple[Slot, Plugin]]:
    """The slots of the available providers with their plugins, highest priority first."""
    slots = discovery.catalog().slots
    found = []
    for name in discovery.default_order(slots):
        slot = slots[name]
        loaded = slot.load()
        if not isinstance(loaded, Problem) and slot.check() is None:
            found.append((slot, loaded))
    found.sort(key=lambda item: -item[1].priority)
    return found


def plugin(name: str) -> Plugin:
    """The plugin of an installed provider, whether or not it can work here.

    Raises:
        InvalidArgument: no installed or known provider has the name.
        EPFail: it is not installed, is disabled, or could not be loaded.
    """
    slot = slot_of(name)
    loaded = slot.load()
    if isinstance(loaded, Problem):
        raise error_of(name, slot.entry, loaded)
    return loaded


def slot_of(name: str) -> Slot:
    """The slot of an installed provider.

    Raises:
        InvalidArgument: no installed or known provider has the name.
        EPFail: the name is known, but nothing installed provides it.
    """
    slot = discovery.catalog().slots.get(name)
    if slot is not None:
        return slot
    if names.is_known(name):
        row = discovery.missing_report(name)
        raise EPFail(f"{name} is not installed: {row.reason}. {row.remedy}")
    raise unknown_name(name)


def unknown_name(name: str) -> InvalidArgument:
    """The exception for a name that no installed or known provider has."""
    installed = get_all_providers()
    hint = names.did_you_mean(name, [*installed, *names.RESERVED, *names.ORT_ONLY])
    return InvalidArgument(
        f"no installed or known execution provider is called {name!r}.{hint} Known here: {', '.join(installed)}. "
        "A package of a third party must be installed first; `ort-core providers` lists what was found."
    )


def runtime_for_device(device: Device) -> DeviceRuntime:
    """The runtime that drives a device: one for each device of the process, made on first use.

    Raises:
        InvalidArgument: no installed provider has devices of this type.
        EPFail: the provider cannot work here, or failed to start its device.
    """
    key = (device.type, device.id)
    owned = _runtimes.get(key)
    if owned is not None and owned.pid == os.getpid():
        return owned.runtime
    with _lock:
        owned = _runtimes.get(key)
        if owned is None:
            provider, runtime = _start_runtime(device)
        elif owned.pid == os.getpid():
            return owned.runtime
        else:
            provider, runtime = owned.provider, owned.runtime
            runtime.after_fork()
        _runtimes[key] = _OwnedRuntime(runtime, provider, os.getpid())
        return runtime


def _start_runtime(device: Device) -> tuple[str, DeviceRuntime]:
    name, owner = _plugin_for(device)
    try:
        return name, owner.runtime(Device(device.type, device.id))
    except OrtError:
        raise
    except Exception as error:
        raise EPFail(f"{name} failed to start the device {device}: {type(error).__name__}: {error}") from error


def _plugin_for(device: Device) -> tuple[str, Plugin]:
    slots = discovery.catalog().slots
    offered: dict[str, str] = {}
    refused: list[tuple[Slot, Problem]] = []
    for name in discovery.default_order(slots):
        slot = slots[name]
        loaded = slot.load()
        if isinstance(loaded, Problem):
            continue
        offered.update(dict.fromkeys(loaded.device_types, name))
        if device.type in loaded.device_types:
            problem = slot.check()
            if problem is None:
                return name, loaded
            refused.append((slot, problem))
    if refused:
        slot, problem = refused[0]
        raise error_of(slot.name, slot.entry, problem)
    if device.type == "cuda":
        raise EPFail(f"no installed provider drives {device}. {names.install_hint(names.CUDA)}")
    have = ", ".join(sorted({"cpu", *offered}))
    raise InvalidArgument(
        f"no installed provider drives {device}: the device types here are {have}."
        f"{names.did_you_mean(device.type, ['cpu', 'cuda', *offered])} Install the provider of that device."
    )


def register_plugin(plugin: Plugin, distribution: str = IN_PROCESS) -> None:
    """Adds a provider for the rest of the process, without a package: for tests and applications.

    Args:
        distribution: whose it is, for messages.

    Raises:
        InvalidArgument: the plugin is malformed, or its name is reserved or taken.
    """
    name = getattr(plugin, "name", None)
    if not isinstance(name, str) or not name:
        raise InvalidArgument(
            f"cannot register {plugin!r}: expected an instance of Plugin with a name, got name={name!r}"
        )
    entry = EntryPoint(name, PROVIDERS, "", distribution, "", "")
    if problem := check_plugin(plugin, entry):
        raise error_of(name, entry, problem)
    owner = names.RESERVED.get(name)
    if owner and names.normalize_distribution(distribution) != owner:
        raise InvalidArgument(f"cannot register {name}: the name is reserved to {owner}. Choose another name.")
    taken = discovery.catalog().slots.get(name)
    if taken is not None:
        raise InvalidArgument(
            f"cannot register {name}: {taken.entry} provides it already. Choose another name, or unregister that one first."
        )
    discovery.add_registered(Slot(name, entry, plugin))


def unregister_plugin(name: str) -> None:
    """Removes a provider that `register_plugin` added; sessions that use it go on.

    Raises:
        NotFound: no registered provider has the name.
    """
    if not discovery.remove_registered(name):
        raise NotFound(
            f"no provider registered in this process is called {name!r}. Installed ones are removed with pip."
        )
    with _lock:
        for key in [k for k, owned in _runtimes.items() if owned.provider == name]:
            del _runtimes[key]


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
