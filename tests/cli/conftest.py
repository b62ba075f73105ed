"""Small models for the tests of the command line."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ort_core.providers import discovery

SaveModel = Callable[..., str]
Install = Callable[..., Path]


@pytest.fixture
def save_identity(tmp_path: Path) -> SaveModel:
    """Saves a model whose every input `x` is copied to an output `x_copy`; arguments are name=(type, shape)."""

    def save(**inputs: tuple[int, list[int | str | None] | None]) -> str:
        values = [helper.make_tensor_value_info(name, *declared) for name, declared in inputs.items()]
        outputs = [helper.make_tensor_value_info(f"{name}_copy", *declared) for name, declared in inputs.items()]
        nodes = [helper.make_node("Identity", [name], [f"{name}_copy"]) for name in inputs]
        return _save(helper.make_graph(nodes, "g", values, outputs), tmp_path)

    return save


@pytest.fixture
def add_model(tmp_path: Path) -> str:
    """sum = a + b, both float [N, 2]; product = a * scale, scale an initializer that may be fed."""
    pair = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 2]) for name in ("a", "b", "sum", "product")]
    scale = helper.make_tensor_value_info("scale", TensorProto.FLOAT, [1])
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Mul", ["a", "scale"], ["product"])]
    default = numpy_helper.from_array(np.array([10], np.float32), "scale")
    return _save(helper.make_graph(nodes, "g", [*pair[:2], scale], pair[2:], [default]), tmp_path)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with one module into a folder on `sys.path`; the entry points are name=value by group."""
    for name in ("ORT_CORE_PLUGINS", "ORT_CORE_DISABLE_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def add(distribution: str, source: str = "", requires: str = "", **entry_points: dict[str, str]) -> Path:
        (site / f"{distribution.replace('-', '_')}.py").write_text(textwrap.dedent(source))
        folder = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        needs = f"Requires-Dist: {requires}\n" if requires else ""
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n{needs}")
        groups = (f"[ort_core.{g}]\n" + "".join(f"{k} = {v}\n" for k, v in e.items()) for g, e in entry_points.items())
        (folder / "entry_points.txt").write_text("\n".join(groups))
        return folder

    yield add
    discovery.refresh()


@pytest.fixture
def digits_folder() -> Path:
    """The folder of the digits example."""
    return Path(__file__).parents[2] / "examples" / "digits"


def _save(graph: onnx.GraphProto, folder: Path) -> str:
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    path = folder / "model.onnx"
    onnx.save(model, path)
    return str(path)
