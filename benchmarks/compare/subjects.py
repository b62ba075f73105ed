"""What is measured: models by name or path, with their inputs; free dimensions may be fixed in a copy of the model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.models import GRAPHS, NAMES, feeds, materialize

_BATCH_NAMES = frozenset({"batch", "batch_size", "n", "N"})


@dataclass(frozen=True, slots=True)
class Subject:
    """A model file and what it is fed."""

    name: str
    path: Path
    feeds: dict[str, Any]

    @property
    def shapes(self) -> str:
        """The shapes of the inputs, the first few: `ids[1,128] mask[1,128]`."""
        texts = [f"{name}[{','.join(map(str, array.shape))}]" for name, array in self.feeds.items()]
        return " ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")


def find_subject(
    name: str, folder: str | os.PathLike[str], batch: int, dims: Mapping[str, int], *, static: bool = False
) -> Subject:
    """A model of `benchmarks/graphs` by name, which is filled, or any by the path of its file.

    Args:
        batch, dims: sizes of free dimensions; those that the model does not have do not matter.
        static: fix the free dimensions of the inputs in a copy of the model.

    Raises:
        ValueError: there is no such model.
    """
    if name in NAMES:
        path = materialize(name, folder)
        arrays = feeds(name, batch=batch, dims=dims)
    elif Path(name).is_file():
        path = Path(name)
        arrays = _random_feeds(path, batch, dims)
    else:
        raise ValueError(f"no model {name!r}: give the path of a file, or one of {', '.join(NAMES)}.")
    if static:
        path = _fix_dimensions(path, arrays, Path(folder))
    return Subject(name if name in NAMES else path.stem, path, arrays)


def named_dimensions(name: str) -> set[str]:
    """The names of the free dimensions of a model's inputs.

    Raises:
        ValueError: the file is no model.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    path = GRAPHS / f"{name}.onnx" if name in NAMES else Path(name)
    try:
        inputs = onnx.load(path, load_external_data=False).graph.input
    except DecodeError as error:
        raise ValueError(f"{path} is no ONNX model: {error}.") from error
    return {dim.dim_param for value in inputs for dim in value.type.tensor_type.shape.dim if dim.dim_param}


def _random_feeds(path: Path, batch: int, dims: Mapping[str, int]) -> dict[str, Any]:
    from ort_core.cli.benchmark.inputs import make_inputs

    named = named_dimensions(str(path))
    sizes = {**dict.fromkeys(named & _BATCH_NAMES, batch), **{k: v for k, v in dims.items() if k in named}}
    return make_inputs(str(path), (), (), [f"{name}={size}" for name, size in sizes.items()], seed=7).feeds


def _fix_dimensions(path: Path, arrays: Mapping[str, Any], folder: Path) -> Path:
    import onnx

    model = onnx.load(path)
    for value in model.graph.input:
        if value.name in arrays:
            for dim, size in zip(value.type.tensor_type.shape.dim, arrays[value.name].shape, strict=True):
                dim.dim_value = size
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{path.stem}-static.onnx"
    onnx.save(model, target)
    return target


def parse_sizes(texts: Sequence[str]) -> dict[str, int]:
    """`["seq=128"]` as a mapping.

    Raises:
        ValueError: a text is malformed.
    """
    sizes = {}
    for text in texts:
        name, equals, size = text.rpartition("=")
        if not (equals and name and size.isdecimal()):
            raise ValueError(f"--dim {text!r} is not NAME=SIZE, such as seq=128.")
        sizes[name] = int(size)
    return sizes
