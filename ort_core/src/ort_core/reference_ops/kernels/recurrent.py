"""Recurrent layers: RNN, GRU and LSTM, with every attribute."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from ort_core.ir.graph import Node
from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.activations import Activation, make_activations
from ort_core.reference_ops.kernels.numerics import widen

State: TypeAlias = "tuple[np.ndarray, ...]"
Step: TypeAlias = Callable[[np.ndarray, State], State]
"""From the input's share of the gates [B, gates * H] and the state (H, or H and C, each [B, H]) to the next state."""
Bias: TypeAlias = "tuple[np.ndarray, np.ndarray]"
"""The input's and the state's bias of one direction, each [gates * H]."""

_DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}


class _Layer(ABC):
    """What the three have in common: directions, layout, sequence lengths and the loop over time.

    X [T, B, I] (or [B, T, I]), W [D, gates * H, I], R [D, gates * H, H], B [D, 2 * gates * H], states [D, B, H].
    """

    gates: int
    default_activations: tuple[str, ...]

    def configure(
        self,
        activation_alpha: Sequence[float] | None,
        activation_beta: Sequence[float] | None,
        activations: Sequence[str] | None,
        clip: float | None,
        direction: str,
        hidden_size: int | None,
        layout: int,
    ) -> None:
        if direction not in _DIRECTIONS:
            raise ValueError(f"direction is '{direction}', must be forward, reverse or bidirectional")
        count, per_direction = _DIRECTIONS[direction], len(self.default_activations)
        names = tuple(activations or self.default_activations * count)
        if len(names) != count * per_direction:
            raise ValueError(f"{count * per_direction} activations are needed for {direction}, got {list(names)}")
        functions = make_activations(names, activation_alpha, activation_beta)
        self.functions = [functions[i * per_direction : (i + 1) * per_direction] for i in range(count)]
        self.direction, self.hidden_size, self.batch_first = direction, hidden_size, bool(layout)
        self.limit = clip or None

    def run(
        self,
        x: np.ndarray,
        w: np.ndarray,
        r: np.ndarray,
        b: np.ndarray | None = None,
        sequence_lens: np.ndarray | None = None,
        initial_h: np.ndarray | None = None,
    ) -> tuple[np.ndarray, ...]:
        """Computes the layer."""
        return self.scan(x, w, r, b, sequence_lens, (initial_h,))

    @abstractmethod
    def make_step(
        self, r: np.ndarray, bias: Bias, functions: Sequence[Activation], peepholes: np.ndarray | None
    ) -> Step:
        """One direction's computation for one time, from its R' [H, gates * H] and, in LSTM, peepholes [3 * H]."""

    def clip(self, x: np.ndarray) -> np.ndarray:
        return x if self.limit is None else np.clip(x, -self.limit, self.limit)

    def scan(
        self,
        x: np.ndarray,
        w: np.ndarray,
        r: np.ndarray,
        b: np.ndarray | None,
        sequence_lens: np.ndarray | None,
        initial: Sequence[np.ndarray | None],
        p: np.ndarray | None = None,
    ) -> tuple[np.ndarray, ...]:
        """Y [T, D, B, H] (or [B, T, D, H]) and the final states."""
        inputs = widen(x)
        if self.batch_first:
            inputs = inputs.swapaxes(0, 1)
        self._check(inputs, w, r, sequence_lens)
        steps, batch, _ = inputs.shape
        hidden = r.shape[2]
        lengths = np.full(batch, steps) if sequence_lens is None else sequence_lens.astype(np.int64)
        ys, finals = [], []
        for d in range(len(self.functions)):
            state = tuple(self._initial(s, d, batch, hidden, inputs.dtype) for s in initial)
            backward = self.direction == "reverse" or d == 1
            order = _time_order(steps, lengths, backward=backward)
            projected = np.matmul(np.take_along_axis(inputs, order, axis=0), widen(w[d]).T)
            peepholes = None if p is None else widen(p[d])
            step = self.make_step(widen(r[d]).T, self.bias(b, d, r), self.functions[d], peepholes)
            y, state = _loop(projected, state, lengths, step)
            ys.append(np.take_along_axis(y, order, axis=0))
            finals.append(state)
        outputs = [np.stack(ys, axis=1), *(np.stack(parts) for parts in zip(*finals, strict=True))]
        if self.batch_first:
            outputs = [outputs[0].transpose(2, 0, 1, 3), *(s.swapaxes(0, 1) for s in outputs[1:])]
        return tuple(o.astype(x.dtype, copy=False) for o in outputs)

    def _check(self, x: np.ndarray, w: np.ndarray, r: np.ndarray, sequence_lens: np.ndarray | None) -> None:
        if x.ndim != 3 or w.ndim != 3 or r.ndim != 3:
            raise ValueError(f"X, W and R must have rank 3, got shapes {x.shape}, {w.shape} and {r.shape}")
        hidden, directions = r.shape[2], len(self.functions)
        if self.hidden_size not in (None, hidden):
            raise ValueError(f"hidden_size is {self.hidden_size}, R has {hidden}")
        if w.shape != (directions, self.gates * hidden, x.shape[2]) or r.shape[:2] != w.shape[:2]:
            raise ValueError(
                f"W of shape {w.shape} and R of shape {r.shape} do not fit {directions} directions, "
                f"hidden size {hidden} and input size {x.shape[2]}"
            )
        if sequence_lens is not None and (
            sequence_lens.shape != x.shape[1:2] or (sequence_lens < 0).any() or (sequence_lens > x.shape[0]).any()
        ):
            raise ValueError(
                f"sequence_lens must hold {x.shape[1]} lengths from 0 to {x.shape[0]}, got {sequence_lens}"
            )

    def _initial(self, value: np.ndarray | None, d: int, batch: int, hidden: int, dtype: np.dtype) -> np.ndarray:
        if value is None:
            return np.zeros((batch, hidden), dtype)
        state = (value[:, d] if self.batch_first else value[d]).astype(dtype)
        if state.shape != (batch, hidden):
            raise ValueError(
                f"an initial state has shape {value.shape}, expected {batch} by {hidden} for each direction"
            )
        return state

    def bias(self, b: np.ndarray | None, d: int, r: np.ndarray) -> Bias:
        """The biases of one direction."""
        if b is None:
            zero = np.zeros(r.shape[1], widen(r[:0]).dtype)
            return zero, zero
        if b.shape != (r.shape[0], 2 * r.shape[1]):
            raise ValueError(f"B has shape {b.shape}, expected {(r.shape[0], 2 * r.shape[1])}")
        both = widen(b[d])
        return both[: r.shape[1]], both[r.shape[1] :]


