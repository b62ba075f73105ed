"""`ort-core providers` and the `--provider` argument."""

from __future__ import annotations

import json
import sys
import types
from dataclasses import dataclass

import pytest

from ort_core.cli import main
from ort_core.cli.session_args import parse_provider
from ort_core.errors import InvalidArgument


@dataclass
class Report:
    name: str
    distribution: str = "ort-provider-x"
    version: str = "1.2.3"
    entry_point: str = "x:plugin"
    priority: int | None = 100
    auto: bool = True
    status: str = "available"
    reason: str = ""
    remedy: str = ""
    traceback: str = ""


REPORTS = [
    Report("GoodExecutionProvider"),
    Report("BrokenExecutionProvider", "ort-provider-broken", status="failed", reason="ImportError: no module named 'zork'",
           remedy="pip install zork", traceback="Traceback (most recent call last):\n  zork line\nImportError", priority=None),
    Report("CUDAExecutionProvider", status="unavailable", reason="no CUDA device", remedy="install a driver", auto=False),
    Report("OffExecutionProvider", status="disabled", reason="ORT_CORE_DISABLE_PLUGINS is set"),
    Report("QNNExecutionProvider", "", "", "", None, False, "not installed", "", "pip install ort-provider-qnn"),
]  # fmt: skip


@pytest.fixture
def reports(monkeypatch):
    fake = types.ModuleType("ort_core.providers.discovery")
    fake.provider_report = lambda: list(REPORTS)
    monkeypatch.setitem(sys.modules, "ort_core.providers.discovery", fake)
    return fake


def test_table_lists_every_provider_with_distribution_and_status(reports, capsys):
    assert main(["providers"]) == 0
    out = capsys.readouterr().out
    rows = {line.split("  ")[0]: line.split() for line in out.splitlines() if "ExecutionProvider " in line}
    assert set(rows) == {r.name for r in REPORTS}
    assert rows["GoodExecutionProvider"][1:] == ["ort-provider-x", "1.2.3", "100", "yes", "available"]
    assert rows["QNNExecutionProvider"][1:] == ["-", "-", "no", "not", "installed"]


def test_reason_and_remedy_follow_the_table(reports, capsys):
    main(["providers"])
    out = capsys.readouterr().out
    assert "BrokenExecutionProvider: ImportError: no module named 'zork'\n  pip install zork\n" in out
    assert "OffExecutionProvider: ORT_CORE_DISABLE_PLUGINS is set" in out
    assert "QNNExecutionProvider: not installed\n  pip install ort-provider-qnn" in out
    assert "zork line" not in out


def test_verbose_adds_the_traceback(reports, capsys):
    main(["providers", "-v"])
    assert "    zork line\n" in capsys.readouterr().out


def test_failed_lists_only_installed_providers_that_cannot_be_used(reports, capsys):
    assert main(["providers", "--failed"]) == 0
    out = capsys.readouterr().out
    assert "BrokenExecutionProvider" in out
    assert "CUDAExecutionProvider" in out
    assert "GoodExecutionProvider" not in out
    assert "OffExecutionProvider" not in out
    assert "QNNExecutionProvider" not in out


def test_nothing_failed_says_so(reports, capsys):
    reports.provider_report = lambda: [Report("GoodExecutionProvider")]
    assert main(["providers", "--failed"]) == 0
    assert capsys.readouterr().out == "no provider has failed\n"


def test_json_carries_every_field(reports, capsys):
    assert main(["providers", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document) == ["providers"]
    assert [entry["name"] for entry in document["providers"]] == [r.name for r in REPORTS]
    assert document["providers"][1] == vars(REPORTS[1])


def test_json_of_nothing_is_an_empty_list(reports, capsys):
    reports.provider_report = list
    main(["providers", "--json"])
    assert json.loads(capsys.readouterr().out) == {"providers": []}


def test_real_report_includes_the_reference_provider(capsys):
    assert main(["providers", "--json"]) == 0
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["providers"]}
    reference = entries["ReferenceExecutionProvider"]
    assert reference["distribution"] == "ort-core"
    assert reference["status"] == "available"
    assert set(reference) == set(vars(REPORTS[0]))


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("CPUExecutionProvider", "CPUExecutionProvider", {}),
        ("X:a=1", "X", {"a": "1"}),
        ("X:a=1,b=", "X", {"a": "1", "b": ""}),
        ("X:path=C:\\dir,list=1,2,3,c=d=e", "X", {"path": "C:\\dir", "list": "1,2,3", "c": "d=e"}),
    ],
)
def test_provider_argument_gives_name_and_options(text, name, options):
    assert parse_provider(text) == (name, options)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "has no name"), (":a=1", "has no name"), ("X:a", "is not key=value"), ("X:a=1,a=2", "appears twice"),
     ("X:=1", "is not key=value")],
)  # fmt: skip
def test_malformed_provider_arguments_are_refused(text, message):
    with pytest.raises(InvalidArgument, match=message):
        parse_provider(text)


def test_provider_arguments_reach_the_session_in_order(monkeypatch):
    import ort_core
    from ort_core.cli.session_args import open_session

    calls = []
    monkeypatch.setattr(
        ort_core, "InferenceSession", lambda model, _options, **kwargs: calls.append((model, kwargs)), raising=False
    )
    open_session("m.onnx", ["B:x=1", "A"])
    open_session("m.onnx", [])
    assert calls == [
        ("m.onnx", {"providers": ["B", "A"], "provider_options": [{"x": "1"}, {}]}),
        ("m.onnx", {"providers": None, "provider_options": None}),
    ]


def test_unknown_provider_is_one_message(digits_folder, capsys):
    argv = ["run", str(digits_folder / "digits.onnx"), "--provider", "NoSuchExecutionProvider"]
    assert main([*argv, "--input", f"image={digits_folder / 'samples' / '0.png'}"]) == 1
    err = capsys.readouterr().err
    assert "NoSuchExecutionProvider" in err
    assert "Traceback" not in err
