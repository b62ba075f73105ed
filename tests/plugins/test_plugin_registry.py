from __future__ import annotations

import os
import threading
import time

import pytest

from ort_core.devices import Device
from ort_core.errors import EPFail, InvalidArgument, NotFound
from ort_core.providers.registry import (
    get_all_providers,
    get_available_providers,
    plugin,
    register_plugin,
    runtime_for_device,
    unregister_plugin,
)
from ort_core.providers.spec import Availability, Plugin


class FakeRuntime:
    def __init__(self, device):
        self.device = device
        self.forks = 0

    def after_fork(self):
        self.forks += 1


class DevicePlugin(Plugin):
    api = (1, 0)
    name = "NpuExecutionProvider"
    device_types = frozenset({"npu"})
    ok = True

    def __init__(self):
        self.started = []

    def probe(self):
        return Availability(self.ok, "no NPU in this machine", "Use another machine.")

    def runtime(self, device):
        if device.id > 3:
            raise RuntimeError(f"there are 4 devices, not {device.id + 1}")
        time.sleep(0.01)
        self.started.append(device)
        return FakeRuntime(device)


@pytest.fixture
def npu(site):
    instance = DevicePlugin()
    register_plugin(instance)
    yield instance
    unregister_plugin("NpuExecutionProvider")


def test_all_providers_are_listed_without_import_accelerators_first(site):
    site.provider("ZExecutionProvider", "ort-z", priority=-5)
    site.provider("AExecutionProvider", "ort-a")
    site.broken("fails_at_import")
    assert get_all_providers() == [
        "CUDAExecutionProvider",
        "AExecutionProvider",
        "BrokenExecutionProvider",
        "ZExecutionProvider",
        "CPUExecutionProvider",
        "ReferenceExecutionProvider",
    ]


def test_available_providers_are_in_order_of_priority(site):
    site.provider("LowExecutionProvider", "ort-low", priority=3)
    site.provider("HighExecutionProvider", "ort-high", priority=30)
    site.provider("AbsentExecutionProvider", "ort-absent", priority=50, ok=False)
    found = [n for n in get_available_providers() if n in ("LowExecutionProvider", "HighExecutionProvider")]
    assert found == ["HighExecutionProvider", "LowExecutionProvider"]
    assert "AbsentExecutionProvider" not in get_available_providers()


def test_runtime_is_one_object_for_each_device(npu):
    first = runtime_for_device(Device("npu"))
    assert runtime_for_device(Device("npu", 0, "pinned")) is first
    assert runtime_for_device(Device("npu", 1)) is not first
    assert npu.started == [Device("npu", 0), Device("npu", 1)]


def test_threads_that_ask_at_once_get_one_runtime(npu):
    found = []
    threads = [threading.Thread(target=lambda: found.append(runtime_for_device(Device("npu", 2)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert npu.started == [Device("npu", 2)]


def test_runtime_that_fails_to_start_is_an_error_with_its_cause(npu):
    with pytest.raises(
        EPFail, match="NpuExecutionProvider failed to start the device npu:9: RuntimeError: there are 4"
    ):
        runtime_for_device(Device("npu", 9))


def test_device_of_an_unavailable_provider_is_an_error_with_the_remedy(npu):
    npu.ok = False
    with pytest.raises(EPFail, match=r"no NPU in this machine. Use another machine"):
        runtime_for_device(Device("npu"))


def test_unknown_device_type_is_an_error_with_the_nearest(npu):
    with pytest.raises(InvalidArgument, match=r"the device types here are cpu, npu. Did you mean 'npu'"):
        runtime_for_device(Device("npx"))


def test_cuda_without_its_package_is_an_error_with_the_command(site):
    with pytest.raises(EPFail, match=r"ort-provider-cuda\[cuda12\]"):
        runtime_for_device(Device("cuda"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_runtime_is_told_of_a_fork_before_its_first_use_in_the_child(npu):
    runtime = runtime_for_device(Device("npu"))
    pid = os.fork()
    if pid == 0:
        same = runtime_for_device(Device("npu")) is runtime
        runtime_for_device(Device("npu"))
        os._exit(0 if same and runtime.forks == 1 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert runtime.forks == 0


def test_registered_plugin_is_found_and_can_be_removed(npu):
    assert plugin("NpuExecutionProvider") is npu
    assert "NpuExecutionProvider" in get_available_providers()


def test_unregistered_plugin_is_gone(site):
    register_plugin(DevicePlugin())
    unregister_plugin("NpuExecutionProvider")
    assert "NpuExecutionProvider" not in get_all_providers()
    with pytest.raises(NotFound):
        unregister_plugin("NpuExecutionProvider")


def test_registering_again_gives_a_new_runtime(site):
    for _ in range(2):
        instance = DevicePlugin()
        register_plugin(instance)
        runtime_for_device(Device("npu"))
        assert instance.started
        unregister_plugin("NpuExecutionProvider")


def test_environment_does_not_disable_what_the_application_registers(npu, monkeypatch):
    monkeypatch.setenv("ORT_CORE_DISABLE_PLUGINS", "1")
    assert "NpuExecutionProvider" in get_available_providers()


def test_taken_reserved_and_malformed_plugins_are_refused(site, npu):
    class Impostor(Plugin):
        api = (1, 0)
        name = "CPUExecutionProvider"

    class Later(Plugin):
        name = "LaterExecutionProvider"
        api = (2, 0)

    with pytest.raises(InvalidArgument, match="provides it already"):
        register_plugin(DevicePlugin())
    with pytest.raises(InvalidArgument, match=r"reserved to ort-provider-cpu"):
        register_plugin(Impostor())
    with pytest.raises(EPFail, match=r"needs provider API 2.0"):
        register_plugin(Later())
    with pytest.raises(InvalidArgument, match="expected an instance of Plugin"):
        register_plugin(object())
