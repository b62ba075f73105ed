"""The one gate to the file system for tensor data outside the model file.

A location is accepted when all of this holds:

1. It is a relative path without `..`, drive letters or NUL characters.
2. With every symbolic link resolved, the file lies inside the root folder (also resolved). The root is the folder of the
   model's path, or `external_root` where one is given.
3. Or, without `external_root`: the model's path is itself a symbolic link and the file, resolved, lies in the very folder
   of the model's resolved file. That is how model hubs lay out their caches (`snapshots/<revision>/model.onnx` and
   `model.onnx_data`, both links into `blobs/`). A link in an untrusted folder thus reaches only files beside a file that
   the user chose to load as a model.
4. It is a regular file: pipes and devices are refused without being waited for.
5. Offset and length are not negative, fit the element type and dimensions, and lie inside the open file.

Hard links cannot be told from files and are accepted, as package managers install by hard links. A model given as bytes
reaches no file unless `external_root` is given.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ort_core.errors import Fail, InvalidArgument, InvalidGraph, NoSuchFile
from ort_core.ir.proto_tensors import STRIP_BYTES
from ort_core.ir.proto_types import read_entries
from ort_core.ir.tensors import ArrayWeight, WeightRef, packed_size_bytes
from ort_core.ir.types import ElementType, TensorType, describe
from ort_core.load.source import BufferSource, ByteSource, FileSource
from ort_core.load.weights import StoredWeight

if TYPE_CHECKING:
    import numpy as np
    import onnx

_DRIVE = re.compile(r"^[A-Za-z]:[\\/]" if os.name != "nt" else r"^[^\\/]*:")
_MAX_INTEGER_DIGITS = 19


class ExternalData:
    """Resolves the external tensors of one model; every file is opened once and shared by its tensors.

    Args:
        model_path: the model's file, if it has one.
        root: the folder that locations are relative to, in place of the model's folder.
        files: buffers by location, which are preferred to files.
        initializers: arrays by the name of the tensor, which are preferred to both.
    """

    def __init__(
        self,
        model_path: str | None = None,
        root: str | os.PathLike[str] | None = None,
        files: Mapping[str, Any] | None = None,
        initializers: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self._model_path = model_path
        self._root = os.path.abspath(root) if root is not None else None
        self._files = {_normal(os.fspath(k)): v for k, v in (files or {}).items()}
        self._sources: dict[str, ByteSource] = {}
        self._initializers = dict(initializers or {})
        self._used: set[str] = set()
        if self._root is not None and not os.path.isdir(self._root):
            raise NoSuchFile(f"the folder for external data, '{self._root}', does not exist. Check the path.")

    def weight(self, proto: onnx.TensorProto, element: ElementType, shape: tuple[int, ...], where: str) -> WeightRef:
        """The data of a tensor whose location is EXTERNAL.

        Raises:
            InvalidGraph: location, offset or length are malformed or do not fit the tensor.
            InvalidArgument: the location may not be read, or an array given for the tensor does not fit it.
            NoSuchFile: the file does not exist.
            Fail: it is no regular file, or cannot be read.
        """
        if proto.name in self._initializers:
            return self._given(proto.name, element, shape, where)
        entries = read_entries(proto.external_data)
        if element is ElementType.STRING:
            raise InvalidGraph(f"{where}: strings cannot be external data. Store them in the model.")
        location = _checked_location(entries.get("location", ""), where)
        expected = packed_size_bytes(element, shape)
        offset = _integer(entries, "offset", 0, where)
        length = _integer(entries, "length", expected, where)
        if length != expected:
            raise InvalidGraph(
                f"{where}: {element.onnx_name} {list(shape)} takes {expected} bytes, but the external data entry says "
                f"{length}. The model file is damaged; export it again."
            )
        source = self._source(location, where)
        if offset + length > source.size:
            raise InvalidGraph(
                f"{where}: its data is bytes {offset} to {offset + length} of '{source.name}', which has only "
                f"{source.size} bytes. The data file is incomplete or of another model; download or export it again."
            )
        weight = StoredWeight(source, offset, element, shape)
        return ArrayWeight(weight.array(), element) if expected <= STRIP_BYTES else weight

    def open(self, location: str, where: str) -> ByteSource:
        """The file or buffer of a location, opened at most once; `where` names who asks, in messages.

        Raises:
            InvalidArgument: the location may not be read.
            NoSuchFile: the file does not exist.
            Fail: it is no regular file.
        """
        return self._source(_checked_location(location, where), where)

    @property
    def sources(self) -> Mapping[str, ByteSource]:
        """What was opened so far, by location."""
        return self._sources

    def unused_initializers(self) -> list[str]:
        """The names among `initializers` that no external tensor has."""
        return sorted(self._initializers.keys() - self._used)

    def _given(self, name: str, element: ElementType, shape: tuple[int, ...], where: str) -> WeightRef:
        self._used.add(name)
        weight = ArrayWeight(self._initializers[name])
        given, wanted = TensorType(weight.element, weight.shape), TensorType(element, shape)
        if given != wanted:
            raise InvalidArgument(
                f"{where}: the value given with SessionOptions.add_external_initializers is {describe(given)}, the model has "
                f"{describe(wanted)}. Give a value of that type and shape."
            )
        return weight

    def _source(self, location: str, where: str) -> ByteSource:
        key = _normal(location)
        source = self._sources.get(key)
        if source is None:
            if key in self._files:
                source = BufferSource(self._files[key], f"external data buffer '{location}'")
            else:
                source = self._open(location, where)
            self._sources[key] = source
        return source

    def _open(self, location: str, where: str) -> FileSource:
        root = self._root
        if root is None and self._model_path is not None:
            root = os.path.dirname(os.path.abspath(self._model_path))
        if root is None:
            given = f" Buffers are given for: {', '.join(sorted(self._files))}." if self._files else ""
            raise InvalidArgument(
                f"{where}: its data is in the external file '{location}', but the model was given as bytes or a message "
                f"and reads no files.{given} Load the model by its path, name the folder of the data, or pass the data "
                "as a buffer."
            )
        path = os.path.join(root, location)
        resolved = os.path.realpath(path)
        if not self._allowed(resolved, os.path.realpath(root)):
            raise InvalidArgument(
                f"{where}: external data '{location}' leads to '{resolved}', outside the model's folder '{root}'. Models may "
                "only read data in their own folder. If you trust this model, move the file there or name the folder that "
                "holds the data."
            )
        try:
            return FileSource(resolved, what=f"external data file of {where},", follow_symlinks=False)
        except (NoSuchFile, Fail, InvalidArgument) as error:
            raise type(error)(f"{error} The location in the model is '{location}', relative to '{root}'.") from error

    def _allowed(self, resolved: str, root: str) -> bool:
        if _is_inside(resolved, root):
            return True
        if self._root is not None or self._model_path is None or not os.path.islink(self._model_path):
            return False
        return os.path.dirname(resolved) == os.path.dirname(os.path.realpath(self._model_path))


def _is_inside(path: str, folder: str) -> bool:
    try:
        return os.path.commonpath([path, folder]) == os.path.commonpath([folder])
    except ValueError:
        return False


def _checked_location(location: str, where: str) -> str:
    problem = ""
    if not location:
        problem = "is empty"
    elif "\0" in location:
        problem = "holds a NUL character"
    elif location.startswith(("/", "\\")) or _DRIVE.match(location) or os.path.isabs(location):
        problem = "is absolute"
    elif ".." in re.split(r"[\\/]", location):
        problem = "goes to a parent folder"
    if problem:
        raise InvalidArgument(
            f"{where}: the external data location {location!r} {problem}; expected a path inside the model's folder. "
            "Save the model again with a relative location, for example 'weights.bin'."
        )
    return location


def _normal(location: str) -> str:
    return os.path.normpath(location)


def _integer(entries: Mapping[str, str], key: str, default: int, where: str) -> int:
    text = entries.get(key)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_INTEGER_DIGITS):
        raise InvalidGraph(
            f"{where}: the {key} of its external data is {text[:40]!r}, expected a number of bytes, 0 or more. "
            "The model file is damaged; export it again."
        )
    return int(text)
