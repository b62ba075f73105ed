"""A cache folder of a test's own, in which files count as settled at once."""

import logging

import pytest

import ort_core as ort
from ort_core.cache import digests, folder, versions
from ort_core.cache.settings import FOLDER_ENTRY, FOLDER_VARIABLE


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    versions.version_of.cache_clear()
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(digests, "_FINE_TICK_NS", -(10**9))
    monkeypatch.setattr(digests, "_COARSE_TICK_NS", -(10**9))


@pytest.fixture
def cache(tmp_path):
    """The folder; it does not exist yet."""
    return tmp_path / "cache"


@pytest.fixture
def options(cache):
    """Options with the cache switched on."""
    found = ort.SessionOptions()
    found.add_session_config_entry(FOLDER_ENTRY, str(cache))
    return found


@pytest.fixture
def warnings_of(caplog):
    """A function that gives what the cache has warned of."""
    folder._warn.cache_clear()
    caplog.set_level(logging.WARNING, "ort_core.cache")
    return lambda: [r.getMessage() for r in caplog.records if r.name == "ort_core.cache"]
