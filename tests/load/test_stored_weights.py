from __future__ import annotations

import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from load_samples import floats, info
from onnx import helper, numpy_helper

from ort_core.errors import Fail, InvalidArgument, NoSuchFile
from ort_core.ir.tensors import WeightRef
from ort_core.ir.types import ElementType
from ort_core.load import source as source_module
from ort_core.load.onnx_model import load_model
from ort_core.load.source import BufferSource, FileSource
from ort_core.load.weights import StoredWeight, WeightBlocks


def write_model(path: Path, count: int = 400, *, tensors: int = 1) -> Path:
    initializers = [floats(f"w{i}", count, seed=i) for i in range(tensors)]
    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"])], "g", [info("x", 1)], [info("y", 1)], initializers
    )
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])
    path.write_bytes(model.SerializeToString())
    return path


def weight_of(path: Path) -> StoredWeight:
    const = load_model(path).graph.initializers["w0"].const
    assert isinstance(const, StoredWeight)
    return const


@pytest.fixture(params=[True, False], ids=["preadv", "seek"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(source_module, "_HAS_PREADV", request.param and source_module._HAS_PREADV)
    return request.param


@pytest.mark.usefixtures("reading")
def test_a_weight_in_a_file_reads_aligned_and_read_only(tmp_path: Path) -> None:
    weight = weight_of(write_model(tmp_path / "m.onnx"))
    expected = numpy_helper.to_array(floats("w0", 400))
    array = weight.array()
    assert isinstance(weight, WeightRef)
    assert array.tobytes() == expected.tobytes() == bytes(weight.view())
    assert array.ctypes.data % 64 == 0
    assert not array.flags.writeable
    into = bytearray(weight.nbytes)
    weight.read_into(memoryview(into))
    assert into == expected.tobytes()
    assert (weight.element, weight.shape, weight.nbytes) == (ElementType.FLOAT, (400,), 1600)


@pytest.mark.usefixtures("reading")
def test_threads_may_read_one_file_together(tmp_path: Path) -> None:
    model = load_model(write_model(tmp_path / "m.onnx", tensors=20))
    weights = [v.const for v in model.graph.initializers.values()]
    with ThreadPoolExecutor(8) as pool:
        arrays = list(pool.map(lambda w: w.array(), weights * 5))
    for index, array in enumerate(arrays):
        assert array.tobytes() == floats("", 400, seed=index % 20).raw_data


@pytest.mark.parametrize("size", [400, 1 << 15, 3 << 17, 1 << 20])
def test_blocks_give_what_each_weight_gives(tmp_path: Path, size: int) -> None:
    blocks = WeightBlocks()
    weights = [
        v.const for v in load_model(write_model(tmp_path / "m.onnx", size, tensors=3)).graph.initializers.values()
    ]
    arrays = [blocks.array(w) for w in weights]
    for weight, array in zip(weights, arrays, strict=True):
        np.testing.assert_array_equal(array, weight.array())
        assert array.ctypes.data % 64 == 0
        assert not array.flags.writeable


def test_blocks_hold_more_than_one_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WeightBlocks, "BLOCK_BYTES", 1 << 20)
    blocks = WeightBlocks()
    weights = [
        v.const for v in load_model(write_model(tmp_path / "m.onnx", 3 << 16, tensors=5)).graph.initializers.values()
    ]
    for weight, array in zip(weights, [blocks.array(w) for w in weights], strict=True):
        np.testing.assert_array_equal(array, weight.array())


def test_a_file_truncated_under_us_is_a_clear_failure(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx")
    weight = weight_of(path)
    os.truncate(path, 500)
    for read in (weight.array, weight.view, lambda: weight.read_into(memoryview(bytearray(weight.nbytes)))):
        with pytest.raises(
            Fail, match=r"m\.onnx' changed.*has 500 now.*1600 bytes at offset \d+.*Load the model again"
        ):
            read()


def test_a_file_truncated_during_the_read_is_a_clear_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weight = weight_of(write_model(tmp_path / "m.onnx"))
    reads = iter([1000, 0])
    monkeypatch.setattr(FileSource, "_read", lambda *_: next(reads))
    with pytest.raises(Fail, match=r"m\.onnx' ends early: expected 1600 bytes at offset \d+, got 1000"):
        weight.array()


def test_a_file_modified_in_place_is_a_clear_failure(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx")
    weight = weight_of(path)
    stamp = path.stat().st_mtime_ns
    with path.open("r+b") as file:
        file.seek(weight.offset)
        file.write(b"\0" * 16)
    os.utime(path, ns=(stamp, stamp + 1_000_000))
    with pytest.raises(Fail, match="changed while the model was in use"):
        weight.array()


def test_a_file_replaced_or_deleted_by_name_stays_readable(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx")
    weight = weight_of(path)
    expected = weight.array()
    os.replace(write_model(tmp_path / "other.onnx", 800), path)
    assert weight.array().tobytes() == expected.tobytes()
    path.unlink()
    assert weight.array().tobytes() == expected.tobytes()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_the_descriptor_is_shared_and_closes_with_the_last_weight(tmp_path: Path) -> None:
    path = os.path.realpath(write_model(tmp_path / "m.onnx", tensors=30))

    def target(name: str) -> str:
        try:
            return os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            return ""

    def open_count() -> int:
        return sum(target(name) == path for name in os.listdir("/proc/self/fd"))

    model = load_model(path)
    last = model.graph.initializers["w7"].const
    assert open_count() == 1
    del model
    gc.collect()
    assert open_count() == 1
    assert last.array().shape == (400,)
    del last
    assert open_count() == 0


def test_reading_needs_no_more_memory_than_the_arrays(tmp_path: Path) -> None:
    status = Path("/proc/self/status")
    if "RssAnon" not in (status.read_text() if status.exists() else ""):
        pytest.skip("needs RssAnon")

    def anonymous_bytes() -> int:
        line = next(text for text in status.read_text().splitlines() if text.startswith("RssAnon"))
        return int(line.split()[1]) << 10

    path = write_model(tmp_path / "m.onnx", 1 << 22, tensors=4)
    gc.collect()
    before = anonymous_bytes()
    arrays = [v.const.array() for v in load_model(path).graph.initializers.values()]
    assert sum(a.nbytes for a in arrays) == 1 << 26
    assert anonymous_bytes() - before <= 1.05 * path.stat().st_size


def test_a_writable_buffer_is_copied_and_a_readonly_one_is_not() -> None:
    data = bytearray(b"abcd")
    source = BufferSource(data)
    data[0] = 0
    assert bytes(source.view(0, 4)) == b"abcd"
    fixed = b"abcd" * 100
    assert np.shares_memory(np.frombuffer(BufferSource(fixed).view(0, 400), np.uint8), np.frombuffer(fixed, np.uint8))


def test_buffers_of_other_formats_and_layouts_are_accepted() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert bytes(BufferSource(array.T).view(0, 24)) == array.T.tobytes()
    assert BufferSource(np.empty((0, 3))).size == 0
    with pytest.raises(InvalidArgument, match=r"buffer protocol.*got list"):
        BufferSource([1, 2])
    with pytest.raises(Fail, match="has only 24 bytes"):
        BufferSource(array).view(20, 8)


@pytest.mark.parametrize(
    ("make", "kind", "error"),
    [
        (lambda p: None, "does not exist", NoSuchFile),
        (lambda p: p.mkdir(), "is a folder", Fail),
        (os.mkfifo if os.name != "nt" else None, "is a pipe", Fail),
        (lambda p: os.symlink("/dev/zero", p), "is a device", Fail),
        (lambda p: os.symlink(p, p), "cannot open", Fail),
    ],
    ids=["missing", "folder", "pipe", "device", "circular link"],
)
@pytest.mark.skipif(os.name == "nt", reason="needs POSIX file kinds")
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, make: object, kind: str, error: type) -> None:
    path = tmp_path / "thing.onnx"
    make(path)  # type: ignore[operator]
    outcome: list[BaseException] = []

    def load() -> None:
        try:
            load_model(path)
        except BaseException as raised:
            outcome.append(raised)

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "loading hangs"
    assert type(outcome[0]) is error
    assert kind in str(outcome[0])
    assert "thing.onnx" in str(outcome[0])
