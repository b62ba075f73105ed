from __future__ import annotations

import pytest

from ort_core.errors import EPFail, InvalidArgument
from ort_core.providers import discovery, registry
from ort_core.providers.discovery import ProviderReport, provider_report
from ort_core.providers.spec import API_VERSION

NAME = "BrokenExecutionProvider"


def rows(name: str) -> list[ProviderReport]:
    return [row for row in provider_report() if row.name == name]


def row(name: str = NAME) -> ProviderReport:
    (found,) = rows(name)
    return found


def test_working_plugin_is_reported_available(site):
    site.provider("GoodExecutionProvider", "ort-good", priority=7, auto=True, version="3.2")
    assert row("GoodExecutionProvider") == ProviderReport(
        "GoodExecutionProvider", "ort-good", "3.2", "ort_good_plugin:plugin", 7, True, "available"
    )


def test_unavailable_plugin_is_reported_with_reason_and_remedy(site):
    site.provider("AbsentExecutionProvider", "ort-absent", ok=False)
    found = row("AbsentExecutionProvider")
    assert (found.status, found.reason, found.remedy) == ("unavailable", "no such device", "Buy one.")
    assert found.priority == 1


@pytest.mark.parametrize(
    ("module", "reason", "remedy"),
    [
        ("fails_at_import", "OSError: libbroken.so.1", "pip install --upgrade --force-reinstall ort-broken"),
        ("exits_at_import", "raised SystemExit: 3", "pip install --upgrade --force-reinstall ort-broken"),
        ("needs_a_missing_package", "ModuleNotFoundError", "pip install a_package_that_nobody_has"),
        ("has_no_plugin", "has no attribute 'plugin'", "ort-broken"),
        ("raises_in_constructor", "ValueError: no configuration file", "ort-broken"),
        ("raises_in_probe", "probe() raised RuntimeError: driver query failed", "ort-broken"),
    ],
)
def test_plugin_that_raises_is_reported_with_traceback_and_command(site, module, reason, remedy):
    site.broken(module)
    found = row()
    assert found.status == "failed"
    assert reason in found.reason
    assert remedy in found.remedy
    assert "Traceback" in found.traceback


@pytest.mark.parametrize(
    ("module", "reason", "remedy"),
    [
        ("newer_major", "needs provider API 2.0, this ort-core has 1.0", "pip install --upgrade ort-core"),
        ("newer_minor", "needs provider API 1.1, this ort-core has 1.0", "pip install --upgrade ort-core"),
        ("older_major", "needs provider API 0.9, this ort-core has 1.0", "pip install --upgrade ort-broken"),
        ("states_no_api", "states no provider API version", "pip install --upgrade ort-broken"),
        ("probes_with_a_bool", "probe() must return an Availability, got bool", "authors of ort-broken"),
        ("has_bad_options", "option 'device' has the unsupported type", "authors of ort-broken"),
    ],
)
def test_plugin_that_breaks_the_protocol_is_reported(site, module, reason, remedy):
    assert API_VERSION == (1, 0)
    site.broken(module)
    found = row()
    assert found.status == "failed"
    assert reason in found.reason
    assert remedy in found.remedy


def test_every_wrong_attribute_is_named_at_once(site):
    site.broken("has_bad_attributes")
    reason = row().reason
    for part in ("name is 'SomethingElse", "priority must be an int, got 'high'", "auto must be a bool", "'cpu'"):
        assert part in reason


@pytest.mark.parametrize("module", ["fails_at_import", "exits_at_import", "newer_major", "raises_in_probe"])
def test_broken_plugin_disables_only_itself(site, module):
    site.broken(module)
    site.provider("GoodExecutionProvider", "ort-good")
    available = registry.get_available_providers()
    assert "GoodExecutionProvider" in available
    assert NAME not in available
    assert NAME in registry.get_all_providers()


def test_keyboard_interrupt_during_import_goes_through(site):
    site.install(
        "ort-slow",
        groups={"ort_core.providers": {"SlowExecutionProvider": "slow_plugin:plugin"}},
        modules={"slow_plugin": "raise KeyboardInterrupt"},
    )
    with pytest.raises(KeyboardInterrupt):
        registry.get_available_providers()


def test_asking_for_a_broken_plugin_raises_with_its_exception_as_cause(site):
    site.broken("fails_at_import")
    with pytest.raises(
        EPFail, match=r"BrokenExecutionProvider \(from ort-broken 1.0\) cannot be used: .*libbroken"
    ) as info:
        registry.plugin(NAME)
    assert isinstance(info.value.__cause__, OSError)


def test_two_distributions_with_one_name_are_both_refused(site):
    site.provider("TwinExecutionProvider", "ort-twin-a")
    site.provider("TwinExecutionProvider", "ort-twin-b")
    found = rows("TwinExecutionProvider")
    assert {r.distribution for r in found} == {"ort-twin-a", "ort-twin-b"}
    assert {r.status for r in found} == {"failed"}
    with pytest.raises(
        EPFail, match="2 distributions provide TwinExecutionProvider: ort-twin-a, ort-twin-b; none is used"
    ):
        registry.plugin("TwinExecutionProvider")
    assert "TwinExecutionProvider" not in registry.get_available_providers()


def test_allow_list_settles_a_conflict_of_names(site, monkeypatch):
    site.provider("TwinExecutionProvider", "ort-twin-a", priority=1)
    site.provider("TwinExecutionProvider", "ort-twin-b", priority=2)
    monkeypatch.setenv("ORT_CORE_PLUGINS", "Ort_Twin_B")
    assert registry.plugin("TwinExecutionProvider").priority == 2


