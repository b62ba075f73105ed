from __future__ import annotations

import logging
import warnings

import pytest

from ort_core.errors import EPFail, Fail, InvalidArgument
from ort_core.providers import selection as module
from ort_core.providers.registry import plugin
from ort_core.providers.selection import Selection, create_providers, resolve_providers
from ort_core.providers.spec import SessionEnv

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
REFERENCE = "ReferenceExecutionProvider"
NO_CPU = {"session.disable_cpu_ep_fallback": "1"}
NO_REFERENCE = {"session.disable_reference_fallback": "1"}


def resolve(providers=None, options=None, config=None, **kwargs) -> Selection:
    return resolve_providers(providers, options, config or {}, **kwargs)


def chosen(selection: Selection) -> list[str]:
    return [p.name for p in selection.providers]


@pytest.fixture
def machine(empty_site, monkeypatch):
    """A CPU provider, an unavailable CUDA provider, and two third-party ones; only the first two start on their own."""
    monkeypatch.setattr(module, "_logged", set())
    empty_site.install("ort-provider-example", version="0")
    empty_site.provider(CPU, "ort-provider-cpu", priority=0, auto=True)
    empty_site.provider(CUDA, "ort-provider-cuda", priority=100, auto=True, ok=False)
    empty_site.provider("FirstExecutionProvider", "ort-first", priority=5)
    empty_site.provider("SecondExecutionProvider", "ort-second", priority=50)
    return empty_site


def test_listed_order_is_the_priority_and_cpu_is_appended(machine):
    found = resolve(["FirstExecutionProvider", "SecondExecutionProvider"])
    assert chosen(found) == ["FirstExecutionProvider", "SecondExecutionProvider", CPU]
    assert set(found.status.values()) == {"ok"}
    assert found.requested == ("FirstExecutionProvider", "SecondExecutionProvider")
    assert found.reference_fallback
    assert not found.reference_listed


def test_cpu_is_not_moved_when_listed(machine):
    assert chosen(resolve([CPU, "FirstExecutionProvider"])) == [CPU, "FirstExecutionProvider"]


@pytest.mark.parametrize("providers", [None, [], ()])
def test_nothing_listed_uses_the_available_plugins_marked_auto(machine, providers, caplog):
    machine.provider("EagerExecutionProvider", "ort-eager", priority=7, auto=True)
    found = resolve(providers)
    assert chosen(found) == ["EagerExecutionProvider", CPU]
    assert found.status[CUDA] == "no such device. Buy one."
    assert "CUDAExecutionProvider (ort-provider-cuda 1.0) is installed but not used: no such device" in caplog.text


def test_unused_automatic_provider_is_logged_once(machine, caplog):
    resolve()
    resolve()
    assert caplog.text.count("CUDAExecutionProvider (ort-provider-cuda 1.0) is installed but not used") == 1


def test_options_may_stand_in_tuples_or_beside(machine):
    name = "FirstExecutionProvider"
    assert resolve([(name, {"level": "3"})]).providers[0].options.level == 3
    assert resolve([name], [{"level": 4}]).providers[0].options.level == 4
    assert resolve((name,), ({},)).providers[0].options.level == 1


def test_wrong_options_are_refused_whatever_the_rule(machine):
    with pytest.raises(InvalidArgument, match=r"FirstExecutionProvider has no option 'levle'.*Did you mean 'level'"):
        resolve([("FirstExecutionProvider", {"levle": 3})])
    with pytest.raises(InvalidArgument, match="option 'level': got 'x', expected an integer"):
        resolve([("FirstExecutionProvider", {"level": "x"})])


@pytest.mark.parametrize(
    ("providers", "options", "message"),
    [
        (CPU, None, r"expected a sequence of names. Write providers=\['CPUExecutionProvider'\]"),
        ({CPU}, None, "expected a sequence of names"),
        (7, None, "expected a sequence of names"),
        ([[CPU, {}]], None, "expected a name or a tuple"),
        ([1], None, "expected a name or a tuple"),
        ([(CPU, {}, 1)], None, "expected a name or a tuple"),
        ([(CPU, [])], None, "expected a name or a tuple"),
        ([CPU], [], "'providers' has 1 entries and 'provider_options' 0"),
        ([(CPU, {})], [{}], "names only"),
        ([CPU], [1], "expected a dict"),
        ([CPU], {}, "expected a sequence with one dict per provider"),
        ([CPU], "x", "expected a sequence with one dict per provider"),
    ],
)
def test_malformed_arguments_are_refused_as_onnxruntime_refuses_them(machine, providers, options, message):
    with pytest.raises(ValueError, match=message):
        resolve(providers, options)


