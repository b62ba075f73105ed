"""The activation functions of recurrent operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

Activation: TypeAlias = Callable[[np.ndarray], np.ndarray]


class _Entry(NamedTuple):
    function: Callable[..., np.ndarray]
    defaults: tuple[float, ...] = ()


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)); the overflow of exp for very negative x gives the right 0."""
    result: np.ndarray = 1 / (1 + np.exp(-x))
    return result


_ENTRIES = {
    "relu": _Entry(lambda x: np.maximum(x, 0)),
    "tanh": _Entry(np.tanh),
    "sigmoid": _Entry(sigmoid),
    "softsign": _Entry(lambda x: x / (1 + np.abs(x))),
    "softplus": _Entry(lambda x: np.logaddexp(x, x.dtype.type(0))),
    "affine": _Entry(lambda x, alpha, beta: alpha * x + beta, (1.0, 0.0)),
    "leakyrelu": _Entry(lambda x, alpha: np.where(x < 0, alpha * x, x), (0.01,)),
    "thresholdedrelu": _Entry(lambda x, alpha: np.where(x > alpha, x, 0), (1.0,)),
    "scaledtanh": _Entry(lambda x, alpha, beta: alpha * np.tanh(beta * x), (1.0, 1.0)),
    "hardsigmoid": _Entry(lambda x, alpha, beta: np.clip(alpha * x + beta, 0, 1), (0.2, 0.5)),
    "elu": _Entry(lambda x, alpha: np.where(x < 0, alpha * np.expm1(x), x), (1.0,)),
}


def make_activations(
    names: Sequence[str], alphas: Sequence[float] | None, betas: Sequence[float] | None
) -> list[Activation]:
    """The functions of those names; each takes from `alphas` and `betas`, in order, what it has parameters for.

    Raises:
        ValueError: a name is unknown.
    """
    alpha, beta = iter(alphas or ()), iter(betas or ())
    made = []
    for name in names:
        entry = _ENTRIES.get(name.lower())
        if entry is None:
            raise ValueError(f"activation '{name}' is unknown, must be one of {', '.join(sorted(_ENTRIES))}")
        parameters = [next(values, default) for values, default in zip((alpha, beta), entry.defaults, strict=False)]
        made.append(_bind(entry.function, parameters))
    return made


def _bind(function: Callable[..., np.ndarray], parameters: list[float]) -> Activation:
    return lambda x: function(x, *parameters)
