"""A fake site-packages directory: distributions with entry points, made of plain files, without pip."""

from __future__ import annotations

import importlib
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ort_core.providers import discovery

BROKEN = Path(__file__).parent / "broken"
FIRST_PARTY = ("ort-provider-cpu", "ort-provider-cuda", "ort-provider-example")

PLUGIN_SOURCE = """
from dataclasses import dataclass

from ort_core.providers.spec import Availability, Plugin, Provider


class FakeProvider(Provider):
    def __init__(self, options):
        self.options = options
        self.closed = 0

    def claim(self, view):
        return ()

    def compile(self, partition, ctx):
        raise AssertionError("claims nothing")

    def close(self):
        self.closed += 1


@dataclass(frozen=True)
class Options:
    level: int = 1


class FakePlugin(Plugin):
    api = (1, 0)
    name = "{name}"
    priority = {priority}
    auto = {auto}
    options = Options

    def probe(self):
        return Availability({ok}, "no such device", "Buy one.")

    def create(self, options, env):
        return FakeProvider(options)


plugin = FakePlugin()
"""


class FakeSite:
    """Installs distributions into a directory that is first on `sys.path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def install(
        self,
        distribution: str,
        *,
        version: str = "1.0",
        groups: Mapping[str, Mapping[str, str]] | None = None,
        modules: Mapping[str, str] | None = None,
        metadata: str = "dist-info",
    ) -> Path:
        """Writes the modules and the metadata directory, and returns the latter."""
        for name, source in (modules or {}).items():
            (self.path / f"{name}.py").write_text(textwrap.dedent(source))
            sys.modules.pop(name, None)
        suffix = f"-{version}" if metadata == "dist-info" else ""
        directory = self.path / f"{distribution.replace('-', '_')}{suffix}.{metadata}"
        directory.mkdir()
        header = "METADATA" if metadata == "dist-info" else "PKG-INFO"
        (directory / header).write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        if groups is not None:
            sections = (f"[{g}]\n" + "".join(f"{k} = {v}\n" for k, v in es.items()) for g, es in groups.items())
            (directory / "entry_points.txt").write_text("\n".join(sections))
        importlib.invalidate_caches()
        return directory

    def provider(
        self,
        name: str,
        distribution: str,
        *,
        priority: int = 1,
        auto: bool = False,
        ok: bool = True,
        version: str = "1.0",
    ) -> Path:
        """Installs a working plugin whose provider claims nothing."""
        module = distribution.replace("-", "_") + "_plugin"
        source = PLUGIN_SOURCE.format(name=name, priority=priority, auto=auto, ok=ok)
        groups = {"ort_core.providers": {name: f"{module}:plugin"}}
        return self.install(distribution, version=version, groups=groups, modules={module: source})

    def broken(self, module: str, name: str = "BrokenExecutionProvider", distribution: str = "ort-broken") -> Path:
        """Installs one of the plugins in `broken/`."""
        shutil.copy(BROKEN / f"{module}.py", self.path)
        sys.modules.pop(module, None)
        return self.install(distribution, groups={"ort_core.providers": {name: f"{module}:plugin"}})


@pytest.fixture
def empty_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSite]:
    """A site that is empty; whatever is really installed stays visible."""
    monkeypatch.delenv("ORT_CORE_PLUGINS", raising=False)
    monkeypatch.delenv("ORT_CORE_DISABLE_PLUGINS", raising=False)
    directory = tmp_path / "site"
    directory.mkdir()
    monkeypatch.syspath_prepend(str(directory))
    before = set(sys.modules)
    yield FakeSite(directory)
    for name in set(sys.modules) - before:
        if str(directory) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]
    discovery.refresh()


@pytest.fixture
def site(empty_site: FakeSite) -> FakeSite:
    """A site in which no first-party provider but the reference one seems installed."""
    for name in FIRST_PARTY:
        empty_site.install(name, version="0")
    return empty_site
