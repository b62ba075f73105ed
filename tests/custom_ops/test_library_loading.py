"""What `load_library` does with files that are and that are not libraries of custom operators."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ort_core as ort
from ort_core.errors import Fail
from ort_custom_ops import _native
from ort_custom_ops.library import load_library
from tests.custom_ops.library_builder import build, folder, op_of, zoo


def failure(path: str | Path) -> str:
    with pytest.raises(Fail) as caught:
        load_library(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_missing_file_names_the_path():
    assert "Check the path" in failure("/nowhere/libnothing.so")


def test_folder_is_no_library(tmp_path):
    assert "not of a folder" in failure(tmp_path)


def test_file_that_is_no_library(tmp_path):
    path = tmp_path / "text.so"
    path.write_text("hello " * 100)
    assert "built for this machine" in failure(path)


@pytest.mark.parametrize("size", [0, 3, 40, 64, 200, 1000, 5000])
def test_truncated_library_is_an_error(tmp_path, size):
    path = tmp_path / "short.so"
    path.write_bytes(Path(build("bad.cpp", "silent", "-DKIND=7")).read_bytes()[:size])
    assert "cannot be used" in failure(path)


def test_library_without_entry_point():
    assert "no function RegisterCustomOps" in failure(build("bad.cpp", "entryless", "-DKIND=0"))


def test_library_for_a_newer_api_says_which_version_it_wants():
    message = failure(build("bad.cpp", "newer", "-DKIND=1"))
    assert "version 99" in message
    assert f"1 to {_native.newest_api}" in message


def test_status_of_the_entry_point_is_kept_whole():
    assert "RegisterCustomOps failed: there is no licence" in failure(build("bad.cpp", "refuses", "-DKIND=2"))


def test_exception_of_the_entry_point_is_caught():
    assert "the moon is full" in failure(build("bad.cpp", "throws", "-DKIND=3"))


def test_operator_for_a_newer_api_is_named():
    message = failure(build("bad.cpp", "future", "-DKIND=4"))
    assert "bad::FromTheFuture" in message
    assert "version 99" in message


def test_slot_that_is_not_offered_names_itself():
    assert "OrtApi::CreateSession" in failure(build("bad.cpp", "asks", "-DKIND=6"))


def test_library_that_registers_nothing_has_no_operators():
    assert list(load_library(build("bad.cpp", "silent", "-DKIND=7"))) == []


def test_missing_dependency_is_named(tmp_path):
    other = tmp_path / "libmissing_friend.so"
    source = tmp_path / "friend.c"
    source.write_text("int friend_of_the_library(void) { return 1; }")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(other), str(source)], check=True)
    path = build(
        "bad.cpp", "lonely", "-DKIND=7", "-Wl,--no-as-needed", str(other), f"-L{tmp_path}", "-Wl,-soname,liblonely.so"
    )
    other.unlink()
    message = failure(path)
    assert "libmissing_friend.so" in message
    assert "LD_LIBRARY_PATH" in message


def fake_onnxruntime(version: str, soname: str = "libonnxruntime.so.1") -> str:
    """A library to link against that looks like onnxruntime's of a version; without one its symbol has none."""
    source, script = folder() / f"fake{version}.c", folder() / f"fake{version}.map"
    source.write_text("const void *OrtGetApiBase(void) { return 0; }")
    name = f"VERS_{version}" if version else ""
    script.write_text(f"{name} {{ global: OrtGetApiBase; local: *; }};")
    target = folder() / f"fake{version}.so"
    linking = [f"-Wl,--version-script={script}", f"-Wl,-soname,{soname}"]
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(target), str(source), *linking], check=True)
    return str(target)


@pytest.mark.parametrize(
    ("version", "soname"),
    [
        ("1.17.1", "libonnxruntime.so.1"),
        ("1.31.1", "libonnxruntime.so.1"),
        ("1.14.1", "libonnxruntime.so.1.14.1"),
        ("", "libonnxruntime.so"),
    ],
)
def test_library_linked_to_onnxruntime_gets_our_table(version, soname):
    path = build("bad.cpp", f"linked{version}", "-DKIND=5", fake_onnxruntime(version, soname))
    code = (
        "from ort_custom_ops.library import load_library; from ort_core.custom_ops.spec import KernelRequest;"
        "from ort_core.ir.graph import Node, Value;"
        f"(op,) = load_library({path!r});"
        "kernel = op.bind(KernelRequest(Node('Nothing', [], [Value('y')], domain='linked'), {}, {}));"
        "print(op.domain, op.name, kernel.fn().item())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("linked Nothing 42", "")


def test_library_linked_to_a_newer_onnxruntime_says_what_is_offered():
    message = failure(build("bad.cpp", "linked_newer", "-DKIND=5", fake_onnxruntime("1.77.0")))
    assert "VERS_1.77.0" in message
    assert "onnxruntime 1.31" in message


def test_library_sees_the_configuration_of_the_options_that_it_is_registered_with():
    path = build("bad.cpp", "configured", "-DKIND=8")
    options = ort.SessionOptions()
    for expected in ("no licence is configured", "number 42"):
        with pytest.raises(Fail, match=expected):
            options.register_custom_ops_library(path)
        options.add_session_config_entry("bad.licence", "number 42")


def test_same_library_is_loaded_once_under_every_name():
    path = build("zoo.cpp", "zoo")
    link = folder() / "other_name.so"
    if not link.exists():
        link.symlink_to(path)
    first = load_library(path)
    for other in (link, Path(path), os.path.relpath(path)):
        assert all(op is same for op, same in zip(load_library(other), first, strict=True))


def test_operators_have_what_the_library_declares():
    versioned = op_of("Versioned", 0), op_of("Versioned", 1)
    assert [(op.domain, op.since_version, op.end_version) for op in versioned] == [("zoo", 1, 1), ("zoo", 2, None)]
    assert op_of("OnDevice").device_type == "cuda"
    assert op_of("AddOne1").device_type == "cpu"
    assert op_of("AddOne1").has_native
    assert not op_of("Upper").has_native
    assert len({id(op) for op in zoo()}) == len(zoo())


def test_process_ends_well_with_libraries_loaded():
    path = build("zoo.cpp", "zoo")
    code = f"from ort_custom_ops.library import load_library; print(len(load_library({path!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(len(zoo())), "")


def test_process_ends_well_while_a_thread_computes():
    code = """
import threading, time
import numpy as np
from tests.custom_ops.library_builder import bind, node_of
x = np.ones(3, np.float32)
kernel = bind(node_of("AddOne17", [x])).fn
def work():
    while True:
        kernel(x)
threading.Thread(target=work, daemon=True).start()
time.sleep(0.1)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, cwd=root, timeout=100)
    assert done.returncode == 0, done.stderr.decode()


def test_slots_are_offered_under_their_numbers():
    slots = {name: number for number, name in _native.offered_slots()}
    assert slots["CreateStatus"] == 0
    assert slots["KernelContext_GetOutput"] == 91
    assert slots["KernelContext_ParallelFor"] == 274
    assert slots["GetTensorData"] == 378
    assert slots["KernelContext_GetSyncStream"] == 423
