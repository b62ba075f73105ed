"""The custom operators that a model may call: looking up nodes, and inferring their types."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

from ort_core.custom_ops.spec import CustomOp
from ort_core.devices import HOST
from ort_core.errors import InvalidGraph
from ort_core.ir.schema import is_defined

if TYPE_CHECKING:
    from ort_core.ir.graph import Model, Node
    from ort_core.ir.types import ValueType

MARK = "__ort_custom_op__"
"""The attribute of a Python object, such as a decorated function, that holds the operator that it stands for."""

_Key: TypeAlias = tuple[str, str]


def operators_of(source: Any) -> Iterator[CustomOp]:
    """The operators that an object stands for: itself, what it is marked with, or those of a module or an iterable.

    Raises:
        TypeError: it holds none.
    """
    found = list(_find(source))
    if not found:
        raise TypeError(
            f"{_name(source)} holds no custom operators. Give functions decorated with ort_custom_ops.op, CustomOp objects, or "
            "a module or list of such."
        )
    yield from found


def _find(source: Any) -> Iterator[CustomOp]:
    # What a base class or a proxy answers to does not count.
    marked = source if isinstance(source, CustomOp) else getattr(source, "__dict__", {}).get(MARK)
    if isinstance(marked, CustomOp):
        yield marked
    elif isinstance(source, ModuleType):
        for item in list(vars(source).values()):
            if not isinstance(item, ModuleType | Iterable):
                yield from _find(item)
    elif isinstance(source, Iterable) and not isinstance(source, str | bytes):
        for item in source:
            yield from operators_of(item)


def _name(source: Any) -> str:
    return getattr(source, "__name__", None) or f"an object of type {type(source).__name__}"


class CustomOps:
    """The operators that a model may call beside ONNX's.

    Of several that fit a node, that of the newest version is called, then the first one for the device that comes first in
    `devices`, then the first one given.
    """

    def __init__(
        self,
        operators: Iterable[CustomOp] = (),
        opsets: Mapping[str, int] | None = None,
        devices: Sequence[str] = (HOST.type,),
    ) -> None:
        self._opsets = opsets or {}
        self._overloads: dict[_Key, list[CustomOp]] = {}
        for op in operators:
            known = self._overloads.setdefault((_domain(op.domain), op.name), [])
            if op not in known:
                known.append(op)
        rank = {device: i for i, device in enumerate(devices)}
        for overloads in self._overloads.values():
            overloads.sort(key=lambda op: (-op.since_version, rank.get(op.device_type, len(rank))))

    def for_devices(self, devices: Sequence[str]) -> CustomOps:
        """The same operators, for a session that has these devices."""
        return CustomOps(itertools.chain.from_iterable(self._overloads.values()), self._opsets, devices)

    def replaces_standard(self, model: Model) -> bool:
        """Whether the model calls an operator here that ONNX defines too, so that its semantics are not ONNX's."""
        ours = {(domain, name) for domain, name in self._overloads if is_defined(name, domain)}
        return bool(ours) and any(
            (node.domain, node.op_type) in ours for graph in model.graphs() for node in graph.nodes
        )

    def __bool__(self) -> bool:
        return bool(self._overloads)

    @property
    def keys(self) -> Collection[_Key]:
        """Domain and name of each operator."""
        return self._overloads.keys()

    @functools.cached_property
    def inference(self) -> Mapping[_Key, Callable[[Node, Sequence[ValueType | None]], Sequence[ValueType | None]]]:
        """The type inference function of each operator."""
        return dict.fromkeys(self._overloads, self._infer)

    def find(self, node: Node) -> CustomOp | None:
        """The overload that a node calls; None if there is none."""
        return self._choose(node, _input_types(node))[0] if self._overloads else None

    def decline_reason(self, node: Node) -> str | None:
        """Why no overload fits the node, if there are any; None if one fits or there are none."""
        return self._choose(node, _input_types(node))[1] or None

    def _choose(self, node: Node, types: Sequence[ValueType | None]) -> tuple[CustomOp | None, str]:
        """The overload that fits, or why none does (nothing if there are none)."""
        reasons = []
        for op, reason in self._reasons(node, types):
            if reason is None:
                return op, ""
            reasons.append(reason)
        return None, "; ".join(dict.fromkeys(reasons))

    def _reasons(self, node: Node, types: Sequence[ValueType | None]) -> Iterator[tuple[CustomOp, str | None]]:
        version = self._opsets.get(node.domain, 1) if node.origin is None else node.origin.opset
        for op in self._overloads.get((node.domain, node.op_type), ()):
            if version < op.since_version or (op.end_version is not None and version > op.end_version):
                last = "on" if op.end_version is None else f"to {op.end_version}"
                yield op, f"it exists from version {op.since_version} {last}, the model imports {version}"
            else:
                yield op, op.decline_reason(node, types)

    def _infer(self, node: Node, types: Sequence[ValueType | None]) -> Sequence[ValueType | None]:
        op, problem = self._choose(node, types)
        if op is None:
            raise InvalidGraph(
                f"{node.where()}: it calls no overload of its custom operator: {problem}. Correct the node or the library's "
                "version."
            )
        return op.infer(node, types)


def _input_types(node: Node) -> list[ValueType | None]:
    return [None if value is None else value.type for value in node.inputs]


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name