def test_options_without_providers_are_ignored_as_onnxruntime_does(machine):
    assert chosen(resolve(None, [{"a": 1}])) == [CPU]


def test_duplicates_warn_and_the_first_counts(machine):
    name = "FirstExecutionProvider"
    with pytest.warns(UserWarning, match="Duplicate provider 'FirstExecutionProvider'"):
        found = resolve([(name, {"level": 2}), (name, {"level": 9})])
    assert chosen(found) == [name, CPU]
    assert found.providers[0].options.level == 2


def test_unavailable_provider_warns_with_reason_and_remedy_at_the_callers_line(machine):
    with pytest.warns(
        UserWarning, match=r"Specified provider 'CUDAExecutionProvider' is not available: no such device. Buy one"
    ) as seen:
        found = resolve([CUDA, "FirstExecutionProvider"])
    assert chosen(found) == ["FirstExecutionProvider", CPU]
    assert found.status == {CUDA: "no such device. Buy one.", "FirstExecutionProvider": "ok", CPU: "ok"}
    assert seen[0].filename == __file__


def test_known_provider_that_is_not_installed_warns_with_the_command(site):
    with pytest.warns(UserWarning, match=r'pip install "ort-provider-cuda\[cuda12\]"'):
        found = resolve([CUDA, REFERENCE])
    assert chosen(found) == [REFERENCE]
    assert "not installed" not in found.status[REFERENCE]
    assert "no installed distribution provides it" in found.status[CUDA]


def test_name_that_only_onnxruntime_knows_warns(machine):
    with pytest.warns(UserWarning, match="'OpenVINOExecutionProvider' is not available"):
        assert chosen(resolve(["OpenVINOExecutionProvider"])) == [CPU]


def test_broken_plugin_warns_with_its_reason(machine):
    machine.broken("fails_at_import")
    with pytest.warns(UserWarning, match="libbroken.so.1.*pip install --upgrade --force-reinstall ort-broken"):
        assert chosen(resolve(["BrokenExecutionProvider"])) == [CPU]


@pytest.mark.parametrize("name", [CUDA, "OpenVINOExecutionProvider", "BrokenExecutionProvider"])
def test_raise_mode_raises_instead_of_warning(machine, name):
    machine.broken("fails_at_import")
    with pytest.raises(EPFail, match=name):
        resolve([name, CPU], on_provider_error="raise")


def test_unknown_name_is_refused_in_either_mode_before_any_warning(machine):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for mode in ("warn", "raise"):
            with pytest.raises(
                InvalidArgument, match=r"'FirstExecutionProvder'. Did you mean 'FirstExecutionProvider'"
            ):
                resolve([CUDA, "FirstExecutionProvder"], on_provider_error=mode)


def test_wrong_rule_is_refused(machine):
    with pytest.raises(InvalidArgument, match="expected 'warn' or 'raise'"):
        resolve(on_provider_error="ignore")


def test_cpu_fallback_switch_leaves_the_cpu_out_and_forbids_listing_it(machine):
    found = resolve(["FirstExecutionProvider"], config=NO_CPU)
    assert chosen(found) == ["FirstExecutionProvider"]
    assert not found.reference_fallback
    with pytest.raises(InvalidArgument, match="disable_cpu_ep_fallback=1 forbids it"):
        resolve(["FirstExecutionProvider", CPU], config=NO_CPU)


@pytest.mark.parametrize("value", ["0", "true", "2", ""])
def test_cpu_fallback_switch_counts_only_as_1(machine, value):
    assert chosen(resolve([CPU], config={"session.disable_cpu_ep_fallback": value})) == [CPU]


def test_cpu_fallback_switch_with_nothing_else_to_run_on_fails(machine):
    with pytest.raises(Fail, match="no execution provider is left to run on"):
        resolve(None, config=NO_CPU)
    with pytest.warns(UserWarning, match=CUDA), pytest.raises(Fail, match="CUDAExecutionProvider: no such device"):
        resolve([CUDA], config=NO_CPU)


