"""ONNX models from files, bytes and messages to our IR."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ort_core.errors import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf
from ort_core.ir.graph import Model
from ort_core.ir.messages import ModelMessage, read_model_message
from ort_core.ir.proto_reader import read_model
from ort_core.ir.proto_tensors import ExternalResolver, checked_dims, storage_count, storage_field
from ort_core.ir.proto_types import element_from_code
from ort_core.ir.tensors import WeightRef, packed_size_bytes
from ort_core.limits import Limits
from ort_core.load.external_data import ExternalData
from ort_core.load.formats import refuse_other_format
from ort_core.load.source import BufferSource, ByteSource, FileSource
from ort_core.load.weights import StoredWeight, VarintWeight
from ort_core.load.wire import Span, walk
from ort_core.progress import UNWATCHED, Progress

if TYPE_CHECKING:
    import numpy as np
    import onnx

_SMALL_BYTES = 1 << 20
"""A skeleton up to this size is read without onnx, which takes 25 to 45 ms for 1 MiB; the import of onnx takes 100 ms."""

_KNOWN_IR_VERSION = 14
"""The newest version of the file format that every supported onnx knows."""

GIVEN_AS_BYTES = "the model (given as bytes)"
"""What messages call the source of such a model."""


def load_model(
    source: str | bytes | bytearray | memoryview | os.PathLike[str] | onnx.ModelProto,
    *,
    external_root: str | os.PathLike[str] | None = None,
    external_files: Mapping[str, Any] | None = None,
    external_initializers: Mapping[str, np.ndarray] | None = None,
    limits: Limits | None = None,
    progress: Progress = UNWATCHED,
    external: ExternalResolver | None = None,
) -> Model:
    """Loads a model as the file declares it; its opsets stay as they are.

    Tensors over 1 KiB stay in the file (which is kept open) or buffer until they are read.

    Args:
        source: a path (every `str` is one), the bytes of a model, or a message.
        external_root: the folder of external data, in place of the model's own folder.
        external_files: buffers that stand for external data files, by location.
        external_initializers: the contents of initializers that are external data, by name, in place of their files.
        limits: caps on nodes and nesting; the defaults of `Limits` if None.
        external: finds the data of external tensors, in place of all that.

    Raises:
        NoSuchFile: the model or a data file does not exist.
        InvalidProtobuf: the bytes are not an ONNX model.
        InvalidGraph: the model breaks ONNX's rules.
        LimitExceeded: it has more nodes or is nested deeper than `limits` allow.
        InvalidArgument: an external data location is not allowed, or an argument is of the wrong type.
        NotImplemented: the file is in onnxruntime's `.ort` format.
        Fail: a file cannot be read, or is of a newer IR version than the installed onnx.
    """
    proto: onnx.ModelProto | ModelMessage
    limits = limits or Limits()
    data: ByteSource | None = None
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        if not isinstance(path, str):
            path = os.fsdecode(path)
        data = FileSource(path)
        refuse_other_format(_head(data), data.size, f"'{path}'", path)
        proto, weights = _read(data, limits, progress)
        name, model_path = f"'{path}'", path
    elif isinstance(source, bytes | bytearray | memoryview):
        data = BufferSource(source, GIVEN_AS_BYTES)
        refuse_other_format(_head(data), data.size, data.name)
        proto, weights = _read(data, limits, progress)
        name, model_path = "the model", ""
    elif type(source).__name__ == "ModelProto":
        proto, weights, name, model_path = source, [], "the model", ""
    else:
        raise InvalidArgument(
            f"cannot load a model from {type(source).__name__}: expected a path, the bytes of a model, or an "
            "onnx.ModelProto."
        )
    _check_versions(proto, name)
    files = ExternalData(model_path or None, external_root, external_files, external_initializers)
    progress.begin("load")
    model = read_model(proto, weights, external or files.weight, limits, progress)
    model.sources = ({} if data is None else {"": data}) | dict(files.sources)
    if unknown := files.unused_initializers():
        raise InvalidArgument(
            f"SessionOptions.add_external_initializers names '{unknown[0]}', which is no external initializer of {name}. Those "
            f"that were replaced: {', '.join(sorted({*(external_initializers or ())} - {*unknown})) or 'none'}. Use "
            "add_initializer for initializers inside the model."
        )
    return model


def _head(source: ByteSource) -> bytes:
    return bytes(source.view(0, min(source.size, 512)))


def _read(
    source: ByteSource, limits: Limits, progress: Progress
) -> tuple[onnx.ModelProto | ModelMessage, Sequence[WeightRef]]:
    skeleton, spans = walk(source, limits, progress)
    plain = read_model_message(skeleton) if len(skeleton) <= _SMALL_BYTES else None
    proto = _parse(skeleton, source.name) if plain is None else plain
    return proto, [_weight(span, source) for span in spans]


def _parse(skeleton: bytes, name: str) -> onnx.ModelProto:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        proto: onnx.ModelProto = onnx.ModelProto.FromString(skeleton)
    except DecodeError as error:
        raise InvalidProtobuf(f"'{name}' is no valid ONNX model: {error}. Download or export it again.") from error
    return proto


def _weight(span: Span, source: ByteSource) -> WeightRef:
    where = f"tensor '{span.name}' of '{source.name}'"
    element = element_from_code(span.data_type, where)
    shape = checked_dims(span.dims, element, where)
    typed, dtype = storage_field(element)
    count = storage_count(element, shape)
    fixed = span.field == "raw_data" or (span.field == typed and dtype.kind == "f")
    expected = packed_size_bytes(element, shape)
    if fixed and span.length == expected:
        return StoredWeight(source, span.offset, element, shape)
    if not fixed and span.field == typed and count <= span.length <= 10 * count:
        return VarintWeight(
            source, span.offset, span.length, element, shape, signed=dtype.kind == "i", where=f"{where}, {span.field}"
        )
    needs = (
        f"{expected} bytes"
        if fixed
        else f"{count} integers in {typed} (1 to 10 bytes each) or {expected} bytes in raw_data"
    )
    raise InvalidGraph(
        f"{where}: {element.onnx_name} {list(shape)} takes {needs}, got {span.length} bytes in {span.field}. "
        "The model file is damaged; export it again."
    )


def _check_versions(proto: onnx.ModelProto | ModelMessage, name: str) -> None:
    if not proto.HasField("graph") or not proto.HasField("ir_version"):
        missing = "graph" if not proto.HasField("graph") else "ir_version"
        raise InvalidProtobuf(
            f"{name} has no {missing}, so it is not an ONNX model (or a damaged one). "
            "Check that it was written by an ONNX exporter and downloaded completely."
        )
    if proto.ir_version > _KNOWN_IR_VERSION:
        _check_ir_version(proto.ir_version, name)
    if not proto.opset_import:
        raise InvalidGraph(
            f"{name} imports no operator set. Add an opset_import, for example for domain '' at the version that the "
            "model was exported for."
        )


def _check_ir_version(version: int, name: str) -> None:
    import onnx

    newest = int(onnx.IR_VERSION)
    if version > newest:
        raise Fail(
            f"{name} has IR version {version}, but the installed onnx {onnx.__version__} knows versions up to "
            f"{newest}. Upgrade it (pip install -U onnx ort-core), or export the model with an older IR version."
        )
