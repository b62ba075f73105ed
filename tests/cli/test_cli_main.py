"""The command line as a whole: help, version, exit codes, error texts, lightness."""

from __future__ import annotations

import importlib.metadata
import os
import pkgutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
from onnx import TensorProto

import ort_core.cli.commands
from ort_core.cli import main
from ort_core.cli.commands import load_commands


def test_version_is_that_of_the_distribution(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ort-core {importlib.metadata.version('ort-core')}\n"


def test_no_command_is_a_usage_error(capsys):
    assert main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "COMMAND" in captured.err


def test_unknown_command_is_a_usage_error(capsys):
    assert main(["fly"]) == 2
    assert "'fly'" in capsys.readouterr().err


def test_help_lists_every_command(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for name, command in load_commands().items():
        assert name in out
        assert command.HELP in out


def test_every_command_has_help(capsys):
    for name in load_commands():
        assert main([name, "--help"]) == 0
        assert f"ort-core {name}" in capsys.readouterr().out


@pytest.fixture
def add_command(tmp_path, monkeypatch):
    def add(name: str, body: str) -> None:
        header = f'"""Docs."""\nHELP = "{name}"\ndef add_arguments(parser):\n    parser.add_argument("who")\n'
        (tmp_path / f"{name}.py").write_text(f"{header}def run(args):\n    {body}\n")
        added.append(f"ort_core.cli.commands.{name}")

    added: list[str] = []
    monkeypatch.setattr(ort_core.cli.commands, "__path__", [*ort_core.cli.commands.__path__, str(tmp_path)])
    yield add
    for module in added:
        sys.modules.pop(module, None)


def test_a_new_module_becomes_a_command(add_command, capsys):
    add_command("say_hello", "print(f'hello {args.who}'); return 7")
    assert main(["say-hello", "world"]) == 7
    assert capsys.readouterr().out == "hello world\n"


def test_warnings_are_one_line_on_stderr(add_command, capsys):
    add_command("warn", "import warnings; warnings.warn(f'beware of {args.who}'); return 0")
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert main(["warn", "dogs"]) == 0
    assert capsys.readouterr().err == "ort-core warn: warning: beware of dogs\n"


def test_interruption_ends_quietly(add_command, capsys):
    add_command("wait", "raise KeyboardInterrupt")
    assert main(["wait", "x"]) == 130
    assert capsys.readouterr().err == ""


def test_operating_system_errors_are_one_message(add_command, capsys):
    add_command("touch", "open(args.who)")
    assert main(["touch", "/no/such/file"]) == 1
    assert capsys.readouterr().err.startswith("ort-core touch: FileNotFoundError: ")


def test_command_modules_have_no_private_strays():
    assert {m.name for m in pkgutil.iter_modules(ort_core.cli.commands.__path__)} >= {"run", "providers"}


def test_missing_model_is_one_message_without_traceback(tmp_path, capsys):
    path = tmp_path / "nope.onnx"
    assert main(["run", str(path), "--input", "x=1"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("ort-core run: NoSuchFile: ")
    assert "nope.onnx" in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("argv", [["-v", "run"], ["run", "-v"], ["--verbose", "run"]])
def test_verbose_shows_the_traceback(argv, tmp_path, capsys):
    assert main([*argv, str(tmp_path / "nope.onnx")]) == 1
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert "\nort-core run: NoSuchFile: " in err


def test_garbage_as_model_is_explained(tmp_path, capsys):
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"\xff\x00 this is no model")
    assert main(["run", str(path)]) == 1
    err = capsys.readouterr().err
    assert err.startswith("ort-core run: InvalidProtobuf: ")
    assert "Traceback" not in err


def test_importing_the_command_line_is_light():
    code = "import sys, ort_core.cli; print(sorted({'numpy', 'onnx', 'rich', 'PIL', 'ml_dtypes'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def run_module(*argv: str, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "ort_core.cli", *argv]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    )


def test_module_runs_as_a_script():
    with run_module("--version") as process:
        assert process.stdout.read().startswith("ort-core ")
    assert process.returncode == 0


def test_closed_pipe_ends_quietly(digits_folder, tmp_path):
    np.save(tmp_path / "images.npy", np.zeros((2000, 1, 8, 8), np.float32))
    argv = [str(digits_folder / "digits.onnx"), "--input", str(tmp_path / "images.npy"), "--json"]
    with run_module("run", *argv, "--provider", "ReferenceExecutionProvider") as process:
        assert process.stdout.read(1) == "{"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_terminal_that_cannot_show_a_character_gets_an_escape(save_identity):
    model = save_identity(x=(TensorProto.STRING, ["N"]))
    argv = ["run", model, "--input", 'x=["\u2603"]', "--provider", "ReferenceExecutionProvider"]
    with run_module(*argv, PYTHONIOENCODING="ascii") as process:
        assert "[\\u2603]" in process.stdout.read()
        assert process.stderr.read() == ""
    assert process.returncode == 0
