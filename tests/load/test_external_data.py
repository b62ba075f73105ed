from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from load_samples import info
from onnx import TensorProto, helper

from ort_core.errors import Fail, InvalidArgument, InvalidGraph, NoSuchFile, OrtError
from ort_core.ir.tensors import ArrayWeight
from ort_core.load.onnx_model import load_model
from ort_core.load.weights import StoredWeight

DATA = np.arange(1000, dtype=np.float32)
posix_only = pytest.mark.skipif(os.name == "nt", reason="needs POSIX file kinds")


def tensor(
    location: str | None = "w.bin", count: int = 1000, data_type: int = TensorProto.FLOAT, **entries: object
) -> onnx.TensorProto:
    proto = TensorProto(name="w", data_type=data_type, dims=[count], data_location=TensorProto.EXTERNAL)
    if location is not None:
        proto.external_data.add(key="location", value=location)
    for key, value in entries.items():
        proto.external_data.add(key=key, value=str(value))
    return proto


def model(*tensors: onnx.TensorProto) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"])], "g", [info("x", 1)], [info("y", 1)], list(tensors)
    )
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a data file, beside a secret that no model may read."""
    (tmp_path / "secret.bin").write_bytes(DATA.tobytes())
    inside = tmp_path / "model"
    inside.mkdir()
    (inside / "w.bin").write_bytes(DATA.tobytes())
    return inside


def load(folder: Path, proto: onnx.TensorProto, **options: object) -> object:
    path = folder / "m.onnx"
    path.write_bytes(model(proto).SerializeToString())
    return load_model(path, **options).graph.initializers["w"].const  # type: ignore[arg-type]


def refused(error: type[OrtError], folder: Path, proto: onnx.TensorProto, **options: object) -> str:
    with pytest.raises(OrtError) as caught:
        load(folder, proto, **options)
    assert type(caught.value) is error, caught.value
    assert "'w'" in str(caught.value) or "'w' of" in str(caught.value)
    return str(caught.value)


def test_data_beside_the_model_is_read_lazily_from_one_open_file(folder: Path) -> None:
    path = folder / "m.onnx"
    other = tensor(offset=400, length=1200, count=300)
    other.name = "v"
    path.write_bytes(model(tensor(), other).SerializeToString())
    values = load_model(path).graph.initializers
    first, second = values["w"].const, values["v"].const
    assert isinstance(first, StoredWeight)
    assert isinstance(second, StoredWeight)
    assert first.source is second.source
    assert first.array().tolist() == DATA.tolist()
    assert second.array().tolist() == DATA[100:400].tolist()


def test_the_working_folder_does_not_matter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "m.onnx").write_bytes(model(tensor()).SerializeToString())
    monkeypatch.chdir(folder)
    weight = load_model("m.onnx").graph.initializers["w"].const
    monkeypatch.chdir("/")
    assert weight.array()[5] == 5


def test_small_external_tensors_are_read_at_once(folder: Path) -> None:
    assert isinstance(load(folder, tensor(count=4, length=16, offset=16)), ArrayWeight)


@pytest.mark.parametrize("location", ["sub/w.bin", "./sub/./w.bin", "w:0", "onnx::MatMul_1"])
def test_locations_inside_the_folder_are_accepted(folder: Path, location: str) -> None:
    path = folder / location
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(DATA.tobytes())
    assert load(folder, tensor(location)).array()[7] == 7


@pytest.mark.parametrize(
    "location",
    [
        "../secret.bin",
        "sub/../../secret.bin",
        "..\\secret.bin",
        "w.bin/..",
        "/etc/passwd",
        "\\\\server\\share\\w.bin",
        "C:\\w.bin",
        "c:/w.bin",
        "w.bin\0",
        "",
    ],
)
def test_locations_that_leave_the_folder_are_refused(folder: Path, location: str) -> None:
    message = refused(InvalidArgument, folder, tensor(location))
    assert "relative location" in message


def test_an_absolute_location_into_the_folder_itself_is_refused(folder: Path) -> None:
    assert "is absolute" in refused(InvalidArgument, folder, tensor(str(folder / "w.bin")))


def test_a_missing_location_is_refused(folder: Path) -> None:
    assert "is empty" in refused(InvalidArgument, folder, tensor(None))


def test_a_missing_file_is_named(folder: Path) -> None:
    message = refused(NoSuchFile, folder, tensor("gone.bin"))
    assert str(folder / "gone.bin") in message


@posix_only
@pytest.mark.parametrize("what", ["file", "folder", "chain"])
def test_symbolic_links_out_of_the_folder_are_refused(folder: Path, what: str) -> None:
    secret = folder.parent / "secret.bin"
    location = "link.bin"
    if what == "file":
        (folder / location).symlink_to(secret)
    elif what == "chain":
        (folder / "hop").symlink_to(secret)
        (folder / location).symlink_to("hop")
    else:
        (folder / "up").symlink_to("..")
        location = "up/secret.bin"
    message = refused(InvalidArgument, folder, tensor(location))
    assert "outside the model's folder" in message
    assert str(secret) in message


@posix_only
def test_symbolic_links_inside_the_folder_are_followed(folder: Path) -> None:
    (folder / "link.bin").symlink_to("w.bin")
    assert load(folder, tensor("link.bin")).array()[3] == 3


@posix_only
def test_a_folder_reached_through_a_link_is_the_model_folder(folder: Path) -> None:
    (folder / "m.onnx").write_bytes(model(tensor()).SerializeToString())
    alias = folder.parent / "alias"
    alias.symlink_to(folder)
    assert load_model(alias / "m.onnx").graph.initializers["w"].const.array()[3] == 3


def hub(root: Path, location: str = "model.onnx_data") -> Path:
    """The layout of a model hub's cache: links in a snapshot folder into a flat folder of blobs."""
    blobs, snapshot = root / "blobs", root / "snapshots" / "1234" / "onnx"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    (blobs / "aaaa").write_bytes(model(tensor(location)).SerializeToString())
    (blobs / "bbbb").write_bytes(DATA.tobytes())
    (snapshot / "model.onnx").symlink_to("../../../blobs/aaaa")
    return snapshot / "model.onnx"