def _time_order(steps: int, lengths: np.ndarray, *, backward: bool) -> np.ndarray:
    times = np.arange(steps)[:, None]
    order = np.where(times < lengths, lengths - 1 - times, times) if backward else times + 0 * lengths
    return order[:, :, None]


def _loop(projected: np.ndarray, state: State, lengths: np.ndarray, step: Step) -> tuple[np.ndarray, State]:
    steps, batch, _ = projected.shape
    y = np.zeros((steps, batch, state[0].shape[1]), projected.dtype)
    full = int(lengths.min()) if lengths.size else steps
    for t in range(steps):
        new = step(projected[t], state)
        if t < full:
            y[t], state = new[0], new
        else:
            alive = (t < lengths)[:, None]
            y[t] = np.where(alive, new[0], 0)
            state = tuple(np.where(alive, n, s) for n, s in zip(new, state, strict=True))
    return y, state


@kernel("RNN")
class Rnn(_Layer):
    """H = f(X W' + H R' + B): Y [T, D, B, H], Y_h [D, B, H]. Source: ONNX RNN."""

    gates = 1
    default_activations = ("Tanh",)

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        activation_alpha: Sequence[float] | None = None,
        activation_beta: Sequence[float] | None = None,
        activations: Sequence[str] | None = None,
        clip: float | None = None,
        direction: str = "forward",
        hidden_size: int | None = None,
        layout: int = 0,
    ) -> None:
        """Keeps the attributes."""
        self.configure(activation_alpha, activation_beta, activations, clip, direction, hidden_size, layout)

    def make_step(
        self, r: np.ndarray, bias: Bias, functions: Sequence[Activation], peepholes: np.ndarray | None
    ) -> Step:
        """One step of one direction."""
        (f,) = functions
        both = bias[0] + bias[1]
        return lambda gates, state: (f(self.clip(gates + state[0] @ r + both)),)