@pytest.mark.parametrize("name", ["CPUExecutionProvider", "CUDAExecutionProvider", "ReferenceExecutionProvider"])
def test_first_party_names_are_reserved(site, name):
    site.provider(name, "ort-impostor", priority=999)
    refused = next(r for r in rows(name) if r.distribution == "ort-impostor")
    assert refused.status == "failed"
    assert "is reserved to" in refused.reason
    assert "pip uninstall ort-impostor" in refused.remedy
    slot = discovery.catalog().slots.get(name)
    assert slot is None or slot.entry.distribution != "ort-impostor"


def test_claim_to_a_reserved_name_is_named_when_the_owner_is_not_installed(site):
    site.provider("CUDAExecutionProvider", "ort-impostor")
    with pytest.raises(EPFail, match=r"not installed.*ort-impostor claims the name.*ort-provider-cuda\[cuda12\]"):
        registry.plugin("CUDAExecutionProvider")


def test_owner_of_a_reserved_name_is_used_beside_an_impostor(site, tmp_path):
    site.provider("CPUExecutionProvider", "ort-impostor")
    (site.path / "ort_provider_cpu-0.dist-info" / "METADATA").unlink()
    (site.path / "ort_provider_cpu-0.dist-info").rmdir()
    site.provider("CPUExecutionProvider", "ort-provider-cpu", priority=5)
    assert registry.plugin("CPUExecutionProvider").priority == 5


def test_disable_switch_excludes_third_parties_only(site, monkeypatch):
    site.provider("GoodExecutionProvider", "ort-good")
    monkeypatch.setenv("ORT_CORE_DISABLE_PLUGINS", "1")
    assert row("GoodExecutionProvider").status == "disabled"
    assert "ORT_CORE_DISABLE_PLUGINS=1" in row("GoodExecutionProvider").reason
    assert "GoodExecutionProvider" not in registry.get_available_providers()
    assert row("ReferenceExecutionProvider").status != "disabled"
    monkeypatch.setenv("ORT_CORE_DISABLE_PLUGINS", "0")
    assert row("GoodExecutionProvider").status == "available"


@pytest.mark.parametrize("allowed", ["AExecutionProvider", "ort-a", " ort_a , other"])
def test_allow_list_takes_provider_and_distribution_names(site, monkeypatch, allowed):
    site.provider("AExecutionProvider", "ort-a")
    site.provider("BExecutionProvider", "ort-b")
    monkeypatch.setenv("ORT_CORE_PLUGINS", allowed)
    assert row("AExecutionProvider").status == "available"
    assert row("BExecutionProvider").status == "disabled"
    assert "ORT_CORE_PLUGINS" in row("BExecutionProvider").reason


def test_disabled_plugin_is_never_imported(site, monkeypatch):
    import sys

    site.broken("exits_at_import")
    monkeypatch.setenv("ORT_CORE_DISABLE_PLUGINS", "1")
    provider_report()
    registry.get_available_providers()
    assert "exits_at_import" not in sys.modules
    assert row().traceback == ""


def test_first_party_packages_that_are_missing_have_rows_with_install_commands(site):
    assert row("CPUExecutionProvider").status == "not installed"
    assert 'pip install "ort-provider-cpu"' in row("CPUExecutionProvider").remedy
    assert 'pip install "ort-provider-cuda[cuda12]"' in row("CUDAExecutionProvider").remedy


def test_reference_provider_is_there_without_any_metadata(site, monkeypatch):
    site.install("ort-core", version="0")
    slot = discovery.catalog().slots["ReferenceExecutionProvider"]
    assert slot.entry.value == "ort_core.providers.reference:plugin"


def test_refresh_gives_a_failed_plugin_another_chance(site):
    site.broken("fails_at_import")
    assert row().status == "failed"
    source = site.path / "fails_at_import.py"
    good = (
        "from ort_core.providers.spec import Plugin\n"
        "class plugin(Plugin):\n    name = 'BrokenExecutionProvider'\n    api = (1, 0)\n"
    )
    source.write_text(good)
    assert row().status == "failed"
    discovery.refresh()
    assert row().status == "available"


def test_loaded_plugin_survives_a_refresh(site):
    site.provider("GoodExecutionProvider", "ort-good")
    before = registry.plugin("GoodExecutionProvider")
    discovery.refresh()
    assert registry.plugin("GoodExecutionProvider") is before


def test_plugin_that_asks_for_providers_while_it_is_imported_works(site):
    source = """
    from ort_core.providers.registry import get_available_providers
    from ort_core.providers.spec import Plugin
    seen = get_available_providers()
    class CuriousPlugin(Plugin):
        api = (1, 0)
        name = "CuriousExecutionProvider"
    plugin = CuriousPlugin()
    """
    groups = {"ort_core.providers": {"CuriousExecutionProvider": "curious_plugin:plugin"}}
    site.install("ort-curious", groups=groups, modules={"curious_plugin": source})
    assert "CuriousExecutionProvider" in registry.get_available_providers()
    assert row("CuriousExecutionProvider").status == "available"


def test_names_nobody_knows_are_refused_with_the_nearest(site):
    site.provider("ExampleExecutionProvider", "ort-x")
    with pytest.raises(InvalidArgument, match="Did you mean 'ExampleExecutionProvider'"):
        registry.plugin("ExmapleExecutionProvider")
    with pytest.raises(InvalidArgument, match="Did you mean 'CUDAExecutionProvider'"):
        registry.plugin("cuda")


def test_names_only_onnxruntime_knows_are_explained(site):
    with pytest.raises(EPFail, match=r"TensorrtExecutionProvider is not installed.*list CUDAExecutionProvider"):
        registry.plugin("TensorrtExecutionProvider")
