"""`ort-core run --save`: what is written, and that nothing is overwritten by accident."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from onnx import TensorProto

from ort_core.cli import main
from ort_core.cli.save import plan_files, save_outputs
from ort_core.errors import Fail, InvalidArgument

FEEDS = ["--input", "a=[[1, 2]]", "--input", "b=[[3, 4]]"]


def test_folder_gets_one_npy_per_output(add_model, tmp_path, capsys):
    folder = tmp_path / "new" / "out"
    assert main(["run", add_model, *FEEDS, "--save", str(folder)]) == 0
    assert sorted(os.listdir(folder)) == ["product.npy", "sum.npy"]
    assert np.load(folder / "sum.npy").tolist() == [[4, 6]]
    assert f"saved {folder / 'sum.npy'}" in capsys.readouterr().out


def test_npz_gets_every_output_by_name(add_model, tmp_path, capsys):
    path = tmp_path / "out.npz"
    assert main(["run", add_model, *FEEDS, "--save", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["saved"] == [str(path)]
    with np.load(path) as archive:
        assert sorted(archive.files) == ["product", "sum"]
        assert archive["product"].dtype == np.float32
        assert archive["product"].tolist() == [[10, 20]]


@pytest.mark.parametrize("name", ["out.npz", "out"])
def test_existing_files_survive_without_force(name, add_model, tmp_path, capsys):
    destination = tmp_path / name
    existing = destination if name.endswith(".npz") else destination / "sum.npy"
    existing.parent.mkdir(exist_ok=True)
    existing.write_bytes(b"precious")
    assert main(["run", add_model, *FEEDS, "--save", str(destination)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"{existing} exists already. Choose another --save or give --force." in captured.err
    assert existing.read_bytes() == b"precious"
    assert not (destination / "product.npy").exists()
    assert main(["run", add_model, *FEEDS, "--save", str(destination), "--force"]) == 0
    np.load(existing)


def test_no_temporary_file_is_left(add_model, tmp_path):
    main(["run", add_model, *FEEDS, "--save", str(tmp_path / "out" / "o.npz")])
    main(["run", add_model, *FEEDS, "--save", str(tmp_path / "out" / "o.npz"), "--force"])
    assert os.listdir(tmp_path / "out") == ["o.npz"]


def test_a_file_that_appears_during_the_run_is_not_overwritten(tmp_path):
    paths = plan_files(str(tmp_path / "o.npz"), ["y"], force=False)
    (tmp_path / "o.npz").write_bytes(b"precious")
    with pytest.raises(InvalidArgument, match="exists already"):
        save_outputs(paths, {"y": np.zeros(2)}, force=False)
    assert (tmp_path / "o.npz").read_bytes() == b"precious"
    assert os.listdir(tmp_path) == ["o.npz"]


@pytest.mark.parametrize("exists", [False, True])
def test_file_systems_without_hard_links_are_served(exists, tmp_path, monkeypatch):
    def no_link(*_):
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", no_link)
    path = tmp_path / "y.npy"
    if exists:
        path.write_bytes(b"precious")
        with pytest.raises(InvalidArgument, match="exists already"):
            save_outputs({"y": path}, {"y": np.zeros(2)}, force=False)
        assert path.read_bytes() == b"precious"
    else:
        save_outputs({"y": path}, {"y": np.zeros(2)}, force=False)
        assert np.load(path).tolist() == [0, 0]
    assert os.listdir(tmp_path) == ["y.npy"]


def test_failure_while_writing_leaves_nothing(tmp_path, monkeypatch):
    def broken(*_args, **_kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(np.lib.format, "write_array", broken)
    with pytest.raises(OSError, match="disk full"):
        save_outputs({"y": tmp_path / "y.npy"}, {"y": np.zeros(2)}, force=True)
    assert os.listdir(tmp_path) == []


def test_output_names_never_leave_the_folder(tmp_path):
    paths = plan_files(str(tmp_path / "out"), ["../../etc/x", "a/b:0"], force=False)
    assert [p.parent for p in paths.values()] == [tmp_path / "out"] * 2


def test_output_names_that_collide_as_files_are_refused(tmp_path):
    with pytest.raises(InvalidArgument, match="share a file name"):
        plan_files(str(tmp_path / "out"), ["a/b", "a:b"], force=False)


def test_npy_destination_is_refused(add_model, tmp_path, capsys):
    assert main(["run", add_model, *FEEDS, "--save", str(tmp_path / "out.npy")]) == 2
    assert "name a folder" in capsys.readouterr().err


def test_npz_holds_outputs_of_any_name(tmp_path):
    outputs = {"file": np.ones(1), "allow_pickle": np.zeros(1), "a/b:0": np.ones(2)}
    path = str(tmp_path / "o.npz")
    save_outputs(plan_files(path, list(outputs), force=False), outputs, force=False)
    with np.load(path) as archive:
        assert set(archive.files) == set(outputs)


def test_strings_are_saved_without_pickle_and_feed_again(save_identity, tmp_path, capsys):
    model = save_identity(x=(TensorProto.STRING, ["N"]))
    assert main(["run", model, "--input", 'x=["a", "bcd"]', "--save", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    assert np.load(tmp_path / "out" / "x_copy.npy").tolist() == ["a", "bcd"]
    assert main(["run", model, "--input", f"x={tmp_path / 'out' / 'x_copy.npy'}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outputs"][0]["values"] == ["a", "bcd"]


def test_strings_that_numpy_would_cut_are_refused(tmp_path):
    with pytest.raises(Fail, match="NUL"):
        save_outputs({"y": tmp_path / "y.npy"}, {"y": np.array(["a\0"], object)}, force=False)


def test_values_that_are_no_tensors_are_refused(tmp_path):
    with pytest.raises(Fail, match="output 'y' is a list"):
        save_outputs({"y": tmp_path / "y.npy"}, {"y": [np.zeros(1)]}, force=False)


def test_types_that_numpy_lacks_are_saved_as_bytes_and_restored_as_feeds(tmp_path):
    import ml_dtypes

    from ort_core.cli.feeds import build_feeds
    from ort_core.cli.images import ImageOptions

    class Input:
        name, type, shape = "x", "tensor(bfloat16)", [3]

    array = np.array([1.5, -2, 3e38], ml_dtypes.bfloat16)
    save_outputs({"x": tmp_path / "x.npy"}, {"x": array}, force=False)
    feeds = build_feeds([f"x={tmp_path / 'x.npy'}"], [Input()], [], ImageOptions(), "m.onnx")
    assert feeds["x"].dtype == ml_dtypes.bfloat16
    assert feeds["x"].tolist() == array.tolist()
