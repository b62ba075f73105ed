"""Model files that change, and the digests that are remembered of them."""

import os

import cache_compare
import numpy as np
import pytest
from cache_models import MODEL, REFERENCE, chain, entries, external, is_hit, saved

import ort_core as ort
from ort_core.cache import digests, entry
from ort_core.cache.decode import StoredModel
from ort_core.cache.lookup import prepare_cached
from ort_core.errors import Fail, LoadTimeout, ModelLoadCanceled
from ort_core.prepare import prepare


def test_a_changed_file_is_noticed(options, tmp_path):
    path = saved(chain(0), tmp_path / "m.onnx")
    results = []
    for seed in (0, 7, 0):
        saved(chain(seed), path)
        for _ in range(2):
            session = ort.InferenceSession(path, options, REFERENCE)
            results.append(session.run(None, {"x": np.ones((1, 20), np.float32)})[0])
    expected = [
        ort.InferenceSession(chain(seed).SerializeToString(), providers=REFERENCE).run(
            None, {"x": np.ones((1, 20), np.float32)}
        )[0]
        for seed in (0, 0, 7, 7, 0, 0)
    ]
    assert cache_compare.same_results(results, expected)


def test_a_changed_data_file_is_noticed(options, tmp_path):
    results = []
    for seed in (0, 7, 0):
        path = external(tmp_path / "m", seed)
        for _ in range(2):
            session = ort.InferenceSession(path, options, REFERENCE)
            results.append(session.run(None, {"x": np.ones((1, 20), np.float32)})[0])
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[2], results[3])
    assert np.array_equal(results[0], results[5])
    assert not np.array_equal(results[0], results[2])


def test_same_size_and_mtime_but_other_content(options, tmp_path):
    path = saved(chain(0), tmp_path / "m.onnx")
    status = path.stat()
    assert not is_hit(path, options)
    assert is_hit(path, options)
    data = chain(3).SerializeToString()
    assert len(data) == status.st_size
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    found = prepare_cached(path, options)
    assert not isinstance(found.model, StoredModel)
    cache_compare.assert_same(prepare(path, ort.SessionOptions()), found)


def test_a_file_that_changed_just_now_is_not_cached(options, cache, tmp_path, monkeypatch):
    monkeypatch.setattr(digests, "_FINE_TICK_NS", 10**10)
    monkeypatch.setattr(digests, "_COARSE_TICK_NS", 10**10)
    path = saved(chain(), tmp_path / "m.onnx")
    assert not is_hit(path, options)
    assert not is_hit(path, options)
    assert not entries(cache)
    assert not is_hit(MODEL, options)
    assert is_hit(MODEL, options)


def test_stamps_settle(monkeypatch):
    monkeypatch.setattr(digests, "_FINE_TICK_NS", 50 * 10**6)
    monkeypatch.setattr(digests, "_COARSE_TICK_NS", 3 * 10**9)
    now = 10**18
    fine = digests.Stamp(1, 2, 3, now - 123_456_789, now - 123_456_789)
    assert fine.is_settled(now)
    assert not fine.is_settled(now - 100 * 10**6)
    coarse = digests.Stamp(1, 2, 3, now - 2 * 10**9, now - 2 * 10**9)
    assert not coarse.is_settled(now)
    assert coarse.is_settled(now + 2 * 10**9)


@pytest.mark.parametrize("replace", [True, False])
def test_a_file_that_changes_while_it_is_loaded(replace, options, cache, tmp_path, monkeypatch):
    """Between hashing and loading: what was loaded is not stored under the digest of what was hashed."""
    path = saved(chain(0), tmp_path / "m.onnx")
    real = entry.Entry.load

    def load(self):
        found = real(self)
        if replace:
            path.unlink()
        saved(chain(7), path)
        return found

    monkeypatch.setattr(entry.Entry, "load", load)
    loaded = prepare_cached(path, options)
    monkeypatch.undo()
    cache_compare.assert_same(prepare(path, ort.SessionOptions()), loaded)
    assert not entries(cache)


@pytest.mark.parametrize("name", ["m.onnx", "weights.bin"])
def test_a_data_file_that_changes_after_the_load(name, options, cache, tmp_path, monkeypatch):
    path = external(tmp_path, seed=0).rename(tmp_path / "m.onnx")
    real = entry.Entry.store

    def store(self, prepared):
        file = tmp_path / name
        file.write_bytes(bytes(file.stat().st_size))
        real(self, prepared)

    monkeypatch.setattr(entry.Entry, "store", store)
    prepare_cached(path, options)
    assert not entries(cache)


def test_a_file_that_changes_after_a_hit_is_an_error(options, tmp_path):
    path = saved(chain(), tmp_path / "m.onnx")
    prepare_cached(path, options)
    found = prepare_cached(path, options)
    path.write_bytes(b"\0" * 10)
    with pytest.raises(Fail, match="changed while the model was in use"):
        found.model.graph.initializers["c"].const.array()


def test_digests_are_remembered(options, tmp_path, monkeypatch):
    path = saved(chain(), tmp_path / "m.onnx")
    prepare_cached(path, options)
    monkeypatch.setattr(digests, "digest_of", None)
    assert is_hit(path, options)


def test_digests_by_threads_are_the_same(tmp_path, monkeypatch):
    data = np.random.default_rng(0).bytes(300_000)
    (tmp_path / "f").write_bytes(data)
    monkeypatch.setattr(digests, "_PIECE_BYTES", 1000)
    found = set()
    for cpus in (1, 2, 8):
        monkeypatch.setattr(os, "cpu_count", lambda cpus=cpus: cpus)
        found.add(digests.digest_of(digests.BufferSource(data)))
        found.add(digests.digest_of(digests.FileSource(tmp_path / "f")))
    assert len(found) == 1


def test_cancellation_and_deadline_reach_the_digest(options, tmp_path, monkeypatch):
    monkeypatch.setattr(digests, "_PIECE_BYTES", 64)
    path = saved(chain(), tmp_path / "m.onnx")
    options.set_load_cancellation_flag(True)
    with pytest.raises(ModelLoadCanceled):
        ort.InferenceSession(path, options, REFERENCE)
    options.set_load_cancellation_flag(False)
    options.limits = ort.Limits(load_timeout_s=1e-6)
    with pytest.raises(LoadTimeout):
        ort.InferenceSession(path, options, REFERENCE)
