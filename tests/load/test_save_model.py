from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import onnx
import pytest
from load_samples import LARGE, everywhere, floats, info
from onnx import helper, numpy_helper
from proto_compare import canonical

from ort_core.errors import Fail, InvalidArgument, NoSuchFile, OrtError
from ort_core.ir.graph import Model
from ort_core.ir.rewrite import check_invariants
from ort_core.load import replace as replace_module
from ort_core.load import save as save_module
from ort_core.load.onnx_model import load_model
from ort_core.load.save import DATA_FILE, MARK, save_model
from ort_core.load.source import FileSource

posix_only = pytest.mark.skipif(os.name == "nt", reason="needs POSIX links")


def with_weights(seed: int = 0, *, tensors: int = 3) -> onnx.ModelProto:
    nodes = [helper.make_node("Sum", [f"w{i}" for i in range(tensors)], ["y"])]
    graph = helper.make_graph(
        nodes, "g", [], [info("y", LARGE)], [floats(f"w{i}", seed=seed + i) for i in range(tensors)]
    )
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])


def read(path: Path) -> onnx.ModelProto:
    """The model at `path` as onnx reads it, without our marks and with initializers in the order of their names."""
    proto = onnx.load(path)
    props = {e.key: e.value for e in proto.metadata_props if e.key not in (MARK, DATA_FILE)}
    del proto.metadata_props[:]
    helper.set_model_props(proto, props)
    return ordered(proto)


def ordered(proto: onnx.ModelProto) -> onnx.ModelProto:
    tensors = sorted(
        (onnx.TensorProto.FromString(t.SerializeToString()) for t in proto.graph.initializer), key=lambda t: t.name
    )
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(tensors)
    return canonical(proto)


def weights(path: Path) -> list[bytes]:
    return [numpy_helper.to_array(t).tobytes() for t in read(path).graph.initializer]


