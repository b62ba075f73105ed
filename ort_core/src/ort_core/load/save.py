"""Models back to files: atomic, streaming the weights, never over a file that somebody else wrote."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ort_core.errors import Fail, InvalidArgument, NoSuchFile, OrtError
from ort_core.ir.graph import Model
from ort_core.ir.proto import to_proto
from ort_core.ir.proto_tensors import WEIGHT_KEY, Place, strip
from ort_core.ir.tensors import WeightRef
from ort_core.load.replace import replacing, temporary, write_weight
from ort_core.load.source import FileSource
from ort_core.load.wire import encode_varint, walk

if TYPE_CHECKING:
    import onnx

MARK = "ort_core.optimized"
"""Metadata key of models that `save_model` wrote."""

DATA_FILE = "ort_core.data_file"
"""Metadata key that names the data file of such a model, if it has one."""

MAX_MODEL_BYTES = (1 << 31) - 1
_TENSOR_OVERHEAD_BYTES = 64
_PAGE_BYTES = 4096
_GRAPH_TAG, _INITIALIZER_TAG, _RAW_DATA_TAG = (bytes([number << 3 | 2]) for number in (7, 5, 9))


def save_model(model: Model, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Writes a model so that a reader sees the old file or the new one, never a part.

    Weights are copied in pieces from where they are. A model over 2 GiB gets a data file beside it, named after its
    content; sparse tensors stay in the model, because onnx reads no external parts of them. A symbolic or hard link at
    `path` is replaced; the file that it stood for stays as it is.

    Args:
        model: what to write; it is not changed.
        path: where to.
        overwrite: replace whatever file is at `path`. Without it only models that this function wrote are replaced.

    Raises:
        InvalidArgument: something else is at `path`.
        NoSuchFile: the folder does not exist.
        Fail: the file cannot be written.
    """
    target = os.path.abspath(os.fspath(path))
    old_data = _check_target(target, overwrite)
    try:
        new_data = _write_model(model, target)
    except OSError as error:
        if isinstance(error, OrtError):
            raise
        raise Fail(
            f"cannot write the model to '{target}': {error.strerror or error}. Nothing was changed there. Check the "
            "permissions of the folder and the free space."
        ) from error
    if old_data is not None and old_data != new_data:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(os.path.dirname(target), old_data))


def _check_target(target: str, overwrite: bool) -> str | None:
    """Raises unless `target` may be written; returns the name of the data file of the model that is there."""
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise NoSuchFile(
            f"cannot write the model to '{target}': the folder '{folder}' does not exist. Create it first."
        )
    try:
        mode = os.lstat(target).st_mode
    except FileNotFoundError:
        return None
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise InvalidArgument(f"cannot write the model to '{target}': it is not a file. Give the path of a file.")
    metadata = _metadata(target)
    if not overwrite and MARK not in metadata:
        raise InvalidArgument(
            f"'{target}' exists and is no model that ort_core saved, so it is not overwritten. Give another path, delete "
            "the file, or allow overwriting."
        )
    name = metadata.get(DATA_FILE, "") if MARK in metadata else ""
    return name if re.fullmatch(re.escape(os.path.basename(target)) + r"\.[0-9a-f]{16}\.data", name) else None


def _metadata(path: str) -> dict[str, str]:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        skeleton, _ = walk(FileSource(path))
        return {e.key: e.value for e in onnx.ModelProto.FromString(skeleton).metadata_props}
    except (OrtError, DecodeError, UnicodeDecodeError):
        return {}


def _write_model(model: Model, target: str) -> str | None:
    """Writes the model, and a data file if it is too large; returns the name of the latter."""
    large: list[WeightRef] = []

    def count(weight: WeightRef, proto: onnx.TensorProto, place: Place) -> bool:
        if place != "sparse":
            large.append(weight)
        return place != "sparse" and strip(weight, proto, place)

    size = to_proto(model, store=count).ByteSize() + sum(w.nbytes + _TENSOR_OVERHEAD_BYTES for w in large)
    if size <= MAX_MODEL_BYTES:
        _write_whole(model, target)
        return None
    return _write_with_data_file(model, large, target)


def _write_whole(model: Model, target: str) -> None:
    streamed: list[WeightRef] = []

    def keep(weight: WeightRef, proto: onnx.TensorProto, place: Place) -> bool:
        if place == "initializer":
            proto.external_data.add(key=WEIGHT_KEY, value=str(len(streamed)))
            streamed.append(weight)
        return place == "initializer"

    proto = to_proto(model, store=keep)
    _mark(proto, None)
    initializers = list(proto.graph.initializer)
    del proto.graph.initializer[:]
    heads: list[tuple[bytes, WeightRef]] = []
    for tensor in initializers:
        if not tensor.external_data:
            proto.graph.initializer.append(tensor)
            continue
        weight = streamed[int(tensor.external_data[0].value)]
        tensor.ClearField("external_data")
        body = tensor.SerializeToString() + _RAW_DATA_TAG + encode_varint(weight.nbytes)
        heads.append((_INITIALIZER_TAG + encode_varint(len(body) + weight.nbytes) + body, weight))
    graph = proto.graph.SerializeToString()
    graph_bytes = len(graph) + sum(len(head) + weight.nbytes for head, weight in heads)
    proto.ClearField("graph")
    with replacing(target) as file:
        file.write(proto.SerializeToString() + _GRAPH_TAG + encode_varint(graph_bytes) + graph)
        for head, weight in heads:
            file.write(head)
            write_weight(file.write, weight)


def _write_with_data_file(model: Model, large: Sequence[WeightRef], target: str) -> str:
    folder, base = os.path.split(target)
    digest = hashlib.sha256()
    offsets: dict[int, int] = {}
    with temporary(folder, base) as (file, rename):

        def write(data: memoryview) -> None:
            file.write(data)
            digest.update(data)

        for weight in large:
            if id(weight) not in offsets:
                file.write(bytes(-file.tell() % _PAGE_BYTES))
                offsets[id(weight)] = file.tell()
                write_weight(write, weight)
        name = f"{base}.{digest.hexdigest()[:16]}.data"
        is_new = not os.path.lexists(os.path.join(folder, name))
        rename(os.path.join(folder, name))

    def refer(weight: WeightRef, proto: onnx.TensorProto, place: Place) -> bool:
        if place == "sparse":
            return False
        proto.data_location = type(proto).EXTERNAL
        for key, value in (("location", name), ("offset", offsets[id(weight)]), ("length", weight.nbytes)):
            proto.external_data.add(key=key, value=str(value))
        return True

    try:
        proto = to_proto(model, store=refer)
        _mark(proto, name)
        with replacing(target) as file:
            file.write(proto.SerializeToString())
    except BaseException:
        if is_new:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(folder, name))
        raise
    return name


def _mark(proto: onnx.ModelProto, data_file: str | None) -> None:
    kept = [(e.key, e.value) for e in proto.metadata_props if e.key != DATA_FILE]
    if all(key != MARK for key, _ in kept):
        kept.append((MARK, "1"))
    if data_file is not None:
        kept.append((DATA_FILE, data_file))
    del proto.metadata_props[:]
    for key, value in kept:
        proto.metadata_props.add(key=key, value=value)
