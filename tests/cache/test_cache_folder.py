"""Who may use the folder, and what happens where it cannot be used; its size."""

import os
import stat
import subprocess
import sys
import time

import pytest
from cache_models import MODEL, chain, entries, is_hit, posix, saved

from ort_core.cache.lookup import prepare_cached
from ort_core.cache.settings import FOLDER_ENTRY, MAX_BYTES_ENTRY


@posix
def test_what_is_created_is_private(options, cache, monkeypatch, tmp_path):
    old = os.umask(0)
    try:
        options.add_session_config_entry(FOLDER_ENTRY, str(cache / "a" / "b"))
        prepare_cached(MODEL, options)
    finally:
        os.umask(old)
    modes = {stat.S_IMODE(p.stat().st_mode) for p in (cache, cache / "a", cache / "a" / "b")}
    assert modes == {0o700}
    assert {stat.S_IMODE(p.stat().st_mode) for p in (cache / "a" / "b").iterdir()} == {0o600}


@posix
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o1777])
def test_folders_that_others_may_write_to_are_refused(mode, options, cache, warnings_of):
    cache.mkdir()
    cache.chmod(mode)
    for _ in range(3):
        assert not is_hit(MODEL, options)
    (message,) = warnings_of()
    assert "other users" in message
    assert str(cache) in message
    assert not list(cache.iterdir())


@posix
def test_entries_that_others_may_write_to_are_ignored(options, cache):
    prepare_cached(MODEL, options)
    (path,) = entries(cache)
    path.chmod(0o666)
    assert not is_hit(MODEL, options)
    assert is_hit(MODEL, options)


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_folders_and_entries_of_other_users_are_refused(options, cache, warnings_of):
    prepare_cached(MODEL, options)
    (path,) = entries(cache)
    os.chown(path, 12345, 12345)
    assert not is_hit(MODEL, options)
    os.chown(cache, 12345, 12345)
    assert not is_hit(MODEL, options)
    assert "another user" in warnings_of()[0]


@pytest.mark.parametrize("place", ["a file", "under a file", "no path"])
def test_folders_that_cannot_be(place, options, tmp_path, warnings_of):
    file = saved(chain(), tmp_path / "f")
    path = {"a file": str(file), "under a file": str(file / "x"), "no path": "a\0b"}[place]
    options.add_session_config_entry(FOLDER_ENTRY, path)
    for _ in range(3):
        assert not is_hit(MODEL, options)
    assert len(warnings_of()) == 1


@pytest.mark.parametrize("number", ["EROFS", "ENOSPC", "EACCES"])
def test_a_folder_that_cannot_be_written_to(number, options, cache, warnings_of, monkeypatch):
    import errno

    from ort_core.load import replace

    cache.mkdir(mode=0o700)

    def fail(*args, **keywords):
        raise OSError(getattr(errno, number), os.strerror(getattr(errno, number)))

    monkeypatch.setattr(replace, "temporary", fail)
    for _ in range(3):
        assert not is_hit(MODEL, options)
    (message,) = warnings_of()
    assert "cannot be written to" in message
    assert ("Free some space" in message) == (number == "ENOSPC")
    assert not list(cache.iterdir())


READ_ONLY = """
import logging, os, sys
logging.basicConfig(format="%(message)s")
import ort_core as ort
from ort_core.cache.decode import StoredModel
from ort_core.cache.lookup import prepare_cached
model = sys.stdin.buffer.read()
options = ort.SessionOptions()
for folder in (sys.argv[2], sys.argv[1]):
    options.add_session_config_entry("session.optimized_model_cache_dir", folder)
    if folder == sys.argv[1] and os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    else:
        prepare_cached(model, options)
print(*(isinstance(prepare_cached(m, options).model, StoredModel) for m in (model, model + b"\\x12\\x01x", model)))
"""


@posix
def test_a_read_only_folder_serves_what_it_has(options, cache, tmp_path):
    prepare_cached(MODEL, options)
    parents = [p for p in cache.parents if not p.stat().st_mode & 0o005]
    modes = {p: p.stat().st_mode for p in parents}
    try:
        for parent in parents:
            parent.chmod(stat.S_IMODE(modes[parent]) | 0o055)
        cache.chmod(0o555)
        for path in cache.iterdir():
            path.chmod(0o444)
        done = subprocess.run(
            [sys.executable, "-c", READ_ONLY, cache, tmp_path / "other"],
            input=MODEL,
            capture_output=True,
            cwd="/",
            check=False,
        )
    finally:
        for parent, mode in modes.items():
            parent.chmod(stat.S_IMODE(mode))
        cache.chmod(0o700)
    assert done.stdout.split() == [b"True", b"False", b"True"], done.stderr
    assert done.stderr.count(b"cannot be written to") == 1


def test_least_recently_used_entries_go(options, cache):
    models = [chain(seed).SerializeToString() for seed in range(6)]
    for age, model in enumerate(models[:5]):
        prepare_cached(model, options)
        for path in entries(cache):
            if path.stat().st_mtime > time.time() - 500:
                os.utime(path, (0, time.time() - 10_000 + age * 1000))
    size = entries(cache)[0].stat().st_size
    assert is_hit(models[0], options)
    options.add_session_config_entry(MAX_BYTES_ENTRY, str(3 * size + 100))
    prepare_cached(models[5], options)
    assert len(entries(cache)) == 3
    assert [is_hit(model, options.copy()) for model in (models[5], models[0], models[4])] == [True] * 3
    assert not is_hit(models[1], options)


def test_what_is_larger_than_the_cache_is_not_kept(options, cache, warnings_of):
    options.add_session_config_entry(MAX_BYTES_ENTRY, "100")
    assert not is_hit(MODEL, options)
    assert not is_hit(MODEL, options)
    assert not list(cache.iterdir())
    assert not warnings_of()


def test_only_our_own_files_are_removed(options, cache):
    cache.mkdir(mode=0o700)
    others = [cache / name for name in ("notes.txt", "a.model", "0" * 64, "0" * 63 + ".model")]
    left_over = cache / f".{'0' * 64}.model.{'1' * 16}.tmp"
    in_progress = cache / f".{'0' * 64}.model.{'2' * 16}.tmp"
    for path in (*others, left_over, in_progress):
        path.write_bytes(bytes(10_000))
        os.utime(path, (0, 0))
    os.utime(in_progress)
    options.add_session_config_entry(MAX_BYTES_ENTRY, "9000")
    for seed in range(5):
        prepare_cached(chain(seed).SerializeToString(), options)
    assert all(path.exists() for path in (*others, in_progress))
    assert not left_over.exists()
    assert len(set(entries(cache)) - set(others)) < 5