@posix_only
def test_the_layout_of_model_hubs_is_accepted(tmp_path: Path) -> None:
    path = hub(tmp_path)
    (path.parent / "model.onnx_data").symlink_to("../../../blobs/bbbb")
    assert load_model(path).graph.initializers["w"].const.array()[3] == 3


@posix_only
@pytest.mark.parametrize(
    "target", ["../../../other/secret.bin", "../../../blobs/deeper/secret.bin", "../../../secret.bin"]
)
def test_in_a_hub_only_files_beside_the_model_blob_are_reachable(tmp_path: Path, target: str) -> None:
    path = hub(tmp_path)
    secret = path.parent / target
    Path(os.path.normpath(secret)).parent.mkdir(exist_ok=True)
    Path(os.path.normpath(secret)).write_bytes(DATA.tobytes())
    (path.parent / "model.onnx_data").symlink_to(target)
    with pytest.raises(InvalidArgument, match="outside the model's folder"):
        load_model(path)


@posix_only
def test_a_model_that_is_no_link_itself_reaches_no_blobs(tmp_path: Path) -> None:
    path = hub(tmp_path)
    (path.parent / "model.onnx_data").symlink_to("../../../blobs/bbbb")
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    with pytest.raises(InvalidArgument, match="outside"):
        load_model(path)


@posix_only
def test_hard_links_are_plain_files(folder: Path) -> None:
    os.link(folder / "w.bin", folder / "hard.bin")
    assert load(folder, tensor("hard.bin")).array()[3] == 3


