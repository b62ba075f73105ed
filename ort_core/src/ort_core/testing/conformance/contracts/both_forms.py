"""Models in text with known and with unknown dimensions, and with constants or fed values for shapes and axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ort_core.ir.types import ElementType
from ort_core.testing.conformance.contracts.cases import Arrays, Case
from ort_core.testing.conformance.contracts.checks import check_results
from ort_core.testing.conformance.contracts.claims import open_case
from ort_core.testing.conformance.target import Declined, Target

Integers = Mapping[str, Sequence[int]]


class BothForms:
    """Checks models in every form that the provider takes.

    Attributes:
        ran: how many models it took.
        declined: why it did not take the last one of the others.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self.ran = 0
        self.declined: Declined | None = None

    def check(
        self,
        nodes: str,
        feeds: Arrays,
        expected: Sequence[np.ndarray],
        integers: Integers | None = None,
        *,
        exact: bool = True,
    ) -> None:
        """Runs the model of the nodes, which compute `y`, or `y0`, `y1` and so on.

        Args:
            integers: vectors of int64 that the nodes also take.

        Raises:
            AssertionError: a result is wrong.
        """
        vectors = {name: np.array(values, np.int64) for name, values in (integers or {}).items()}
        constants = ", ".join(f"int64[{len(v)}] {n} = {{{', '.join(map(str, v))}}}" for n, v in vectors.items())
        forms = [(feeds, constants, False), (feeds, constants, True)]
        if vectors:
            forms.append(({**feeds, **vectors}, "", False))
        for fed, constant, known in forms:
            self._run(_graph(nodes, fed, expected, constant, known=known), fed, expected, exact=exact)

    def _run(self, graph: str, feeds: Arrays, expected: Sequence[np.ndarray], *, exact: bool) -> None:
        case = Case("Property", graph, lambda *_: ())
        try:
            session = open_case(self._target, case, optimize=True)
        except Declined as error:
            self.declined = error
            return
        with session:
            self.ran += 1
            try:
                check_results(session.run(None, feeds), expected, exact=exact)
            except AssertionError as error:
                raise AssertionError(f"{graph}: {error}") from error

    def finish(self) -> None:
        """Raises Declined if the provider took no model."""
        if not self.ran and self.declined is not None:
            raise self.declined


def _graph(nodes: str, feeds: Arrays, expected: Sequence[np.ndarray], constants: str, *, known: bool) -> str:
    names = ["y"] if len(expected) == 1 else [f"y{index}" for index in range(len(expected))]
    inputs = ", ".join(_declared(name, array, known=known) for name, array in feeds.items())
    outputs = ", ".join(_declared(name, array, known=False) for name, array in zip(names, expected, strict=True))
    return f"({inputs}) => ({outputs}) {f'<{constants}> ' if constants else ''}{{ {nodes} }}"


def _declared(name: str, array: np.ndarray, *, known: bool) -> str:
    """A typed value as `onnx.parser` reads it; a scalar has no brackets."""
    dims = ", ".join(str(d) if known else f"{name}_{index}" for index, d in enumerate(array.shape))
    return f"{ElementType.from_dtype(array.dtype).onnx_name}{f'[{dims}]' if dims else ''} {name}"
