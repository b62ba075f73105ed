"""`--input` texts as the feeds of a model: array files, image files and JSON literals."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

import numpy as np

from ort_core.cli.images import IMAGE_SUFFIXES, ImageOptions, load_image
from ort_core.cli.literals import parse_literal
from ort_core.cli.usage import UsageError, unknown_name
from ort_core.errors import InvalidArgument, NoSuchFile
from ort_core.ir.shapes import Dim, format_shape
from ort_core.ir.types import ElementType

_ARRAY_SUFFIXES = (".npy", ".npz")
_SUFFIXES = (*_ARRAY_SUFFIXES, *IMAGE_SUFFIXES)


class ModelInput(Protocol):
    """What a session says about an input: `onnxruntime.NodeArg`."""

    @property
    def name(self) -> str:
        """The name to feed."""

    @property
    def type(self) -> str:
        """`tensor(float)`, `seq(tensor(int64))`, ..."""

    @property
    def shape(self) -> Sequence[Dim]:
        """The declared dimensions; empty for a scalar and for an unknown rank."""


def build_feeds(
    texts: Sequence[str],
    required: Sequence[ModelInput],
    optional: Sequence[ModelInput],
    images: ImageOptions,
    model: str,
    *,
    complete: bool = True,
) -> dict[str, np.ndarray]:
    """The arrays that the `--input` texts give, by input name.

    Args:
        texts: `NAME=VALUE`, a bare `.npz` file (feeds by name), or a bare file where the model has one required input.
        required: the inputs that must be given.
        optional: inputs that may be given (initializers with a default).
        images: how image files become tensors.
        model: the path of the model, for messages.
        complete: whether every required input must be given.

    Raises:
        UsageError: a text is malformed, names no input, repeats one, or an input is missing.
    """
    known = {i.name: i for i in (*required, *optional)}
    given: dict[str, list[np.ndarray]] = {}
    from_image: set[str] = set()
    for text in texts:
        name, value = _split(text, known, required)
        is_image = name is not None and _is_image(value)
        arrays = _load_by_name(Path(value), known) if name is None else {name: _load(value, known[name], images)}
        for key, array in arrays.items():
            if key in given and not (is_image and key in from_image):
                raise UsageError(f"--input {key} is given twice. Only images may repeat, to make a batch.")
            given.setdefault(key, []).append(array)
        from_image |= set(arrays) if is_image else set()
    if images.given and not from_image:
        raise UsageError("--layout, --resize, --mean and --std apply to image files, and no --input is one.")
    missing = [i for i in required if i.name not in given]
    if missing and complete:
        raise UsageError(_missing(missing, model))
    return {name: _stack(name, arrays) for name, arrays in given.items()}


def _example_arguments(inputs: Sequence[ModelInput]) -> str:
    """`--input` arguments, one for each input, with invented file names."""
    return " ".join(f"--input {shlex.quote(f'{i.name}={_example_value(i)}')}" for i in inputs)


def _split(text: str, known: Mapping[str, ModelInput], required: Sequence[ModelInput]) -> tuple[str | None, str]:
    name = max((n for n in known if text.startswith(f"{n}=")), key=len, default=None)
    if name is not None:
        return name, text[len(name) + 1 :]
    suffix = Path(text).suffix.lower()
    left, equals, _ = text.partition("=")
    if equals and not os.path.exists(text):
        raise unknown_name("input", left, known)
    if suffix == ".npz":
        return None, text
    if suffix in _SUFFIXES and len(required) == 1:
        return required[0].name, text
    raise UsageError(f"--input {text!r} names no input. Write NAME=VALUE, for example: {_example_arguments(required)}")


def _is_image(value: str) -> bool:
    return Path(value).suffix.lower() in IMAGE_SUFFIXES


def _load(value: str, target: ModelInput, images: ImageOptions) -> np.ndarray:
    try:
        return _load_value(value, target, images)
    except UsageError as error:
        raise UsageError(f"--input {target.name}: {error}") from error


def _load_value(value: str, target: ModelInput, images: ImageOptions) -> np.ndarray:
    path, element = Path(value), _element(target)
    if _is_image(value):
        return load_image(path, element, target.shape, images)
    if path.suffix.lower() == ".npy":
        return _adapt(_load_npy(path), target)
    if path.suffix.lower() == ".npz":
        arrays = _load_npz(path)
        if target.name not in arrays and len(arrays) != 1:
            raise UsageError(f"{path} holds {', '.join(map(repr, arrays)) or 'nothing'}, no array {target.name!r}.")
        return _adapt(arrays.get(target.name, next(iter(arrays.values()))), target)
    try:
        return parse_literal(value, element)
    except UsageError as error:
        hint = "" if value[:1] in ("[", '"') else f" Nor does it end in {', '.join(_SUFFIXES)}."
        raise UsageError(f"{error}{hint}") from error


def _load_by_name(path: Path, known: Mapping[str, ModelInput]) -> dict[str, np.ndarray]:
    arrays = _load_npz(path)
    for name in arrays:
        if name not in known:
            raise unknown_name(f"input for the array of {path} called", name, known)
    return {name: _adapt(array, known[name]) for name, array in arrays.items()}


def _element(target: ModelInput) -> ElementType:
    if match := re.fullmatch(r"(?:optional\()?tensor\((\w+)\)\)?", target.type):
        return ElementType[match[1].upper()]
    raise UsageError(f"a {target.type} cannot be given on the command line. Use ort_core.InferenceSession in Python.")


def _load_npy(path: Path) -> np.ndarray:
    with _reading(path) as stream:
        array = np.load(stream, allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise InvalidArgument(f"{path} is a .npz archive under the name of a .npy file. Rename it.")
    return array


def _load_npz(path: Path) -> dict[str, np.ndarray]:
    with _reading(path) as stream:
        archive = np.load(stream, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise InvalidArgument(f"{path} is a .npy array under the name of a .npz archive. Rename it.")
        with archive:
            return {name: archive[name] for name in archive.files}


@contextmanager
def _reading(path: Path) -> Iterator[IO[bytes]]:
    # numpy leaves a file that it opened itself open when a zip archive turns out broken.
    try:
        with path.open("rb") as stream:
            yield stream
    except InvalidArgument:
        raise
    except FileNotFoundError as error:
        raise NoSuchFile(f"array file {path} does not exist.") from error
    except Exception as error:  # a damaged archive makes numpy raise almost anything
        remedy = "Write it with numpy.save or numpy.savez, strings as dtype str."
        raise InvalidArgument(f"{path} is not a readable numpy file: {error}. {remedy}") from error


def _adapt(array: np.ndarray, target: ModelInput) -> np.ndarray:
    """The array in memory form: native byte order, strings as objects, types that numpy lacks restored from bytes."""
    if array.dtype.kind == "U":
        return array.astype(object)
    if array.dtype.kind == "V" and array.dtype.names is None:
        dtype = _element(target).dtype
        return array.view(dtype) if dtype.itemsize == array.dtype.itemsize else array
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _stack(name: str, arrays: Sequence[np.ndarray]) -> np.ndarray:
    if len(arrays) == 1:
        return arrays[0]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1 or arrays[0].shape[0] != 1:
        got = " and ".join(sorted(map(str, shapes)))
        raise UsageError(f"--input {name}: images make a batch only if each gives the same (1, ...) shape, not {got}.")
    return np.concatenate(arrays)


def _missing(missing: Sequence[ModelInput], model: str) -> str:
    lines = [f"  {i.name}: {i.type} {format_shape(i.shape)}" for i in missing]
    return (
        f"the model needs {'this input' if len(missing) == 1 else 'these inputs'}, which no --input gives:\n"
        + "\n".join(lines)
        + f"\nExample: ort-core run {shlex.quote(model)} {_example_arguments(missing)}"
    )


def _example_value(target: ModelInput) -> str:
    if target.type == "tensor(string)":
        return '["text"]'
    image = target.type in ("tensor(float)", "tensor(uint8)") and len(target.shape) == 4
    plain_name = re.sub(r"[^\w.-]+", "_", target.name)
    return f"{plain_name}.{'png' if image and {1, 3} & {target.shape[1], target.shape[3]} else 'npy'}"
