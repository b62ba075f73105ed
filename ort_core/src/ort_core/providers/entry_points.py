"""The scan of installed distributions for this project's entry points; nothing is imported from them.

It reads `entry_points.txt` beside each distribution's metadata along `sys.path`: over ten times quicker than
`importlib.metadata`, which serves only zip archives and foreign import finders here.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

PROVIDERS = "ort_core.providers"
CUSTOM_OPS = "ort_core.custom_ops"
CUSTOM_OP_LIBRARIES = "ort_core.custom_op_libraries"
HOOKS = "ort_core.hooks"
GROUPS = (PROVIDERS, CUSTOM_OPS, CUSTOM_OP_LIBRARIES, HOOKS)

_MARK = b"ort_core."
_METADATA_SUFFIXES = (".dist-info", ".egg-info")
_STANDARD_FINDERS = ("_frozen_importlib", "importlib.metadata", "importlib_metadata")


class EntryPoint(NamedTuple):
    """One entry point of an installed distribution.

    Attributes:
        name: the provider's name, the custom operators' domain, the kind of custom-op libraries, or any name for hooks.
        value: `module:attribute`.
        location: the metadata directory, or the archive.
    """

    name: str
    group: str
    value: str
    distribution: str
    version: str
    location: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".rstrip()


class _Listing(NamedTuple):
    stamp: object
    stems: frozenset[str]
    entries: dict[str, list[EntryPoint]]


class _Scan(NamedTuple):
    signature: object
    groups: dict[str, tuple[EntryPoint, ...]]


_listings: dict[str, _Listing] = {}
_scan: _Scan | None = None
_pinned = threading.local()


def entry_points(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of one of this project's groups, of each distribution the copy that `import` would find.

    Cached; scanned again when `sys.path`, or a directory on it, has changed.
    """
    return scan()[group]


@contextlib.contextmanager
def scanned_once() -> Iterator[None]:
    """Within it, this thread looks for changes at most once: what is found first holds until the outermost one ends."""
    outer: int = getattr(_pinned, "depth", 0)
    _pinned.depth = outer + 1
    try:
        yield
    finally:
        _pinned.depth = outer
        if not outer:
            _pinned.groups = None


def scan() -> dict[str, tuple[EntryPoint, ...]]:
    """All entry points by group; the same object until something changes."""
    if not getattr(_pinned, "depth", 0):
        return _scan_now()
    groups: dict[str, tuple[EntryPoint, ...]] | None = getattr(_pinned, "groups", None)
    if groups is None:
        groups = _pinned.groups = _scan_now()
    return groups


def _scan_now() -> dict[str, tuple[EntryPoint, ...]]:
    global _scan  # noqa: PLW0603
    paths = [p or os.getcwd() for p in sys.path if isinstance(p, str)]
    finders = tuple(finder for finder in sys.meta_path if _is_foreign(finder))
    signature = ([(p, _stamp(p)) for p in paths], finders)
    known = _scan
    if known is not None and known.signature == signature:
        return known.groups
    found = _merge(paths, finders)
    groups = {g: tuple(e for e in found if e.group == g) for g in GROUPS}
    if known is not None and known.groups == groups:
        groups = known.groups
    _scan = _Scan(signature, groups)
    return groups


def refresh() -> None:
    """Forgets what was scanned; needed only where file times do not tell, such as after an edit of an entry point."""
    global _scan  # noqa: PLW0603
    _scan = None
    _pinned.groups = None
    _listings.clear()


def _stamp(path: str) -> object:
    try:
        return os.stat(path).st_mtime_ns
    except (OSError, ValueError):
        return None


def _merge(paths: Iterable[str], finders: Iterable[Any]) -> list[EntryPoint]:
    found: list[EntryPoint] = []
    seen: set[str] = set()
    for path in dict.fromkeys(paths):
        stamp = _stamp(path)
        listing = _listings.get(path)
        if listing is None or listing.stamp != stamp:
            listing = _listings[path] = _list(path, stamp)
        for stem, entries in listing.entries.items():
            if stem not in seen:
                found += entries
        seen |= listing.stems
    for finder in finders:
        for stem, entries in _from_finder(finder).items():
            if stem not in seen:
                seen.add(stem)
                found += entries
    return found


