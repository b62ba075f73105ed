"""Everything that changes the result has an entry of its own, and nothing else has."""

import types

import numpy as np
import onnx
import pytest
from cache_models import MODEL, REFERENCE, chain, entries, external, is_hit, saved
from onnx import TensorProto, helper, numpy_helper

import ort_core as ort
from ort_core.cache import entry, key, versions
from ort_core.cache.decode import StoredModel
from ort_core.cache.lookup import prepare_cached
from ort_core.cache.settings import FOLDER_ENTRY, FOLDER_VARIABLE, cache_settings
from ort_core.errors import InvalidArgument, InvalidGraph, LimitExceeded
from ort_core.ir.passes import Level, graph_pass
from ort_core.prepare import prepare
from ort_core.providers.hooks import hookimpl, register_hooks, unregister_hooks

ROOT_ENTRY = "session.model_external_initializers_file_folder_path"


def value(*shape, fill=0.0):
    return ort.OrtValue.ortvalue_from_numpy(np.full(shape, fill, np.float32))


def _limits(**caps):
    def change(options):
        options.limits = ort.Limits(**caps)

    return change


OPERATORS = ["ai.onnx::*"]
CHANGES = {
    "level": lambda o: setattr(o, "graph_optimization_level", ort.GraphOptimizationLevel.ORT_ENABLE_BASIC),
    "dimension": lambda o: o.add_free_dimension_override_by_name("batch", 3),
    "other dimension": lambda o: o.add_free_dimension_override_by_name("batch", 4),
    "denotation": lambda o: o.add_free_dimension_override_by_denotation("DATA_BATCH", 4),
    "initializer": lambda o: o.add_initializer("a", value(20, 20)),
    "other initializer": lambda o: o.add_initializer("a", value(20, 20, fill=1.0)),
    "operators": _limits(operators=OPERATORS),
    "fold_bytes": _limits(fold_bytes=100),
    "nodes": _limits(nodes=1000),
    "nesting": _limits(nesting=3),
    "memory_bytes": _limits(memory_bytes=1 << 30),
    "initializer_bytes": _limits(initializer_bytes=1 << 30),
}
NO_CHANGES = {
    "threads": lambda o: setattr(o, "intra_op_num_threads", 2),
    "logid": lambda o: setattr(o, "logid", "x"),
    "timeout": _limits(load_timeout_s=1000),
    "size of the cache": lambda o: o.add_session_config_entry("session.optimized_model_cache_max_bytes", "1000000"),
    "strictness": lambda o: o.add_session_config_entry("session.strict_shapes", "1"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_options_that_change_the_result(change, options, cache):
    prepare_cached(MODEL, options)
    changed = options.copy()
    change(changed)
    assert not is_hit(MODEL, changed)
    assert is_hit(MODEL, changed)
    assert is_hit(MODEL, options)
    assert len(entries(cache)) == 2


def test_changes_have_an_entry_each(options, cache):
    for change in CHANGES.values():
        changed = options.copy()
        change(changed)
        prepare_cached(MODEL, changed)
    assert len(entries(cache)) == len(CHANGES)


@pytest.mark.parametrize("change", NO_CHANGES.values(), ids=NO_CHANGES)
def test_options_without_effect(change, options):
    prepare_cached(MODEL, options)
    change(options)
    assert is_hit(MODEL, options)


def test_disabled_passes(options):
    prepare_cached(MODEL, options)
    assert not is_hit(MODEL, options, disabled_passes=["fold_constants"])
    assert is_hit(MODEL, options, disabled_passes=["fold_constants"])
    session = ort.InferenceSession(MODEL, options, REFERENCE, disabled_optimizers=["eliminate_noop"])
    assert session.run(None, {"x": np.ones((1, 20), np.float32)})


def test_a_refused_operator_is_refused_with_a_full_cache(options):
    prepare_cached(MODEL, options)
    options.limits = ort.Limits(operators=["ai.onnx::Add"])
    with pytest.raises(LimitExceeded, match="uses an operator that this session does not allow"):
        prepare_cached(MODEL, options)


def test_initializers_given_in_memory_are_used_in_place(options):
    shared = value(20, 20, fill=2.0)
    options.add_initializer("c", shared)
    prepare_cached(MODEL, options)
    found = prepare_cached(MODEL, options)
    assert isinstance(found.model, StoredModel)
    assert np.shares_memory(found.model.graph.initializers["c"].const.array(), shared.numpy())


def test_files_and_initializers_given_for_external_data(options, cache, tmp_path):
    folder = tmp_path / "m"
    path = external(folder, threshold=0)
    bytes_, weights = path.read_bytes(), (folder / "weights.bin").read_bytes()
    feeds = {"x": np.ones((1, 20), np.float32)}
    expected = ort.InferenceSession(path, providers=REFERENCE).run(None, feeds)[0]

    def run(source, options):
        return ort.InferenceSession(source, options, REFERENCE).run(None, feeds)[0]

    in_memory = options.copy()
    in_memory.add_external_initializers_from_files_in_memory(["weights.bin"], [weights], [len(weights)])
    other = options.copy()
    other.add_external_initializers_from_files_in_memory(["weights.bin"], [bytes(len(weights))], [len(weights)])
    by_name = options.copy()
    arrays = {t.name: numpy_helper.to_array(t) for t in chain().graph.initializer}
    by_name.add_external_initializers([*arrays], [ort.OrtValue.ortvalue_from_numpy(a) for a in arrays.values()])
    by_root = options.copy()
    by_root.add_session_config_entry(ROOT_ENTRY, str(folder))
    for _ in range(2):
        assert np.array_equal(run(bytes_, in_memory), expected)
        assert not run(bytes_, other).any()
        assert np.array_equal(run(bytes_, by_name), expected)
        assert np.array_equal(run(bytes_, by_root), expected)
    assert len(entries(cache)) == 4
    for each in (in_memory, other, by_name, by_root):
        assert is_hit(bytes_, each)
    with pytest.raises(InvalidArgument, match="reads no files"):
        run(bytes_, options)


def test_external_roots_with_different_data(options, tmp_path):
    data = external(tmp_path / "a", seed=0).read_bytes()
    external(tmp_path / "b", seed=5)
    results = []
    for _ in range(2):
        for name in "ab":
            changed = options.copy()
            changed.add_session_config_entry(ROOT_ENTRY, str(tmp_path / name))
            found = prepare_cached(data, changed)
            results.append(bytes(found.model.graph.initializers["c"].const.view()))
    assert results[:2] == results[2:]
    assert results[0] != results[1]
    assert isinstance(found.model, StoredModel)


@pytest.mark.parametrize("package", versions.PREPARING)
def test_versions_of_packages(package, options, monkeypatch):
    prepare_cached(MODEL, options)
    actual = versions.version_of
    monkeypatch.setattr(key, "version_of", lambda name: "999" if name == package else actual(name))
    assert not is_hit(MODEL, options)


def test_versions_are_those_that_packages_state():
    for package in ("numpy", "onnx", "ml_dtypes"):
        assert versions.version_of(package) == __import__(package).__version__
    assert versions.version_of("no_such_package") == ""


def test_a_source_tree_is_known_by_its_files(tmp_path, monkeypatch):
    package = tmp_path / "tree" / "source_tree_for_the_cache"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(package.parent)
    versions.version_of.cache_clear()
    before = versions.version_of(package.name)
    (package / "more.py").write_text("x = 1")
    versions.version_of.cache_clear()
    assert versions.version_of(package.name) != before
    versions.version_of.cache_clear()


@graph_pass(Level.BASIC)
def remove_nothing(graph, ctx):
    """Changes nothing."""
    return False


class Passes:
    """A hook module with a pass."""

    @hookimpl
    def ort_core_graph_passes(self, level):
        return [remove_nothing]


class Loader:
    """A hook module that reads a format of its own."""

    @hookimpl
    def ort_core_load_model(self, source):
        from ort_core.load.onnx_model import load_model

        return load_model(MODEL) if source == b"mine" else None


@pytest.fixture
def hooks():
    names = []
    yield lambda module: names.append(register_hooks(module))
    for name in names:
        unregister_hooks(name)


def test_passes_of_this_process_have_no_version(options, cache, hooks):
    hooks(Passes())
    assert not is_hit(MODEL, options)
    assert not entries(cache)


def test_passes_of_distributions(options, cache, monkeypatch):
    plugin = types.SimpleNamespace(distribution="plugin", version="1", value="numpy:hooks")
    items = [(plugin, remove_nothing)]
    state = types.SimpleNamespace(ask_items=lambda hook, level: items)
    monkeypatch.setattr(key, "current", lambda: state)
    keys = [key.circumstances(options, ())]
    plugin.version = "2"
    keys.append(key.circumstances(options, ()))
    items.clear()
    keys.append(key.circumstances(options, ()))
    assert len({repr(k) for k in keys}) == 3


def test_models_that_a_plugin_reads_are_not_cached(options, cache, hooks):
    hooks(Loader())
    assert not is_hit(b"mine", options)
    assert not is_hit(b"mine", options)
    assert not entries(cache)
    assert not is_hit(MODEL, options)
    assert is_hit(MODEL, options)


def test_messages_exposed_values_and_saved_models_are_not_cached(options, cache, tmp_path):
    prepare_cached(chain(), options)
    prepare_cached(MODEL, options, expose=lambda model: None)
    options.optimized_model_filepath = str(tmp_path / "saved.onnx")
    prepare_cached(MODEL, options)
    assert not cache.exists()


def test_much_data_in_memory_is_not_hashed(options, cache, monkeypatch):
    monkeypatch.setattr(entry, "MAX_BYTES_IN_MEMORY", len(MODEL) + 100)
    assert not is_hit(MODEL, options)
    assert is_hit(MODEL, options)
    for give in (
        lambda o: o.add_initializer("a", value(20, 20)),
        lambda o: o.add_external_initializers_from_files_in_memory(["f"], [bytes(101)], [101]),
    ):
        more = options.copy()
        give(more)
        assert not is_hit(MODEL, more)
        assert not is_hit(MODEL, more)
    assert len(entries(cache)) == 1


def test_off_by_default(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for config in ({}, {FOLDER_ENTRY: ""}):
        options = ort.SessionOptions()
        for name, text in config.items():
            options.add_session_config_entry(name, text)
        ort.InferenceSession(MODEL, options, REFERENCE)
    assert not list(tmp_path.iterdir())


def test_folder_of_the_platform_and_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    found = cache_settings({FOLDER_ENTRY: "default"})
    assert found is not None
    assert found.folder.endswith("ort_core/models".replace("/", "\\" if "\\" in found.folder else "/"))
    monkeypatch.setenv(FOLDER_VARIABLE, "~/somewhere")
    assert "~" not in cache_settings({}).folder
    assert cache_settings({FOLDER_ENTRY: ""}) is None
    assert cache_settings({FOLDER_ENTRY: str(tmp_path)}).folder == str(tmp_path)


@pytest.mark.parametrize("text", ["", "-1", "1e9", "many", "9" * 20])
def test_a_size_that_is_none_is_refused(text, options):
    options.add_session_config_entry("session.optimized_model_cache_max_bytes", text)
    with pytest.raises(ValueError, match="takes a number of bytes"):
        prepare_cached(MODEL, options)


def test_the_environment_switches_on(cache, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(cache))
    assert not is_hit(MODEL, ort.SessionOptions())
    assert is_hit(MODEL, ort.SessionOptions())


def test_models_that_cannot_be_loaded_give_their_own_error(options, cache, tmp_path):
    for source in (
        str(tmp_path / "none.onnx"),
        str(tmp_path),
        b"no model",
        str(saved(chain(), tmp_path / "m.onnx")) + "\0",
    ):
        with pytest.raises(Exception) as plain:
            prepare(source, ort.SessionOptions())
        with pytest.raises(type(plain.value)) as cached:
            prepare_cached(source, options)
        assert str(plain.value) == str(cached.value)
    assert not entries(cache)


def test_an_operator_that_is_unknown_is_refused_each_time(options):
    bad = onnx.ModelProto()
    bad.CopyFrom(chain())
    bad.graph.node.append(helper.make_node("NoSuchOperator", ["y"], ["z"]))
    bad.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, None))
    for _ in range(2):
        with pytest.raises(InvalidGraph):
            prepare_cached(bad.SerializeToString(), options)
