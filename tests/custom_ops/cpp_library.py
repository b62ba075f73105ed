"""The example library in C++: its headers, its own build, and models with one of its operators."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

SOURCE = Path(__file__).parents[2] / "examples" / "custom-op-library"
DOMAIN = "com.example.text_and_sampling"
_HEADER = "onnxruntime_lite_custom_op.h"
_PACKAGE = "libonnxruntime-dev"
_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_API_VERSION = 27


class Unavailable(Exception):
    """What the build needs is not to be had on this machine."""


@dataclass(frozen=True)
class Case:
    """A call of an operator.

    Attributes:
        inputs: None is an input that is left out.
        expected: the outputs, None for one that is left out; or a part of the error's message.
        attributes: arrays are tensor attributes.
        declared: the type of all outputs in the model; None leaves them to inference.
        version: of the domain's operator set.
        outputs: how many, where `expected` does not tell.
        constants: which inputs are initializers.
    """

    op: str
    inputs: Sequence[np.ndarray | None]
    expected: Sequence[np.ndarray | None] | str
    attributes: dict[str, Any] = field(default_factory=dict)
    declared: type[np.generic] | None = None
    version: int = 2
    outputs: int = 1
    domain: str = DOMAIN
    constants: Sequence[int] = ()

    def model(self) -> bytes:
        inputs = [f"input_{i}" if x is not None else "" for i, x in enumerate(self.inputs)]
        wanted = [True] * self.outputs if isinstance(self.expected, str) else [x is not None for x in self.expected]
        outputs = [f"output_{i}" if want else "" for i, want in enumerate(wanted)]
        declared = helper.np_dtype_to_tensor_dtype(np.dtype(self.declared)) if self.declared else None
        described = [
            helper.make_tensor_value_info(n, _element_type(x), [f"{n}_{axis}" for axis in range(x.ndim)])
            for i, (n, x) in enumerate(zip(inputs, self.inputs, strict=True))
            if x is not None and i not in self.constants
        ]
        tensors = [numpy_helper.from_array(x, f"input_{i}") for i, x in enumerate(self.inputs) if i in self.constants]
        returned = [
            helper.make_tensor_value_info(n, declared, None) if declared else helper.make_empty_tensor_value_info(n)
            for n in outputs
            if n
        ]
        attributes = {
            name: numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
            for name, value in self.attributes.items()
        }
        node = helper.make_node(self.op, inputs, outputs, name="node", domain=self.domain, **attributes)
        graph = helper.make_graph([node], self.op, described, returned, tensors)
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid(self.domain, self.version)]
        serialized: bytes = helper.make_model(graph, ir_version=10, opset_imports=opsets).SerializeToString()
        return serialized

    def feed(self) -> dict[str, np.ndarray]:
        return {f"input_{i}": x for i, x in enumerate(self.inputs) if x is not None and i not in self.constants}


def _element_type(x: np.ndarray) -> int:
    return TensorProto.STRING if x.dtype == object else helper.np_dtype_to_tensor_dtype(x.dtype)


def find_headers(folder: Path) -> Path:
    """Where ONNX Runtime's headers are: `ORT_HEADERS`, installed, or unpacked from Debian's package into `folder`."""
    if given := os.environ.get("ORT_HEADERS"):
        return Path(given)
    installed = Path("/usr/include/onnxruntime")
    if _api_version(installed) >= _API_VERSION:
        return installed
    headers = _download_headers(folder)
    if (found := _api_version(headers)) < _API_VERSION:
        raise Unavailable(f"Debian's {_PACKAGE} has API version {found}, the example needs {_API_VERSION}")
    return headers


def _api_version(headers: Path) -> int:
    header = headers / "onnxruntime_c_api.h"
    text = header.read_text(encoding="utf-8") if header.is_file() else ""
    found = re.search(r"^#define ORT_API_VERSION (\d+)", text, re.MULTILINE)
    return int(found[1]) if found else 0


def _download_headers(folder: Path) -> Path:
    """The newest headers that Debian packages, from the mirror this machine uses; nothing is installed."""
    if not shutil.which("apt-get"):
        raise Unavailable(f"set ORT_HEADERS to the folder of {_HEADER}")
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    configured = _run("apt-get", "--print-uris", "-o", f"Dir::State::lists={folder / 'lists'}", "update")
    mirror = re.search(r"'(\S+/debian)/+dists/", configured)
    if mirror is None:
        raise Unavailable(f"no Debian mirror with {_PACKAGE}; set ORT_HEADERS to the folder of {_HEADER}")
    signed = f"[signed-by={_KEYS}] " if _KEYS.is_file() else ""
    suites = "".join(f"deb {signed}{mirror[1]} {suite} main\n" for suite in ("sid", "experimental"))
    (folder / "sources.list").write_text(suites, encoding="utf-8")
    settings = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "Acquire::Languages": "none",
        "APT::Default-Release": "experimental",
        "APT::Sandbox::User": "",
        "Debug::NoLocking": "true",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    _run("apt-get", *options, "update")
    _run("apt-get", *options, "download", _PACKAGE, cwd=folder)
    (archive,) = folder.glob("*.deb")
    _run("dpkg-deb", "-x", str(archive), str(folder / "package"))
    return folder / "package" / "usr" / "include" / "onnxruntime"


def _run(*command: str, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, timeout=300)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(str(error)) from error
    if done.returncode:
        raise Unavailable(f"`{' '.join(command)}` failed: {(done.stdout + done.stderr)[-1000:]}")
    return done.stdout


def build_library(headers: Path, folder: Path) -> Path:
    """Builds the library as its README says."""
    if not shutil.which("cmake"):
        raise Unavailable("cmake is not installed")
    for command in (["-S", SOURCE, "-B", folder, f"-DORT_HEADERS={headers}"], ["--build", folder, "--parallel", "2"]):
        done = subprocess.run(["cmake", *command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"cmake {command} failed:\n{(done.stdout + done.stderr)[-5000:]}")
    (library,) = folder.glob("libtext_and_sampling_ops.*")
    return library


def build_interface(headers: Path, folder: Path) -> Path:
    """Builds the operators of `cpp/interface.cc` with the compiler alone."""
    compiler = os.environ.get("CXX") or shutil.which("c++")
    if not compiler:
        raise Unavailable("there is no C++ compiler")
    library = folder / "interface.so"
    flags = ["-std=c++20", "-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-DORT_API_MANUAL_INIT", f"-I{headers}"]
    source = Path(__file__).parent / "cpp" / "interface.cc"
    done = subprocess.run([compiler, *flags, source, "-o", library], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{compiler} failed:\n{done.stderr[-5000:]}")
    return library


_WORKER = """
import importlib, pickle, sys
name, library, cases = pickle.load(sys.stdin.buffer)
runtime = importlib.import_module(name)

def result(model, feed):
    try:
        options = runtime.SessionOptions()
        options.log_severity_level = 4
        options.register_custom_ops_library(library)
        session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return session.run(None, feed)
    except Exception as error:
        return type(error).__name__, str(error)

sys.stdout.buffer.write(pickle.dumps([result(*case) for case in cases]))
"""


def evaluate(runtime: str, library: Path, cases: Sequence[Case]) -> list[list[np.ndarray] | tuple[str, str]]:
    """The outputs of each case on a runtime in a process of its own, or the exception's type and message."""
    data = pickle.dumps((runtime, str(library), [(case.model(), case.feed()) for case in cases]))
    done = subprocess.run([sys.executable, "-c", _WORKER], input=data, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{runtime} ended with status {done.returncode}: {done.stderr[-3000:]!r}")
    results: list[list[np.ndarray] | tuple[str, str]] = pickle.loads(done.stdout)
    return results
