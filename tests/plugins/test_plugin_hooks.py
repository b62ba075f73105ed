from __future__ import annotations

import subprocess
import sys

import pytest

from ort_core.errors import InvalidArgument, InvalidGraph
from ort_core.ir.passes import Level
from ort_core.providers import hooks
from ort_core.providers.discovery import provider_report
from ort_core.providers.registry import get_all_providers, get_available_providers
from ort_core.providers.spec import Plugin


@pytest.fixture
def register():
    names = []

    def add(module, name=""):
        names.append(hooks.register_hooks(module, name))
        return names[-1]

    yield add
    for name in names:
        hooks.unregister_hooks(name)


class Passes:
    @hooks.hookimpl
    def ort_core_graph_passes(self, level):
        return [f"pass at {level.name}"]


class FailingPasses:
    @hooks.hookimpl
    def ort_core_graph_passes(self):
        raise RuntimeError("no passes today")


class LazyFailingPasses:
    @hooks.hookimpl
    def ort_core_graph_passes(self):
        yield "half a pass"
        raise RuntimeError("the rest is missing")


def test_answers_of_all_plugins_are_collected(site, register):
    register(Passes(), "one")
    register(Passes(), "two")
    assert hooks.graph_passes(Level.EXTENDED) == ["pass at EXTENDED"] * 2


@pytest.mark.parametrize("failing", [FailingPasses, LazyFailingPasses])
def test_failing_hook_is_reported_and_the_others_answer(site, register, failing, caplog):
    register(failing(), "bad")
    register(Passes(), "good")
    assert hooks.graph_passes(Level.ALL) == ["pass at ALL"]
    (problem,) = hooks.hook_problems()
    assert problem.hook == "ort_core_graph_passes"
    assert "RuntimeError" in problem.reason
    assert "Traceback" in problem.traceback
    assert "hooks of bad: the hook ort_core_graph_passes raised RuntimeError" in caplog.text


def test_hooks_can_register_providers(site, register):
    class HookedPlugin(Plugin):
        api = (1, 0)
        name = "HookedExecutionProvider"

    class WrongPlugin(Plugin):
        name = "WrongExecutionProvider"
        api = (9, 0)

    class Module:
        @hooks.hookimpl
        def ort_core_register_providers(self):
            return [HookedPlugin(), WrongPlugin(), object()]

    register(Module())
    assert "HookedExecutionProvider" in get_all_providers()
    assert "HookedExecutionProvider" in get_available_providers()
    assert "WrongExecutionProvider" not in get_available_providers()
    rows = {r.name: r for r in provider_report()}
    assert rows["WrongExecutionProvider"].status == rows["object"].status == "failed"


def test_providers_of_unregistered_hooks_are_gone(site):
    class HookedPlugin(Plugin):
        api = (1, 0)
        name = "HookedExecutionProvider"

    class Module:
        @hooks.hookimpl
        def ort_core_register_providers(self):
            yield HookedPlugin()

    hooks.register_hooks(Module(), "temporary")
    assert "HookedExecutionProvider" in get_all_providers()
    hooks.unregister_hooks("temporary")
    assert "HookedExecutionProvider" not in get_all_providers()


def test_hook_modules_come_from_entry_points(site):
    source = """
    from ort_core.providers.hooks import hookimpl

    @hookimpl
    def ort_core_register_custom_ops():
        return ["an op"]
    """
    site.install("ort-hooked", groups={"ort_core.hooks": {"x": "hooked_module"}}, modules={"hooked_module": source})
    assert hooks.custom_ops() == [("ort-hooked", "an op")]


def test_hook_module_that_fails_to_import_disables_only_itself(site, register, caplog):
    site.install("ort-bad", groups={"ort_core.hooks": {"x": "bad_hooks:hooks"}}, modules={"bad_hooks": "1 / 0"})
    register(Passes(), "good")
    assert hooks.graph_passes(Level.BASIC) == ["pass at BASIC"]
    (problem,) = hooks.hook_problems()
    assert problem.distribution == "ort-bad"
    assert "ZeroDivisionError" in problem.reason
    assert "pip install" in caplog.text


def test_disabled_hook_modules_are_not_imported(site, monkeypatch):
    site.install("ort-bad", groups={"ort_core.hooks": {"x": "bad_hooks:hooks"}}, modules={"bad_hooks": "1 / 0"})
    monkeypatch.setenv("ORT_CORE_DISABLE_PLUGINS", "1")
    assert hooks.graph_passes(Level.BASIC) == []
    assert hooks.hook_problems() == []


def test_hook_module_that_asks_for_providers_while_it_is_imported_works(site):
    source = """
    from ort_core.providers.registry import get_all_providers
    from ort_core.providers.hooks import hookimpl

    seen = get_all_providers()

    class hooks:
        @staticmethod
        @hookimpl
        def ort_core_graph_passes(level):
            return ["curious"]
    """
    groups = {"ort_core.hooks": {"x": "curious_hooks:hooks"}}
    site.install("ort-curious", groups=groups, modules={"curious_hooks": source})
    assert hooks.graph_passes(Level.BASIC) == ["curious"]
    assert hooks.hook_problems() == []


