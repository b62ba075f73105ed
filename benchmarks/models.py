"""The benchmark models: real architectures whose large weights were replaced by their statistics.

`graphs/` holds each graph with its structure, small constants and, in place of every large initializer's data, its mean,
standard deviation, minimum and maximum (JSON in the doc string). `materialize` fills them with seeded noise of those
statistics, so that values flow in realistic ranges. `feeds` makes inputs that each model accepts.

    python -m benchmarks.models FOLDER [NAME ...]
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

GRAPHS = Path(__file__).parent / "graphs"
NAMES = tuple(sorted(path.stem for path in GRAPHS.glob("*.onnx")))


def materialize(name: str, folder: str | os.PathLike[str]) -> Path:
    """Writes the filled model to `folder` and returns its path; a file that is there already is kept."""
    import onnx

    source = GRAPHS / f"{name}.onnx"
    target = Path(folder) / f"{name}-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}.onnx"
    if target.exists():
        return target
    model = onnx.load(source)
    for tensor in _placeholders(model.graph):
        _fill(tensor)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        file.write(model.SerializeToString())
    os.replace(file.name, target)
    return target


def feeds(
    name: str, *, batch: int = 1, length: int = 128, dims: Mapping[str, int] | None = None
) -> dict[str, np.ndarray]:
    """Inputs for a model: random images and tokens; `length` is the sequence length or the filled part of the cache.

    Args:
        dims: sizes of free dimensions by their names in the model, before `batch` and `length`.
    """
    import onnx

    rng = np.random.default_rng(7)
    sizes = {"batch": batch, "n": batch, "seq": length, "past": length, "past_len": length, **(dims or {})}
    result: dict[str, np.ndarray] = {}
    for value in onnx.load(GRAPHS / f"{name}.onnx").graph.input:
        tensor = value.type.tensor_type
        shape = [d.dim_value or sizes.get(d.dim_param, batch) for d in tensor.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if dtype.kind == "f":
            result[value.name] = rng.standard_normal(shape).astype(dtype)
        elif "mask" in value.name:
            result[value.name] = np.ones(shape, dtype)
        else:
            result[value.name] = rng.integers(0, 2 if "type" in value.name else 1000, shape).astype(dtype)
    if "pos" in result:
        result["pos"][...] = sizes["past"]
    return result


def _placeholders(graph: Any) -> Iterator[Any]:
    for tensor in graph.initializer:
        if tensor.doc_string.startswith('{"refill"'):
            yield tensor
    for node in graph.node:
        for attribute in node.attribute:
            yield from _placeholders(attribute.g)


def _fill(tensor: Any) -> None:
    """Replaces the placeholder's statistics by noise that has them; equal names give equal weights."""
    import onnx

    wanted = json.loads(tensor.doc_string)["refill"]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    shape = tuple(tensor.dims)
    rng = np.random.default_rng(list(hashlib.blake2b(tensor.name.encode(), digest_size=16).digest()))
    if dtype.kind in "iu":
        data = rng.integers(int(wanted["min"]), int(wanted["max"]), shape, dtype, endpoint=True)
    else:
        data = rng.standard_normal(shape, np.float32)
        data *= np.float32(wanted["std"])
        data += np.float32(wanted["mean"])
        np.clip(data, wanted["min"], wanted["max"], out=data)
        data = data.astype(dtype, copy=False)
    tensor.doc_string = ""
    tensor.raw_data = data.tobytes()


def main(arguments: list[str]) -> int:
    """Fills models by name, all of them by default."""
    if not arguments:
        print(__doc__)
        return 2
    for name in arguments[1:] or NAMES:
        path = materialize(name, arguments[0])
        print(f"{path}  {path.stat().st_size >> 20} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
