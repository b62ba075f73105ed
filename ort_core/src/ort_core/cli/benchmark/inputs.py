"""The feeds of a benchmark: what the command line gives, and random values for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ort_core.cli.benchmark.random_feeds import Sizes, bind_dimensions, check_names, random_input
from ort_core.cli.feeds import build_feeds
from ort_core.cli.images import IMAGE_SUFFIXES, ImageOptions
from ort_core.cli.usage import UsageError
from ort_core.load.onnx_model import load_model
from ort_core.metadata import NodeArg
from ort_core.providers import hooks


@dataclass(frozen=True, slots=True)
class BenchInputs:
    """Feeds, with what to say of them.

    Attributes:
        types: as ONNX Runtime spells them, by input.
        values: `given`, or the kind of random values, by input.
        chosen: sizes of free dimensions that nobody gave.
    """

    feeds: dict[str, np.ndarray]
    types: dict[str, str]
    values: dict[str, str]
    chosen: dict[str, int]


def make_inputs(
    model: str, inputs: Sequence[str], shapes: Sequence[str], dims: Sequence[str], seed: int
) -> BenchInputs:
    """Feeds for every input of a model file.

    Args:
        inputs, shapes, dims: the texts of `--input`, `--shape` and `--dim`.

    Raises:
        UsageError: a text is malformed, names something that the model lacks, or does not fit it.
    """
    loaded = hooks.load_model(model) or load_model(model)
    graph = loaded.graph
    required = [v for v in graph.inputs if v.const is None]
    args = {v.name: NodeArg(v.name, v.type) for v in graph.inputs}
    optional = [args[v.name] for v in graph.inputs if v.const is not None]
    given_shapes = dict(_parse_shape(text) for text in shapes)
    sizes = Sizes(dict(_parse_size(text) for text in dims), {})
    check_names(loaded, given_shapes, sizes.known)
    images = ImageOptions(resize=any(text.lower().endswith(IMAGE_SUFFIXES) for text in inputs))
    given = build_feeds(inputs, [args[v.name] for v in required], optional, images, model, complete=False)
    for name in given_shapes.keys() & given.keys():
        raise UsageError(f"--shape {name} is for a random input, but --input gives it.")
    by_name = {v.name: v for v in graph.inputs}
    for name, array in given.items():
        bind_dimensions(by_name[name], array.shape, sizes, "--input")
    for name, shape in given_shapes.items():
        bind_dimensions(by_name[name], shape, sizes, "--shape")
    feeds, values = dict(given), dict.fromkeys(given, "given")
    for value in required:
        if value.name not in given:
            made = random_input(value, given_shapes.get(value.name), sizes, seed)
            feeds[value.name], values[value.name] = made.array, f"random, {made.values}"
    return BenchInputs(feeds, {name: arg.type for name, arg in args.items()}, values, sizes.chosen)


def _parse_shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, equals, sizes = text.rpartition("=")
    parts = [part.strip() for part in sizes.split(",")] if sizes else []
    if not equals or not name or not all(part.isdecimal() for part in parts):
        raise UsageError(f"--shape {text!r} is not NAME=SIZE,SIZE,..., such as image=1,3,224,224.")
    return name, tuple(map(int, parts))


def _parse_size(text: str) -> tuple[str, int]:
    name, equals, size = text.rpartition("=")
    if not equals or not name or not size.isdecimal():
        raise UsageError(f"--dim {text!r} is not NAME=SIZE, such as batch=8.")
    return name, int(size)