def test_reference_provider_stands_in_when_nothing_else_is_installed(site, caplog, monkeypatch):
    monkeypatch.setattr(module, "_logged", set())
    found = resolve()
    assert chosen(found) == [REFERENCE]
    assert found.status == {REFERENCE: "ok"}
    assert not found.reference_listed
    assert 'pip install "ort-provider-cpu"' in caplog.text


def test_reference_fallback_switch(machine):
    assert not resolve([CPU], config=NO_REFERENCE).reference_fallback
    assert resolve([CPU, REFERENCE], config=NO_REFERENCE).reference_listed


def test_reference_fallback_switch_with_nothing_else_fails(site):
    with pytest.raises(Fail, match="pip install ort-provider-cpu"):
        resolve(config=NO_REFERENCE)


def test_broken_cpu_provider_that_was_not_listed_is_logged(empty_site, caplog, monkeypatch):
    monkeypatch.setattr(module, "_logged", set())
    empty_site.provider(CPU, "ort-provider-cpu", ok=False)
    empty_site.provider("FirstExecutionProvider", "ort-first")
    found = resolve(["FirstExecutionProvider"])
    assert chosen(found) == ["FirstExecutionProvider"]
    assert found.status[CPU] == "no such device. Buy one."
    assert "CPUExecutionProvider (ort-provider-cpu 1.0) is installed but not used" in caplog.text


def test_session_imports_only_the_plugins_it_was_asked_for(machine):
    import sys

    resolve(["FirstExecutionProvider"])
    assert "ort_first_plugin" in sys.modules
    assert "ort_second_plugin" not in sys.modules


def test_created_providers_are_in_order_and_know_their_name_and_options(machine):
    found = resolve([("FirstExecutionProvider", {"level": 2})])
    created = create_providers(found, SessionEnv())
    assert [p.name for p in created] == ["FirstExecutionProvider", CPU]
    assert created[0].options.level == 2


@pytest.mark.parametrize(
    ("broken", "reason"),
    [("raises_in_create", "driver version is too old"), ("creates_nonsense", "expected a Provider")],
)
def test_provider_that_cannot_be_created_warns_and_is_dropped(machine, broken, reason):
    machine.broken(broken)
    found = resolve(["BrokenExecutionProvider"])
    with pytest.warns(UserWarning, match=rf"'BrokenExecutionProvider' is not available: create\(\) raised .*{reason}"):
        created = create_providers(found, SessionEnv())
    assert [p.name for p in created] == chosen(found) == [CPU]
    assert reason in found.status["BrokenExecutionProvider"]


def test_provider_that_cannot_be_created_raises_in_raise_mode_and_closes_the_others(machine, monkeypatch):
    machine.broken("raises_in_create")
    closed = []
    found = resolve(["FirstExecutionProvider", "BrokenExecutionProvider"], on_provider_error="raise")
    provider_class = type(plugin("FirstExecutionProvider").create(None, SessionEnv()))
    monkeypatch.setattr(provider_class, "close", lambda self: closed.append(self.name))
    with pytest.raises(EPFail, match="driver version is too old") as info:
        create_providers(found, SessionEnv())
    assert isinstance(info.value.__cause__, RuntimeError)
    assert closed == ["FirstExecutionProvider"]


def test_reference_provider_stands_in_when_the_last_one_cannot_be_created(site):
    site.broken("raises_in_create")
    found = resolve(["BrokenExecutionProvider"])
    with pytest.warns(UserWarning, match="driver version is too old"):
        created = create_providers(found, SessionEnv())
    assert [p.name for p in created] == [REFERENCE]


def test_options_refused_by_create_are_an_error_in_either_mode(machine, monkeypatch):
    def create(self, options, env):
        raise InvalidArgument("level 7 is not supported by this device")

    monkeypatch.setattr(type(plugin("FirstExecutionProvider")), "create", create)
    with pytest.raises(InvalidArgument, match="level 7"):
        create_providers(resolve(["FirstExecutionProvider"]), SessionEnv())


def test_failure_of_an_unlisted_provider_is_logged_not_warned(machine, monkeypatch, caplog):
    def create(self, options, env):
        raise RuntimeError("no threads left")

    monkeypatch.setattr(type(plugin(CPU)), "create", create)
    with caplog.at_level(logging.WARNING):
        created = create_providers(resolve(["FirstExecutionProvider"]), SessionEnv())
    assert [p.name for p in created] == ["FirstExecutionProvider"]
    assert "no threads left" in caplog.text
