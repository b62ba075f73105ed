"""The entry of one session's model: which it is, reading it, making it."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from ort_core.cache.decode import decode
from ort_core.cache.digests import FileDigests, Stamp, is_unchanged
from ort_core.cache.encode import encode
from ort_core.cache.folder import CacheFolder, open_folder
from ort_core.cache.key import circumstances, entry_key
from ort_core.cache.weights import NotStorableError, read_weights
from ort_core.custom_ops.published import custom_ops_of
from ort_core.errors import Fail, InvalidArgument, ModelLoadCanceled, NoSuchFile, OrtError
from ort_core.ir.tensors import ArrayWeight
from ort_core.load.external_data import ExternalData
from ort_core.load.onnx_model import GIVEN_AS_BYTES
from ort_core.load.source import BufferSource, ByteSource, FileSource
from ort_core.prepare import PreparedModel, dump, external_root, inference, pass_context

if TYPE_CHECKING:
    from ort_core.cache.settings import CacheSettings
    from ort_core.options import SessionOptions
    from ort_core.progress import Progress

logger = logging.getLogger("ort_core.cache")

_CALLS_CUSTOM_OPS = "it calls custom operators"

MAX_BYTES_IN_MEMORY = 64 << 20
"""What is given in memory has no stamp and is hashed for every session. Above this size that costs more than it saves."""


def find_entry(
    settings: CacheSettings,
    source: str | os.PathLike[str] | bytes,
    options: SessionOptions,
    disabled_passes: Collection[str],
    progress: Progress,
) -> Entry | None:
    """The entry for a model and what it is prepared with, whether it exists or not; None if there can be none."""
    if _bytes_in_memory(source, options) > MAX_BYTES_IN_MEMORY:
        logger.debug("the model is not cached: finding out whether it is known would take longer than preparing it")
        return None
    folder = open_folder(settings)
    facts = None if folder is None else circumstances(options, disabled_passes)
    if folder is None or facts is None:
        return None
    digests = FileDigests(folder, progress)
    try:
        is_bytes = isinstance(source, bytes)
        path = None if is_bytes else os.fsdecode(source)
        data: ByteSource = BufferSource(source, GIVEN_AS_BYTES) if path is None else FileSource(path)
        external = ExternalData(path, external_root(options), options.external_files)
        progress.begin("read", data.size)
        digest = digests.digest(data)
    except (NoSuchFile, Fail, InvalidArgument) as error:
        logger.debug("a model that cannot be read is not cached: %s", error)
        return None
    if digest is None:
        logger.debug("'%s' changed a moment ago and is not cached", data.name)
        return None
    return Entry(folder, entry_key([facts, digest]), digests, data, external, options, progress)


class Entry:
    """One prepared model in the cache.

    A model with external data has two records: `KEY.files` lists its data files; their digests and KEY give the name of the
    other one, so that models which differ only in their data do not displace each other.
    """

    def __init__(
        self,
        folder: CacheFolder,
        key: str,
        digests: FileDigests,
        data: ByteSource,
        external: ExternalData,
        options: SessionOptions,
        progress: Progress,
    ) -> None:
        self._folder = folder
        self._key = key
        self._digests = digests
        self._data = data
        self._external = external
        self._options = options
        self._progress = progress

    def load(self) -> PreparedModel | None:
        """The prepared model; None if there is none, or none that can be used."""
        try:
            return self._load()
        except ModelLoadCanceled:
            raise
        except Exception as error:
            logger.debug("no entry for '%s' is used: %s: %s", self._data.name, type(error).__name__, error)
        return None

    def _load(self) -> PreparedModel | None:
        files = {location: self._open(location) for location in self._locations()}
        name = self._name(files)
        record = None if name is None else self._folder.read(name)
        if record is None:
            return None
        weights = read_weights(record.document["weights"], record.blob, self._open, _given(self._options))
        model, interface = decode(record.document, weights)
        model.sources = {"": self._data, **self._external.sources}
        dump("optimize", model.graph)
        limits = self._options.limits
        logger.debug("'%s' comes from the cache, entry %s", self._data.name, name)
        custom = custom_ops_of(model, ())
        if custom:
            raise NotStorableError(_CALLS_CUSTOM_OPS)
        infer, passes = inference(self._progress, custom), pass_context(model, limits, self._progress)
        return PreparedModel(model, interface, infer, passes, custom)

    def store(self, prepared: PreparedModel) -> None:
        """Makes the entry, unless a file changed meanwhile or the model holds something that has no form in an entry."""
        try:
            self._store(prepared)
        except ModelLoadCanceled:
            raise
        except (NotStorableError, OrtError, TypeError, ValueError, RecursionError) as error:
            logger.debug("'%s' is not cached: %s", self._data.name, error)

    def _store(self, prepared: PreparedModel) -> None:
        sources: Mapping[str, ByteSource] = prepared.model.sources
        files = {
            location: source for location, source in sources.items() if location and isinstance(source, FileSource)
        }
        name = self._name(files) if self._is_read(sources.get("")) else None
        if name is None:
            raise NotStorableError("it changed while it was loaded")
        if prepared.custom_ops:
            raise NotStorableError(_CALLS_CUSTOM_OPS)
        document, blob = encode(prepared.model, prepared.interface, _given(self._options))
        if files:
            self._folder.write(f"{self._key}.files", {"files": [*files]})
        self._folder.write(name, document, blob)

    def _is_read(self, source: ByteSource | None) -> bool:
        """Whether the model was read from the very bytes whose digest is known."""
        if isinstance(source, FileSource) and isinstance(self._data, FileSource):
            return Stamp.of(source.status) == Stamp.of(self._data.status) and is_unchanged(source)
        return type(source) is type(self._data)

    def _locations(self) -> list[str]:
        record = self._folder.read(f"{self._key}.files")
        return [] if record is None else [*record.document["files"]]

    def _name(self, files: Mapping[str, ByteSource]) -> str | None:
        digests = [self._digests.digest(source) for source in files.values()]
        if None in digests:
            return None
        key = entry_key([self._key, [*files], digests]) if files else self._key
        return f"{key}.model"

    def _open(self, location: str) -> ByteSource:
        return self._external.open(location, "the model") if location else self._data


def _bytes_in_memory(source: object, options: SessionOptions) -> int:
    values = (*options.initializers.values(), *options.external_initializers.values())
    sizes = [v.tensor_size_in_bytes() for v in values] + [view.nbytes for view in options.external_files.values()]
    return sum(sizes) + (len(source) if isinstance(source, bytes) else 0)


def _given(options: SessionOptions) -> dict[str, ArrayWeight]:
    """What the caller gave in place of constants."""
    groups: tuple[tuple[str, Any], ...] = (("own", options.initializers), ("external", options.external_initializers))
    return {f"{kind}:{name}": ArrayWeight(v.numpy()) for kind, values in groups for name, v in values.items()}
