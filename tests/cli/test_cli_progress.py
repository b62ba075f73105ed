"""The progress line: where and when it appears, and that it goes away."""

from __future__ import annotations

import io

import pytest

import ort_core
from ort_core.cli import progress
from ort_core.cli.progress import ProgressLine, describe
from ort_core.cli.session_args import open_session


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nothing_appears_in_the_first_second():
    terminal, clock = Terminal(), Clock()
    line = ProgressLine(terminal, clock)
    line.show("read", 0, 10)
    clock.now += 0.9
    line.show("read", 5, 10)
    line.clear()
    assert terminal.getvalue() == ""


def test_the_line_is_rewritten_and_removed():
    terminal, clock = Terminal(), Clock()
    line = ProgressLine(terminal, clock)
    line.show("read", 0, 2 << 20)
    clock.now += 2
    line.show("read", 1 << 20, 2 << 20)
    first = "reading the model 1.0 MiB of 2.0 MiB (50%)  2 s"
    assert terminal.getvalue() == f"\r{first}"
    clock.now += 0.05
    line.show("read", 2 << 20, 2 << 20)
    clock.now += 1
    line.show("infer", 0, 0)
    line.clear()
    _, written, again, blank, end = terminal.getvalue().split("\r")
    assert written == first
    assert again.rstrip() == "inferring types  3 s"
    assert len(again) == len(written)
    assert blank.strip() == end == ""
    line.clear()
    assert terminal.getvalue().count("\r") == 4


def test_a_new_load_begins_a_new_second():
    terminal, clock = Terminal(), Clock()
    line = ProgressLine(terminal, clock)
    line.show("read", 0, 10)
    clock.now += 5
    line.clear()
    line.show("read", 0, 10)
    assert terminal.getvalue() == ""


def test_nothing_is_written_where_there_is_no_terminal():
    stream, clock = io.StringIO(), Clock()
    line = ProgressLine(stream, clock)
    line.show("read", 0, 10)
    clock.now += 5
    line.show("read", 1, 10)
    line.clear()
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("stage", "done", "total", "text"),
    [
        ("infer", 0, 0, "inferring types"),
        ("optimize", 500, 2000, "optimising 500 of 2,000 (25%)"),
        ("compile", 3 << 30, 1 << 30, "compiling 1.0 GiB of 1.0 GiB (100%)"),
        ("some new stage", 1, 4, "some new stage 1 of 4 (25%)"),
    ],
)
def test_descriptions(stage, done, total, text):
    assert describe(stage, done, total) == text


def test_sessions_of_the_command_line_report_and_clear(digits_folder, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(progress, "_line", ProgressLine(terminal, Clock()))
    monkeypatch.setattr(progress, "SHOW_AFTER_S", 0.0)
    session = open_session(str(digits_folder / "digits.onnx"), ["ReferenceExecutionProvider"])
    assert isinstance(session, ort_core.InferenceSession)
    assert terminal.getvalue().startswith("\r")
    assert terminal.getvalue().endswith(" \r")
