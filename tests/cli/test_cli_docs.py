"""docs/cli.md tells of every command and of every option."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from ort_core.cli.commands import load_commands

DOCS = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", load_commands())
def test_command_has_a_section(name):
    assert f"\n## ort-core {name}\n" in DOCS


@pytest.mark.parametrize("name", ["inspect", "doctor", "bench"])
def test_options_are_mentioned(name):
    parser = argparse.ArgumentParser()
    load_commands()[name].add_arguments(parser)
    section = DOCS.partition(f"\n## ort-core {name}\n")[2].partition("\n## ")[0]
    options = {o for a in parser._actions for o in a.option_strings if o.startswith("--")}
    assert {o for o in options - {"--help", "--json"} if f"`{o}" not in section} == set()