def _list(path: str, stamp: object) -> _Listing:
    if stamp is None:
        return _Listing(stamp, frozenset(), {})
    try:
        names = os.listdir(path)
    except NotADirectoryError:
        entries = _from_archive(path)
        return _Listing(stamp, frozenset(entries), entries)
    except OSError:
        return _Listing(stamp, frozenset(), {})
    if path.endswith(".egg"):
        names = [name for name in names if name == "EGG-INFO"]
    else:
        names = [name for name in names if name.endswith(_METADATA_SUFFIXES)]
    base = os.path.basename(path)
    stems: set[str] = set()
    found: dict[str, list[EntryPoint]] = {}
    for name in sorted(names):
        stem = _stem(base if name == "EGG-INFO" else name)
        stems.add(stem)
        directory = f"{path}{os.sep}{name}"
        text = _read(f"{directory}{os.sep}entry_points.txt")
        if text is not None and _MARK in text:
            found[stem] = _entries(text, directory)
    return _Listing(stamp, frozenset(stems), found)


def _stem(directory: str) -> str:
    name = directory.removesuffix(".dist-info").removesuffix(".egg-info").removesuffix(".egg")
    return name.partition("-")[0].lower().replace(".", "_")


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return None


def _entries(text: bytes, directory: str) -> list[EntryPoint]:
    lines = list(_parse(text.decode("utf-8", "replace")))
    if not lines:
        return []
    name, version = _identity(directory)
    return [EntryPoint(key, group, value, name, version, directory) for group, key, value in lines]


def _parse(text: str) -> Iterator[tuple[str, str, str]]:
    group = ""
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and line[-1] == "]":
            group = line[1:-1].strip()
        elif group in GROUPS:
            key, equals, value = line.partition("=")
            value = value.partition("[")[0].strip()
            if equals and key.strip() and value:
                yield group, key.strip(), value


def _identity(directory: str) -> tuple[str, str]:
    text = _read(os.path.join(directory, "METADATA")) or _read(os.path.join(directory, "PKG-INFO")) or b""
    headers: dict[str, str] = {}
    for line in text.decode("utf-8", "replace").splitlines():
        key, colon, value = line.partition(":")
        if not colon:
            break
        headers.setdefault(key.lower(), value.strip())
    stem, _, rest = os.path.basename(directory).rpartition(".")[0].partition("-")
    return headers.get("name") or stem.replace("_", "-"), headers.get("version") or rest.partition("-")[0]


def _is_foreign(finder: Any) -> bool:
    if not hasattr(finder, "find_distributions"):
        return False
    module = getattr(finder, "__module__", None) or type(finder).__module__
    return not any(standard in module for standard in _STANDARD_FINDERS)


def _from_archive(path: str) -> dict[str, list[EntryPoint]]:
    import importlib.metadata

    return _from_distributions(lambda: importlib.metadata.distributions(path=[path]), path)


def _from_finder(finder: Any) -> dict[str, list[EntryPoint]]:
    import importlib.metadata

    context = importlib.metadata.DistributionFinder.Context()
    return _from_distributions(lambda: finder.find_distributions(context), repr(finder))


def _from_distributions(find: Callable[[], Iterable[Any]], location: str) -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    try:
        for distribution in find():
            name, version = distribution.metadata["Name"], distribution.version
            for entry in distribution.entry_points:
                if entry.group in GROUPS:
                    value = entry.value.partition("[")[0].strip()
                    found.setdefault(_stem(name.replace("-", "_")), []).append(
                        EntryPoint(entry.name, entry.group, value, name, version, location)
                    )
    except Exception:
        import logging

        logging.getLogger("ort_core").warning("cannot read the distributions in %s", location, exc_info=True)
    return found