@kernel("GRU")
class Gru(_Layer):
    """z, r = f(X W' + H R' + B), h = g(X W' + (r H) R' + B), H = (1 - z) h + z H: Y [T, D, B, H], Y_h [D, B, H].

    Source: ONNX GRU.
    """

    gates = 3
    default_activations = ("Sigmoid", "Tanh")

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        activation_alpha: Sequence[float] | None = None,
        activation_beta: Sequence[float] | None = None,
        activations: Sequence[str] | None = None,
        clip: float | None = None,
        direction: str = "forward",
        hidden_size: int | None = None,
        layout: int = 0,
        linear_before_reset: int = 0,
    ) -> None:
        """Keeps the attributes."""
        self.configure(activation_alpha, activation_beta, activations, clip, direction, hidden_size, layout)
        self._linear_before_reset = bool(linear_before_reset)

    def make_step(
        self, r: np.ndarray, bias: Bias, functions: Sequence[Activation], peepholes: np.ndarray | None
    ) -> Step:
        """One step of one direction."""
        zr_end = 2 * r.shape[0]
        r_zr, r_h = r[:, :zr_end], r[:, zr_end:]
        b_zr, (b_wh, b_rh) = bias[0][:zr_end] + bias[1][:zr_end], (b[zr_end:] for b in bias)
        f, g = functions

        def step(gates: np.ndarray, state: State) -> State:
            (h,) = state
            z, reset = np.split(f(self.clip(gates[:, :zr_end] + h @ r_zr + b_zr)), 2, axis=1)
            recurrent = reset * (h @ r_h + b_rh) if self._linear_before_reset else (reset * h) @ r_h + b_rh
            candidate = g(self.clip(gates[:, zr_end:] + b_wh + recurrent))
            return ((1 - z) * candidate + z * h,)

        return step


@kernel("LSTM")
class Lstm(_Layer):
    """i, o, f = f(X W' + H R' + B + P C), c = g(X W' + H R' + B), C = f C + i c, H = o h(C).

    Y [T, D, B, H], Y_h and Y_c [D, B, H], P [D, 3 * H]. Source: ONNX LSTM.
    """

    gates = 4
    default_activations = ("Sigmoid", "Tanh", "Tanh")

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        activation_alpha: Sequence[float] | None = None,
        activation_beta: Sequence[float] | None = None,
        activations: Sequence[str] | None = None,
        clip: float | None = None,
        direction: str = "forward",
        hidden_size: int | None = None,
        input_forget: int = 0,
        layout: int = 0,
    ) -> None:
        """Keeps the attributes."""
        self.configure(activation_alpha, activation_beta, activations, clip, direction, hidden_size, layout)
        self._input_forget = bool(input_forget)

    def run(
        self,
        x: np.ndarray,
        w: np.ndarray,
        r: np.ndarray,
        b: np.ndarray | None = None,
        sequence_lens: np.ndarray | None = None,
        initial_h: np.ndarray | None = None,
        initial_c: np.ndarray | None = None,
        p: np.ndarray | None = None,
    ) -> tuple[np.ndarray, ...]:
        """Computes the layer."""
        return self.scan(x, w, r, b, sequence_lens, (initial_h, initial_c), p)

    def make_step(
        self, r: np.ndarray, bias: Bias, functions: Sequence[Activation], peepholes: np.ndarray | None
    ) -> Step:
        """One step of one direction."""
        f, g, h = functions
        both = bias[0] + bias[1]
        p_i, p_o, p_f = np.split(np.zeros(3 * r.shape[0], r.dtype) if peepholes is None else peepholes, 3)

        def step(gates: np.ndarray, state: State) -> State:
            previous, cell = state
            i, o, forget, c = np.split(gates + previous @ r + both, 4, axis=1)
            i = f(self.clip(i + p_i * cell))
            forget = 1 - i if self._input_forget else f(self.clip(forget + p_f * cell))
            cell = forget * cell + i * g(self.clip(c))
            o = f(self.clip(o + p_o * cell))
            return o * h(cell), cell

        return step
