from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ort_core.providers import discovery
from ort_core.providers.discovery import entry_points
from ort_core.providers.entry_points import GROUPS, EntryPoint, scan

GROUP = "ort_core.providers"


def find(name: str, group: str = GROUP) -> list[EntryPoint]:
    return [e for e in entry_points(group) if e.name == name]


def test_entry_point_of_a_wheel_is_found_with_its_distribution_and_version(site):
    location = site.install("Ort-Provider.X", version="2.1", groups={GROUP: {"XExecutionProvider": "x.plugin:plugin"}})
    assert find("XExecutionProvider") == [
        EntryPoint("XExecutionProvider", GROUP, "x.plugin:plugin", "Ort-Provider.X", "2.1", str(location))
    ]


def test_all_groups_are_scanned_and_foreign_ones_ignored(site):
    groups = {
        "console_scripts": {"x": "x:main"},
        "ort_core.custom_ops": {"com.example": "x.ops:library"},
        "ort_core.custom_op_libraries": {"format": "x.host:load"},
        "ort_core.hooks": {"x": "x.hooks"},
    }
    site.install("x", groups=groups)
    assert [e.value for e in find("com.example", "ort_core.custom_ops")] == ["x.ops:library"]
    assert [e.value for e in find("format", "ort_core.custom_op_libraries")] == ["x.host:load"]
    assert [e.value for e in find("x", "ort_core.hooks")] == ["x.hooks"]
    assert set(scan()) == set(GROUPS)


def test_egg_info_is_found(site):
    site.install("legacy", groups={GROUP: {"LegacyExecutionProvider": "legacy:plugin"}}, metadata="egg-info")
    assert [(e.distribution, e.version) for e in find("LegacyExecutionProvider")] == [("legacy", "1.0")]


def test_egg_directory_is_found(site, monkeypatch):
    egg = site.path / "old-3.0-py3.11.egg"
    (egg / "EGG-INFO").mkdir(parents=True)
    (egg / "EGG-INFO" / "PKG-INFO").write_text("Name: old\nVersion: 3.0\n")
    (egg / "EGG-INFO" / "entry_points.txt").write_text(f"[{GROUP}]\nOldExecutionProvider = old:plugin\n")
    monkeypatch.syspath_prepend(str(egg))
    assert [(e.distribution, e.version) for e in find("OldExecutionProvider")] == [("old", "3.0")]


def test_zip_archive_on_the_path_is_found(site, monkeypatch):
    archive = site.path / "bundle.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("zipped-1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: zipped\nVersion: 1.2\n")
        file.writestr("zipped-1.2.dist-info/entry_points.txt", f"[{GROUP}]\nZippedExecutionProvider = zipped:plugin\n")
    monkeypatch.syspath_prepend(str(archive))
    assert [(e.distribution, e.version) for e in find("ZippedExecutionProvider")] == [("zipped", "1.2")]


def test_foreign_finder_is_asked(site, monkeypatch):
    import importlib.metadata

    class Distribution(importlib.metadata.Distribution):
        def read_text(self, filename):
            texts = {
                "METADATA": "Metadata-Version: 2.1\nName: embedded\nVersion: 9\n",
                "entry_points.txt": f"[{GROUP}]\nEmbeddedExecutionProvider = embedded:plugin\n",
            }
            return texts.get(filename)

        def locate_file(self, path):
            return Path(path)

    class Finder:
        def find_spec(self, name, path=None, target=None):
            return None

        def find_distributions(self, context):
            return [Distribution()]

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert [(e.distribution, e.version) for e in find("EmbeddedExecutionProvider")] == [("embedded", "9")]


def test_broken_foreign_finder_is_logged_and_ignored(site, monkeypatch, caplog):
    class Finder:
        def find_distributions(self, context):
            raise RuntimeError("no index")

    site.provider("GoodExecutionProvider", "ort-good")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert find("GoodExecutionProvider")
    assert "cannot read the distributions" in caplog.text