@posix_only
def test_pipes_and_folders_are_refused_at_once(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "sub").mkdir()
    assert "is a pipe" in refused(Fail, folder, tensor("pipe"))
    assert "is a folder" in refused(Fail, folder, tensor("sub"))


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ({"offset": -1}, "'-1'"),
        ({"offset": "1e3"}, "'1e3'"),
        ({"offset": "0x10"}, "'0x10'"),
        ({"offset": "1_0"}, "'1_0'"),
        ({"offset": ""}, "''"),
        ({"offset": "9" * 5000}, "expected a number of bytes"),
        ({"offset": "٣"}, "expected a number of bytes"),
        ({"offset": 1}, "bytes 1 to 4001.*only 4000 bytes"),
        ({"offset": (1 << 63) - 1}, "only 4000 bytes"),
        ({"length": 3999}, "takes 4000 bytes.*says 3999"),
        ({"length": 4004}, "takes 4000 bytes.*says 4004"),
        ({"length": -4000}, "'-4000'"),
        ({"count": 1 << 61}, "overflows|only 4000 bytes"),
        ({"count": 1 << 40}, "only 4000 bytes"),
        ({"count": -5}, "negative"),
        ({"data_type": TensorProto.STRING}, "strings cannot be external"),
        ({"data_type": 0}, "element type 0"),
    ],
    ids=str,
)
def test_offsets_lengths_and_types_that_do_not_fit_are_refused(
    folder: Path, entries: dict[str, object], text: str
) -> None:
    with pytest.raises(InvalidGraph, match=text):
        load(folder, tensor(**entries))  # type: ignore[arg-type]


def test_a_model_given_as_bytes_reaches_no_file_unless_told_where(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for source in (model(tensor()).SerializeToString(), model(tensor())):
        with pytest.raises(InvalidArgument, match="reads no files"):
            load_model(source)
        assert load_model(source, external_root=folder).graph.initializers["w"].const.array()[3] == 3


def test_an_explicit_root_replaces_the_model_folder(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "w.bin").write_bytes((DATA + 1).tobytes())
    assert load(folder, tensor(), external_root=elsewhere).array()[0] == 1
    with pytest.raises(NoSuchFile, match="nowhere"):
        load(folder, tensor(), external_root=folder / "nowhere")


@posix_only
def test_an_explicit_root_admits_no_hub_layout(tmp_path: Path) -> None:
    path = hub(tmp_path)
    (path.parent / "model.onnx_data").symlink_to("../../../blobs/bbbb")
    with pytest.raises(InvalidArgument, match="outside"):
        load_model(path, external_root=path.parent)


def test_buffers_stand_in_for_files(folder: Path) -> None:
    data = model(tensor("dir/w.bin", offset=8, length=4000)).SerializeToString()
    for buffer in (bytes(8) + DATA.tobytes(), np.concatenate([np.zeros(2, np.float32), DATA])):
        weight = load_model(data, external_files={"./dir/w.bin": buffer}).graph.initializers["w"].const
        assert weight.array().tolist() == DATA.tolist()
    with pytest.raises(InvalidGraph, match="only 100 bytes"):
        load_model(data, external_files={"dir/w.bin": bytes(100)})
    with pytest.raises(InvalidArgument, match="Buffers are given for: other"):
        load_model(data, external_files={"other": b""})
    with pytest.raises(InvalidArgument, match="buffer protocol"):
        load_model(data, external_files={"dir/w.bin": 5})


def test_external_data_in_subgraphs_and_attributes_is_resolved(folder: Path) -> None:
    constant = helper.make_node("Constant", [], ["k"])
    attribute = tensor()
    constant.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(attribute)
    proto = model()
    proto.graph.node.append(constant)
    (folder / "m.onnx").write_bytes(proto.SerializeToString())
    converted = load_model(folder / "m.onnx")
    assert converted.graph.nodes[1].attr("value").array()[9] == 9


def test_models_saved_by_onnx_with_external_data_load(tmp_path: Path) -> None:
    proto = model(onnx.numpy_helper.from_array(DATA, "w"), onnx.numpy_helper.from_array(DATA[:3], "s"))
    onnx.save(proto, tmp_path / "m.onnx", save_as_external_data=True, location="all.bin", size_threshold=0)
    values = load_model(tmp_path / "m.onnx").graph.initializers
    assert values["w"].const.array().tolist() == DATA.tolist()
    assert values["s"].const.array().tolist() == [0, 1, 2]
