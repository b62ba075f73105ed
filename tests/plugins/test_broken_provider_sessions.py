from __future__ import annotations

import numpy as np
import onnx.parser
import pytest

import ort_core as ort
from ort_core.errors import EPFail, InvalidArgument, OrtError

NAME = "BrokenExecutionProvider"
MODEL = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["" : 17]> g (float[N] x) => (float[N] y) { t = Add (x, x) y = Relu (t) }'
).SerializeToString()
X = np.array([-1, 2], np.float32)

pytestmark = pytest.mark.filterwarnings("ignore:Specified provider:UserWarning")


def check_result(session: ort.InferenceSession) -> None:
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], [0, 4])


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("fails_at_import", "libbroken.so.1"),
        ("exits_at_import", "SystemExit"),
        ("newer_major", "needs provider API 2.0"),
        ("raises_in_probe", "driver query failed"),
        ("raises_in_create", "driver version is too old"),
        ("creates_nonsense", "expected a Provider"),
        ("raises_in_claim", "cannot read the graph"),
        ("raises_in_compile", "the compiler crashed"),
    ],
)
def test_session_goes_on_without_the_broken_provider_and_says_why(site, module, reason):
    site.broken(module)
    with ort.InferenceSession(MODEL, providers=[NAME]) as session:
        check_result(session)
        assert reason in session.provider_status[NAME]
        assert NAME not in session.get_providers()


@pytest.mark.parametrize(
    "module",
    ["fails_at_import", "newer_major", "raises_in_probe", "raises_in_create", "raises_in_claim", "raises_in_compile"],
)
def test_raise_mode_refuses_the_session_and_names_the_provider(site, module):
    site.broken(module)
    with pytest.raises(OrtError, match=NAME):
        ort.InferenceSession(MODEL, providers=[NAME], on_provider_error="raise")


@pytest.mark.parametrize("module", ["raises_in_claim", "raises_in_compile"])
def test_nodes_of_the_broken_provider_go_to_the_next_one(site, module):
    site.broken(module)
    site.provider("IdleExecutionProvider", "ort-idle")
    with ort.InferenceSession(MODEL, providers=[NAME, "IdleExecutionProvider"]) as session:
        check_result(session)
        assert session.get_providers()[0] == "IdleExecutionProvider"


def test_failure_while_running_names_the_provider_and_keeps_its_cause(site):
    site.broken("raises_in_run")
    with ort.InferenceSession(MODEL, providers=[NAME]) as session:
        for _ in range(2):
            with pytest.raises(OrtError, match="the device caught fire") as info:
                session.run(None, {"x": X})
            assert NAME in str(info.value)
            assert isinstance(info.value.__cause__, RuntimeError)


def test_wrong_number_of_results_is_an_error_not_a_wrong_answer(site):
    site.broken("returns_too_little")
    with ort.InferenceSession(MODEL, providers=[NAME]) as session, pytest.raises(OrtError, match=NAME):
        session.run(None, {"x": X})


def test_unknown_provider_is_refused_with_the_nearest(site):
    site.broken("raises_in_run")
    with pytest.raises(InvalidArgument, match="Did you mean 'BrokenExecutionProvider'"):
        ort.InferenceSession(MODEL, providers=["BrokExecutionProvider"])


def test_broken_plugin_does_not_disturb_sessions_that_do_not_list_it(site):
    for module in ("fails_at_import", "exits_at_import"):
        site.broken(module, name=f"{module.title().replace('_', '')}ExecutionProvider", distribution=module)
    with ort.InferenceSession(MODEL) as session:
        check_result(session)


def test_without_reference_fallback_a_provider_that_fails_leaves_no_session(site):
    site.broken("raises_in_compile")
    options = ort.SessionOptions()
    options.add_session_config_entry("session.disable_reference_fallback", "1")
    with pytest.raises(OrtError):
        ort.InferenceSession(MODEL, options, providers=[NAME])


def test_two_sessions_share_the_plugin_but_not_the_provider(site, monkeypatch):
    site.provider("SharedExecutionProvider", "ort-shared")
    created = []
    plugin = __import__("ort_core.providers.registry", fromlist=["plugin"]).plugin("SharedExecutionProvider")
    original = type(plugin).create
    monkeypatch.setattr(type(plugin), "create", lambda *a: created.append(original(*a)) or created[-1])
    for _ in range(2):
        ort.InferenceSession(MODEL, providers=["SharedExecutionProvider"]).close()
    assert len(created) == 2
    assert [p.closed for p in created] == [1, 1]


def test_listed_provider_that_cannot_be_used_is_an_ep_failure_in_raise_mode(site):
    with pytest.raises(EPFail, match="ort-provider-cuda"):
        ort.InferenceSession(MODEL, providers=["CUDAExecutionProvider"], on_provider_error="raise")