def test_first_copy_on_the_path_shadows_a_later_one_even_without_entry_points(site, monkeypatch):
    site.provider("ShadowExecutionProvider", "ort-shadow", version="1.0")
    assert find("ShadowExecutionProvider")
    nearer = site.path.parent / "nearer"
    (nearer / "ort_shadow-2.0.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(nearer))
    assert not find("ShadowExecutionProvider")


def test_leftover_metadata_of_an_older_version_does_not_count_twice(site):
    groups = {GROUP: {"TwiceExecutionProvider": "twice:plugin"}}
    site.install("twice", version="1.0", groups=groups)
    site.install("twice", version="1.1", groups=groups)
    assert [e.version for e in find("TwiceExecutionProvider")] == ["1.1"]


def test_malformed_entry_points_file_does_not_hide_its_good_lines(site):
    directory = site.install("odd", groups={})
    text = (
        f"\xff garbage\n= x\n[{GROUP}\n[{GROUP}]\n# comment\nno-equals-sign\nempty =\n Good = odd : plugin [extra] \n"
    )
    (directory / "entry_points.txt").write_bytes(text.encode("latin-1"))
    discovery.refresh()
    assert [(e.name, e.value) for e in entry_points(GROUP) if e.distribution == "odd"] == [("Good", "odd : plugin")]


def test_metadata_without_headers_falls_back_to_the_directory_name(site):
    directory = site.install("no-header", version="4.5", groups={GROUP: {"NExecutionProvider": "n:plugin"}})
    (directory / "METADATA").unlink()
    assert [(e.distribution, e.version) for e in find("NExecutionProvider")] == [("no-header", "4.5")]


def test_installing_and_uninstalling_is_noticed_without_refresh(site):
    assert not find("LateExecutionProvider")
    directory = site.provider("LateExecutionProvider", "ort-late")
    assert find("LateExecutionProvider")
    shutil.rmtree(directory)
    assert not find("LateExecutionProvider")


def test_change_of_sys_path_is_noticed(site, monkeypatch):
    site.provider("PathExecutionProvider", "ort-path")
    assert find("PathExecutionProvider")
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(site.path)])
    assert not find("PathExecutionProvider")


def test_odd_path_entries_are_skipped(site, monkeypatch):
    not_an_archive = site.path / "data.bin"
    not_an_archive.write_bytes(b"\x00" * 64)
    site.provider("StillExecutionProvider", "ort-still")
    odd = ["/does/not/exist", str(not_an_archive), "with\0null", Path(site.path), 7]
    monkeypatch.setattr(sys, "path", [*odd, *sys.path])
    assert find("StillExecutionProvider")


def test_result_is_the_same_object_until_something_changes(site):
    assert scan() is scan()


def test_warm_scan_lists_no_directory_and_reads_no_file(site, monkeypatch):
    scan()
    monkeypatch.setattr(os, "listdir", lambda path: pytest.fail(f"listed {path}"))
    monkeypatch.setattr("builtins.open", lambda *args, **kwargs: pytest.fail(f"opened {args}"))
    assert scan() is scan()


def test_only_the_directory_that_changed_is_listed_again(site, monkeypatch):
    scan()
    listed = []
    original = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: listed.append(path) or original(path))
    site.provider("NewExecutionProvider", "ort-new")
    assert find("NewExecutionProvider")
    assert listed == [str(site.path)]


def test_discovery_imports_nothing_heavy_and_no_provider(site):
    site.provider("LazyExecutionProvider", "ort-lazy")
    code = (
        "import sys; from ort_core.providers.registry import get_all_providers;"
        "names = get_all_providers();"
        "heavy = {'onnx', 'pluggy', 'ml_dtypes', 'importlib.metadata', 'ort_lazy_plugin', 'difflib'} & set(sys.modules);"
        "print('LazyExecutionProvider' in names, sorted(heavy))"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(site.path), *filter(None, sys.path)])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.strip() == "True []"


@pytest.mark.parametrize("value", ["nocolon", ":attr", "module:"])
def test_entry_point_without_module_and_attribute_is_reported(site, value):
    site.install("odd", groups={GROUP: {"OddExecutionProvider": value}})
    row = next(r for r in discovery.provider_report() if r.name == "OddExecutionProvider")
    assert row.status == "failed"
    assert "module:attribute" in row.reason