def metadata(path: Path) -> dict[str, str]:
    return {e.key: e.value for e in onnx.load(path, load_external_data=False).metadata_props}


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every model of these tests too large for one file."""
    monkeypatch.setattr(save_module, "MAX_MODEL_BYTES", 3000)


def test_a_saved_model_is_what_was_loaded(tmp_path: Path) -> None:
    proto = everywhere()
    proto.metadata_props.add(key="author", value="me")
    source, path = tmp_path / "source.onnx", tmp_path / "saved.onnx"
    source.write_bytes(proto.SerializeToString())
    for model in (load_model(source), load_model(proto)):
        save_model(model, path)
        assert read(path) == ordered(proto)
        assert metadata(path)[MARK] == "1"
        check_invariants(load_model(path))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["saved.onnx", "source.onnx"]
    assert MARK not in {e.key for e in model.header.metadata_props}


@pytest.mark.usefixtures("small_limit")
def test_a_model_over_the_limit_of_protobuf_gets_a_data_file(tmp_path: Path) -> None:
    proto = everywhere()
    path = tmp_path / "saved.onnx"
    save_model(load_model(proto), path)
    data = [p.name for p in tmp_path.iterdir() if p.name != "saved.onnx"]
    assert data == [metadata(path)[DATA_FILE]]
    raw = onnx.load(path, load_external_data=False)
    assert path.stat().st_size < 25_000
    offsets = {int(e.value) for t in raw.graph.initializer for e in t.external_data if e.key == "offset"}
    assert all(offset % 4096 == 0 for offset in offsets)
    assert read(path) == ordered(proto)
    again = load_model(path)
    assert again.graph.nodes[0].attr("then_branch").initializers["inner"].const.array().shape == (LARGE,)


@pytest.mark.usefixtures("small_limit")
def test_equal_objects_are_stored_once_in_the_data_file(tmp_path: Path) -> None:
    model = load_model(with_weights())
    shared = model.graph.initializers["w0"].const
    model.graph.initializers["w1"].const = model.graph.initializers["w2"].const = shared
    save_model(model, tmp_path / "m.onnx")
    assert (tmp_path / metadata(tmp_path / "m.onnx")[DATA_FILE]).stat().st_size == LARGE * 4
    assert len(set(weights(tmp_path / "m.onnx"))) == 1


def test_our_own_model_is_replaced_without_asking(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    save_model(load_model(with_weights(0)), path)
    first = weights(path)
    save_model(load_model(with_weights(10)), path)
    assert weights(path) != first


def test_a_model_may_be_saved_over_the_file_that_it_reads_from(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    save_model(load_model(with_weights()), path)
    before = weights(path)
    model = load_model(path)
    save_model(model, path)
    save_model(model, path)
    assert weights(path) == before


@pytest.mark.parametrize(
    "content", [b"", b"my thesis", with_weights().SerializeToString()], ids=["empty", "text", "model"]
)
def test_a_file_of_somebody_else_is_not_overwritten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(InvalidArgument, match=r"m\.onnx' exists.*not overwritten.*Give another path"):
        save_model(load_model(with_weights(5)), path)
    assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    save_model(load_model(with_weights(5)), path, overwrite=True)
    assert read(path) == ordered(with_weights(5))


@posix_only
@pytest.mark.parametrize("link", ["symbolic", "hard"])
def test_a_link_is_replaced_and_what_it_stood_for_stays(tmp_path: Path, link: str) -> None:
    original, path = tmp_path / "original.onnx", tmp_path / "m.onnx"
    original.write_bytes(with_weights(1).SerializeToString())
    path.symlink_to(original) if link == "symbolic" else os.link(original, path)
    with pytest.raises(InvalidArgument, match="not overwritten"):
        save_model(load_model(with_weights(2)), path)
    save_model(load_model(with_weights(2)), path, overwrite=True)
    assert not path.is_symlink()
    assert read(original) == ordered(with_weights(1))
    assert read(path) == ordered(with_weights(2))


@posix_only
def test_a_dangling_link_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(InvalidArgument, match="not overwritten"):
        save_model(load_model(with_weights()), path)
    save_model(load_model(with_weights()), path, overwrite=True)
    assert not (tmp_path / "elsewhere.onnx").exists()


@posix_only
def test_folders_and_pipes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(InvalidArgument, match="is not a file"):
            save_model(load_model(with_weights()), tmp_path / name, overwrite=True)
    with pytest.raises(NoSuchFile, match="Create it first"):
        save_model(load_model(with_weights()), tmp_path / "none" / "m.onnx")


@posix_only
def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        save_model(load_model(with_weights()), tmp_path / "m.onnx")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "m.onnx").stat().st_mode) == 0o640


class Broken(Exception):
    """Stands for whatever may go wrong."""


def failing_writes(monkeypatch: pytest.MonkeyPatch, error: Exception, after: int) -> None:
    calls = iter(range(1000))
    write = replace_module.write_weight

    def fail(*args: object) -> None:
        if next(calls) == after:
            raise error
        write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(save_module, "write_weight", fail)


@pytest.mark.parametrize("limit", [1 << 30, 3000])
@pytest.mark.parametrize("after", [0, 2])
@pytest.mark.parametrize("existing", [True, False])
def test_a_failure_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, after: int, existing: bool
) -> None:
    path = tmp_path / "m.onnx"
    if existing:
        save_model(load_model(with_weights(1)), path)
    before = path.read_bytes() if existing else None
    monkeypatch.setattr(save_module, "MAX_MODEL_BYTES", limit)
    failing_writes(monkeypatch, Broken(), after)
    with pytest.raises(Broken):
        save_model(load_model(with_weights(2)), path)
    assert [p.name for p in tmp_path.iterdir()] == (["m.onnx"] if existing else [])
    assert (path.read_bytes() if existing else None) == before


def test_a_full_disk_is_a_clear_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_writes(monkeypatch, OSError(28, "No space left on device"), 1)
    with pytest.raises(Fail, match=r"m\.onnx'.*No space left.*Nothing was changed"):
        save_model(load_model(with_weights()), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_changes_meanwhile_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source.onnx"
    source.write_bytes(with_weights().SerializeToString())
    model = load_model(source)
    os.truncate(source, 100)
    with pytest.raises(Fail, match="changed while"):
        save_model(model, tmp_path / "m.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["source.onnx"]


@pytest.mark.usefixtures("small_limit")
def test_the_old_data_file_stays_until_the_new_model_is_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.onnx"
    save_model(load_model(with_weights(1)), path)
    old, old_data = weights(path), metadata(path)[DATA_FILE]
    replace = os.replace

    def fail_for_the_model(source: str, target: str) -> None:
        if target == str(path):
            raise OSError(13, "Permission denied")
        replace(source, target)

    monkeypatch.setattr(replace_module.os, "replace", fail_for_the_model)
    with pytest.raises(Fail, match="Permission denied"):
        save_model(load_model(with_weights(2)), path)
    monkeypatch.undo()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["m.onnx", old_data])
    assert weights(path) == old


def test_data_files_of_replaced_models_are_removed_and_of_equal_ones_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.onnx"
    monkeypatch.setattr(save_module, "MAX_MODEL_BYTES", 3000)
    for seed in (1, 1, 2):
        save_model(load_model(with_weights(seed)), path)
        assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["m.onnx", metadata(path)[DATA_FILE]])
        assert weights(path) == [floats("", seed=seed + i).raw_data for i in range(3)]
    monkeypatch.setattr(save_module, "MAX_MODEL_BYTES", 1 << 30)
    save_model(load_model(path), path)
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    assert DATA_FILE not in metadata(path)
    assert weights(path) == [floats("", seed=2 + i).raw_data for i in range(3)]


def test_a_data_file_name_in_a_foreign_model_removes_nothing(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"keep")
    proto = with_weights()
    helper.set_model_props(proto, {MARK: "1", DATA_FILE: "victim"})
    path = tmp_path / "m.onnx"
    path.write_bytes(proto.SerializeToString())
    save_model(load_model(with_weights(3)), path)
    assert victim.read_bytes() == b"keep"


def test_large_weights_pass_through_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, path = tmp_path / "source.onnx", tmp_path / "m.onnx"
    source.write_bytes(with_weights().SerializeToString())
    model: Model = load_model(source)
    largest = 0
    read_into = FileSource.read_into

    def spy(self: FileSource, offset: int, dst: memoryview) -> None:
        nonlocal largest
        largest = max(largest, len(dst))
        read_into(self, offset, dst)

    monkeypatch.setattr(replace_module, "_CHUNK_BYTES", 256)
    monkeypatch.setattr(FileSource, "read_into", spy)
    save_model(model, path)
    assert largest == 256
    monkeypatch.undo()
    assert read(path) == ordered(with_weights())


def test_errors_are_ours(tmp_path: Path) -> None:
    with pytest.raises(OrtError):
        save_model(load_model(np.asarray(bytearray(with_weights().SerializeToString())).data), tmp_path)
