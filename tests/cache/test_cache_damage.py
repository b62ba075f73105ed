"""Entries that are damaged, or made to mislead."""

import contextlib
import json
import os
import random

import cache_compare
import numpy as np
import pytest
from cache_models import MODEL, REFERENCE, chain, entries, is_hit, posix, saved
from onnx import TensorProto, helper, numpy_helper

import ort_core as ort
from ort_core.cache import folder
from ort_core.cache.decode import StoredModel
from ort_core.cache.lookup import prepare_cached
from ort_core.cache.settings import CacheSettings
from ort_core.errors import OrtError


def test_every_byte_flipped(options, cache, tmp_path):
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy"]
    two = numpy_helper.from_array(np.full(2, 2, np.float32), "two")
    nodes = [helper.make_node("Add", ["two", "two"], ["four"]), helper.make_node("Add", ["x", "four"], ["y"])]
    source = str(
        saved(helper.make_model(helper.make_graph(nodes, "g", info[:1], info[1:], [two])), tmp_path / "m.onnx")
    )
    plain = prepare_cached(source, options)
    for path in [*entries(cache), *entries(cache, ".digest")]:
        data = path.read_bytes()
        reader = folder.open_folder(CacheSettings(str(cache), 1 << 30))
        for position in range(len(data)):
            path.write_bytes(data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :])
            assert reader.read(path.name) is None, position
        found = prepare_cached(source, options)
        assert isinstance(found.model, StoredModel) == (path.suffix == ".digest")
        cache_compare.assert_same(plain, found)
        assert is_hit(source, options)


@pytest.mark.parametrize("size", [0, 1, 16, 63, 64, 65, 500, -1])
def test_truncated_and_extended(size, options, cache):
    prepare_cached(MODEL, options)
    (path,) = entries(cache)
    data = path.read_bytes()
    path.write_bytes(data + b"\0" if size < 0 else data[:size])
    assert not is_hit(MODEL, options)
    assert is_hit(MODEL, options)


def test_entry_of_another_model_under_this_name(options, cache):
    prepare_cached(MODEL, options)
    (first,) = entries(cache)
    prepare_cached(chain(seed=9).SerializeToString(), options)
    (second,) = [f for f in entries(cache) if f != first]
    first.write_bytes(second.read_bytes())
    assert not is_hit(MODEL, options)


@posix
def test_folders_links_and_pipes_under_the_name_of_an_entry(options, cache, tmp_path):
    prepare_cached(MODEL, options)
    (path,) = entries(cache)
    path.rename(tmp_path / "elsewhere")
    for make in (lambda: path.symlink_to(tmp_path / "elsewhere"), lambda: os.mkfifo(path)):
        make()
        assert not is_hit(MODEL, options)
        assert is_hit(MODEL, options)
        path.unlink()
    path.mkdir()
    assert not is_hit(MODEL, options)
    assert not is_hit(MODEL, options)


def test_documents_that_mislead_raise_nothing_unusual(options, cache):
    """With a right digest: what somebody could write who may write to the folder."""
    place = folder.open_folder(CacheSettings(str(cache), 1 << 30))
    plain = prepare_cached(MODEL, options)
    (path,) = entries(cache)
    record = place.read(path.name)
    text = json.dumps(record.document)
    rng = random.Random(3)
    junk = [None, -1, 0, 5, 10**9, 2**70, 1.5, "", "x", [], {}, [[]], True]
    for _ in range(250):
        document = json.loads(text)
        _mutate(document, rng, junk)
        place.write(path.name, document, [record.blob.data])
        with contextlib.suppress(OrtError):
            ort.InferenceSession(MODEL, options, REFERENCE)
    for name in ("weights", "operators", "types", "graph", "interface"):
        for bad in junk:
            place.write(path.name, json.loads(text) | {name: bad}, [record.blob.data])
            prepare_cached(MODEL, options)
    place.write(path.name, record.document, [record.blob.data[:64]])
    cache_compare.assert_same(plain, prepare_cached(MODEL, options))


def _mutate(document, rng, junk):
    parent, key = None, None
    node = document
    while isinstance(node, dict | list) and node and (parent is None or rng.random() < 0.8):
        parent, key = node, rng.choice([*node] if isinstance(node, dict) else range(len(node)))
        node = parent[key]
    parent[key] = rng.choice(junk)


def test_deep_documents_are_ignored(options, cache):
    prepare_cached(MODEL, options)
    (path,) = entries(cache)
    text = b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    header = folder._HEADER.pack(folder._MAGIC, folder._digest(path.name, len(text), text), len(text), 0)
    path.write_bytes(header + text)
    assert not is_hit(MODEL, options)
