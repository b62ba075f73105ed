"""`InferenceSession.run(capture=...)`: values inside a model become outputs of a second model, which is kept for later runs."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ort_core.errors import InvalidArgument
from ort_core.ir.graph import Graph, Model, Value

if TYPE_CHECKING:
    from ort_core.live import LiveModel

_WILDCARDS = frozenset("*?[")


class CaptureModel:
    """The model of the last `capture`, for as long as the same values are asked for."""

    def __init__(self) -> None:
        self._wanted: tuple[str, ...] = ()
        self._names: list[str] = []
        self._model: LiveModel | None = None

    def model(
        self, wanted: tuple[str, ...], create: Callable[[Callable[[Model], None]], LiveModel]
    ) -> tuple[LiveModel, list[str]]:
        """The model that gives the wanted values, and their names with patterns resolved.

        Args:
            create: builds the session's model with more outputs, which the function that it gets adds.

        Raises:
            InvalidArgument: there is no such value.
        """
        if self._model is None or wanted != self._wanted:
            # Not closed: a run in another thread may be about to use it. It closes itself when nobody refers to it.
            self._model = None
            names: list[str] = []
            self._model = create(lambda model: names.extend(expose(model, wanted)))
            self._wanted, self._names = wanted, names
        return self._model, self._names

    def close(self) -> None:
        """Releases the model."""
        model, self._model = self._model, None
        if model is not None:
            model.close()


def checked_names(capture: Sequence[str]) -> tuple[str, ...]:
    """The argument `capture`.

    Raises:
        TypeError: it is no list of names.
    """
    if isinstance(capture, str | bytes | Mapping):
        raise TypeError(f"capture takes a list of names, got {type(capture).__name__} {capture!r}")
    names = tuple(capture)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"capture takes a list of names, got {type(name).__name__} {name!r} in it")
    return names


def expose(model: Model, wanted: Sequence[str]) -> list[str]:
    """Makes values outputs of the main graph and returns their names.

    Args:
        wanted: names of values, or patterns such as `encoder/*` over the outputs of nodes.

    Raises:
        InvalidArgument: the main graph has no such value.
    """
    graph = model.graph
    computed = {v.name: v for node in graph.nodes for v in node.outputs if v is not None}
    known: dict[str, Value] = {**graph.initializers, **{v.name: v for v in graph.inputs}, **computed}
    names: dict[str, None] = {}
    for name in wanted:
        matches = [name] if name in known else fnmatch.filter(computed, name) if _WILDCARDS & {*name} else []
        if not matches:
            raise InvalidArgument(_unknown(name, graph, known))
        names.update(dict.fromkeys(matches))
    outputs = {*graph.output_names}
    for name in names:
        if name not in outputs:
            graph.add_output(known[name], name)
    return list(names)


def _unknown(name: str, graph: Graph, known: Mapping[str, Value]) -> str:
    import difflib

    for inner in graph.graphs():
        if inner is not graph and any(v is not None and v.name == name for n in inner.nodes for v in n.outputs):
            return (
                f"capture names '{name}', which is inside a body of control flow and computed once per iteration. Only values "
                "of the main graph can be captured; make it an output of the body."
            )
    near = difflib.get_close_matches(name, known, n=3)
    hint = f" Similar names: {', '.join(near)}." if near else ""
    return f"capture names '{name}', which no value of graph '{graph.name}' has.{hint}"