def test_mistakes_of_a_hook_module_are_refused(site):
    class Unknown:
        @hooks.hookimpl
        def ort_core_graph_pases(self):
            return []

    class WrongArgument:
        @hooks.hookimpl
        def ort_core_graph_passes(self, graph):
            return []

    class Wrapper:
        @hooks.hookimpl(wrapper=True)
        def ort_core_graph_passes(self):
            return (yield)

    with pytest.raises(
        InvalidArgument, match=r"no hook called 'ort_core_graph_pases'. Did you mean 'ort_core_graph_passes'"
    ):
        hooks.register_hooks(Unknown())
    with pytest.raises(InvalidArgument, match="graph"):
        hooks.register_hooks(WrongArgument())
    with pytest.raises(InvalidArgument, match="wrapper"):
        hooks.register_hooks(Wrapper())
    with pytest.raises(InvalidArgument, match="implements no hook"):
        hooks.register_hooks(object())
    with pytest.raises(InvalidArgument, match="no hooks called 'x'"):
        hooks.unregister_hooks("x")


def test_name_cannot_be_registered_twice(site, register):
    register(Passes(), "one")
    with pytest.raises(InvalidArgument, match="registered already"):
        hooks.register_hooks(Passes(), "one")


def test_first_loader_that_knows_the_format_wins(site, register):
    asked = []

    class Loader:
        def __init__(self, suffix):
            self.suffix = suffix

        @hooks.hookimpl
        def ort_core_load_model(self, source):
            asked.append(self.suffix)
            return f"model from {self.suffix}" if source.endswith(self.suffix) else None

    register(Loader(".a"), "a")
    register(Loader(".b"), "b")
    assert hooks.load_model("m.b") == "model from .b"
    assert asked == [".b"]
    assert hooks.load_model("m.a") == "model from .a"
    assert hooks.load_model("m.onnx") is None


def test_error_in_a_recognised_format_goes_through_and_a_crash_does_not(site, register):
    class Strict:
        @hooks.hookimpl
        def ort_core_load_model(self, source):
            if source == "bad":
                raise InvalidGraph("layer 3 has no inputs")
            raise ZeroDivisionError

    register(Strict())
    with pytest.raises(InvalidGraph, match="layer 3"):
        hooks.load_model("bad")
    assert hooks.load_model("other") is None
    assert len(hooks.hook_problems()) == 1


def test_session_observers_are_told(site, register):
    seen = []

    class Observer:
        @hooks.hookimpl
        def ort_core_session_created(self, session):
            seen.append(("created", session))

        @hooks.hookimpl
        def ort_core_session_closed(self, session):
            seen.append(("closed", session))

    register(Observer())
    hooks.session_created("s")
    hooks.session_closed("s")
    assert seen == [("created", "s"), ("closed", "s")]


def test_run_observers_get_one_event_at_start_and_end(site, register):
    seen = []

    class Observer:
        @hooks.hookimpl
        def ort_core_run_started(self, event):
            seen.append((event, event.finished_ns))

        @hooks.hookimpl
        def ort_core_run_finished(self, event):
            seen.append((event, event.finished_ns))

    class Counter:
        runs = 0

        @hooks.hookimpl
        def ort_core_run_finished(self):
            Counter.runs += 1

    register(Observer())
    register(Counter())
    event = hooks.RunEvent("session", ("y",), "tag")
    observers = hooks.run_observers()
    hooks.notify_run_started(observers, event)
    error = ValueError("x")
    hooks.notify_run_finished(observers, event, error)
    assert [e for e, _ in seen] == [event, event]
    assert seen[0][1] == 0
    assert seen[1][1] >= event.started_ns
    assert event.error is error
    assert Counter.runs == 1


def test_failing_run_observer_is_reported_once_and_dropped(site, register, caplog):
    class Bad:
        @hooks.hookimpl
        def ort_core_run_started(self, event):
            raise RuntimeError("observer crashed")

    class Good:
        runs = 0

        @hooks.hookimpl
        def ort_core_run_started(self, event):
            Good.runs += 1

    register(Bad(), "bad")
    register(Good(), "good")
    for _ in range(3):
        hooks.notify_run_started(hooks.run_observers(), hooks.RunEvent("session"))
    assert Good.runs == 3
    assert len(caplog.records) == 1
    assert [o.plugin for o in hooks.run_observers()] == ["good"]


def test_without_observers_there_is_nothing_to_call(site):
    assert hooks.run_observers() == ()
    assert hooks.run_observers() is hooks.run_observers()


def test_pluggy_is_imported_only_when_there_is_a_hook_module(site):
    code = (
        "import sys; from ort_core.providers import hooks, registry; hooks.run_observers(); hooks.load_model('x');"
        "registry.get_all_providers(); print('pluggy' in sys.modules, hasattr(hooks, 'nothing'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
