"""Host providers that are wrong in one way each, with the tests of the kit that must fail."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from wrong_kernels_base import FLOATS, NUMBERS, host_plugin, reduce_sum

from ort_core.errors import OrtError
from ort_core.providers.kernel import kernel
from ort_core.providers.kernel_provider import KernelProvider
from ort_core.providers.spec import Claim, Decline, Executable, Plugin


class Wrong(NamedTuple):
    """A way to be wrong.

    Attributes:
        make: gives the plugin; on a fake device from its control.
        fails: the tests that must fail, as `module::name`, or `module::name[case]` where a part of the parameters will do.
    """

    make: Callable[..., Plugin]
    fails: tuple[str, ...]


@kernel("Add", types={"T": NUMBERS})
def add_in_double(a, b):
    return np.add(a, b, dtype=np.float64)


@kernel("Exp", types={"T": FLOATS})
def exp_in_single(x):
    return np.exp(x.astype(np.float32)).astype(x.dtype)


@kernel("ReduceSum", types={"T": FLOATS})
def reduce_sum_without_keepdims(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
    return reduce_sum(x, axes, keepdims=0)


@kernel("Relu", types={"T": FLOATS})
def relu_drops_dimensions_of_one(x):
    return np.maximum(x, 0).squeeze()


@kernel("Add", types={"T": NUMBERS})
def add_repeats_instead_of_broadcasting(a, b):
    return a + (np.resize(b, a.shape) if a.size >= b.size else b)


class RemembersItsFirstShape:
    def prepare(self, node, ctx):
        self.result = None

    def run(self, a, b):
        if self.result is None:
            self.result = np.broadcast_shapes(a.shape, b.shape)
        return np.resize(a * b, self.result)


@kernel("Relu", types={"T": FLOATS})
def relu_in_place(x):
    return np.maximum(x, 0, out=x if x.flags.writeable else None)


class OneBufferForAllRuns:
    def prepare(self, node, ctx):
        self.buffers = {}

    def run(self, x):
        out = self.buffers.setdefault((x.shape, x.dtype), np.empty_like(x))
        return np.exp(x, out=out)


class KeepsAndWritesWhatItReturned:
    def prepare(self, node, ctx):
        self.kept = None

    def run(self, x):
        if self.kept is not None and self.kept.flags.writeable and self.kept is not x:
            self.kept[...] = "" if x.dtype.kind == "O" else 0
        self.kept = x
        return x


@kernel("MatMul", types={"T": FLOATS})
def matmul_leaves_the_last_element_of_its_output(ctx, a, b):
    result = np.matmul(a, b)
    out = ctx.output(0, ctx.node.outputs[0].element, result.shape)
    out.reshape(-1)[:-1] = result.reshape(-1)[:-1]
    return out


class Wrapped(Executable):
    """Another executable, around which subclasses do something wrong."""

    def __init__(self, inner: Executable) -> None:
        self.inner = inner

    def run(self, ctx, inputs):
        return self.inner.run(ctx, inputs)


class WritesInputs(Wrapped):
    def run(self, ctx, inputs):
        results = [np.array(r) for r in self.inner.run(ctx, inputs)]
        for index, result in enumerate(results):
            first = inputs[0] if inputs else result
            if first.shape == result.shape and first.dtype == result.dtype and first.flags.writeable:
                np.copyto(first, result)
                results[index] = first
        return results


class KeepsDonatedInputs(Wrapped):
    spare = None

    def run(self, ctx, inputs):
        donated = [i for i in range(len(inputs)) if ctx.donated(i)]
        results = [np.array(r) for r in self.inner.run(ctx, inputs)]
        if donated and self.spare is None:
            self.spare = inputs[donated[0]]
        for index, result in enumerate(results):
            if self.spare is not None and (self.spare.shape, self.spare.dtype) == (result.shape, result.dtype):
                np.copyto(self.spare, result)
                results[index] = self.spare
        return results


class ClosesForAllSessions(KernelProvider):
    tables: ClassVar[dict[str, Any]] = {}

    def compile(self, partition, ctx):
        tables = self.tables
        tables["lookup"] = ()

        class NeedsItsTable(Wrapped):
            def run(self, ctx, inputs):
                tables["lookup"]
                return super().run(ctx, inputs)

        return NeedsItsTable(super().compile(partition, ctx))

    def close(self):
        self.tables.clear()


class RaisesWithoutSayingWhere(Wrapped):
    def run(self, ctx, inputs):
        try:
            return self.inner.run(ctx, inputs)
        except OrtError:
            raise OrtError("an error occurred") from None


class BrokenAfterAFailure(Wrapped):
    broken = False

    def run(self, ctx, inputs):
        if self.broken:
            raise OrtError("cannot go on after the failure of Add, MatMul, Gather or Concat")
        try:
            return self.inner.run(ctx, inputs)
        except OrtError:
            self.broken = True
            raise


def wrapping(wrapper: type[Wrapped]) -> Callable[[], Plugin]:
    class Provider(KernelProvider):
        def compile(self, partition, ctx):
            return wrapper(super().compile(partition, ctx))

    return lambda: host_plugin(base=Provider)


class SharesScratchBetweenThreads:
    def prepare(self, node, ctx):
        self.scratch = np.empty(1 << 20, np.float64)

    def run(self, x):
        scratch = self.scratch[: x.size].reshape(x.shape)
        np.copyto(scratch, x)
        np.exp(scratch, out=scratch)
        return scratch.astype(x.dtype)


class SharesItsStateBetweenThreads:
    def prepare(self, node, ctx):
        pass

    def run(self, x):
        self.x = x
        positive = self.x > 0
        return np.where(positive, self.x, x.dtype.type(0)) if self.x.shape == x.shape else self.x


class KeepsResults:
    def prepare(self, node, ctx):
        self.kept = []

    def run(self, x):
        self.kept.append(np.exp(x))
        return self.kept[-1]


class LeaksItsScratch:
    def prepare(self, node, ctx):
        self.kept = []

    def run(self, x):
        self.kept.append(x.tobytes())
        return np.exp(x)


@kernel("Add", types={"T": NUMBERS})
def add_leaks_native_memory(a, b):
    malloc = ctypes.CDLL(None).malloc
    malloc.argtypes, malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    result = a + b
    if result.nbytes:
        ctypes.memset(malloc(result.nbytes), 1, result.nbytes)
    return result


@dataclass(frozen=True)
class UncheckedOptions:
    level: Any = 1


@kernel("Add", types={"T": NUMBERS})
def add_swallows_errors(a, b):
    with contextlib.suppress(ValueError):
        return a + b
    return np.zeros_like(a)


@kernel("Gather", types={"Tind": NUMBERS})
def gather_clips_indices(x, indices, *, axis=0):
    return np.take(x, indices, axis, mode="clip")


class DeclinesWithoutReason(KernelProvider):
    def claim(self, view):
        for answer in super().claim(view):
            yield answer if isinstance(answer, Claim) else Decline(answer.node, "")


def _flushed(array):
    if array.dtype.kind != "f":
        return array
    return np.where(np.abs(array) < np.finfo(array.dtype).tiny, array.dtype.type(0), array)


@kernel("Mul", types={"T": NUMBERS})
def mul_flushes_denormals(a, b):
    return _flushed(_flushed(a) * _flushed(b))


@kernel("Relu", types={"T": FLOATS})
def relu_loses_nan(x):
    return np.where(x > 0, x, x.dtype.type(0))


@kernel("Add", types={"T": NUMBERS})
def add_forgets_the_tail(a, b):
    total = a + b
    if total.size % 8 and total.ndim == 1 and a.shape == b.shape:
        total[total.size // 8 * 8 :] = 0
    return total


@kernel("Exp", types={"T": FLOATS})
def exp_is_off_by_one_in_the_tail(x):
    result = np.exp(x)
    flat = result.reshape(-1)
    if flat.size > 16 and flat.size % 4 == 3:
        flat[-1] = flat[-2]
    return result


@kernel("ReduceSum", types={"T": FLOATS})
def reduce_sum_misses_the_last_of_an_odd_row(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
    if x.ndim == 2 and x.shape[1] % 2 and x.shape[1] > 8:
        x = x[:, :-1]
    return reduce_sum(x, axes, keepdims=keepdims)


@kernel("Add", types={"T": NUMBERS})
def add_integers_as_doubles(a, b):
    return (a.astype(np.float64) + b).astype(a.dtype)


@kernel("Softmax", types={"T": FLOATS})
def softmax_overflows(x, *, axis=-1):
    return np.exp(x) / np.exp(x).sum(axis, keepdims=True)


_noise = itertools.count()


@kernel("Exp", types={"T": FLOATS})
def exp_is_not_deterministic(x):
    return np.exp(x) * x.dtype.type(1 + 2 * np.finfo(x.dtype).eps * (next(_noise) % 2))


def _class(operator: str, implementation: type, types: Any) -> Any:
    """A kernel class under a fresh name, so that a provider may be made of it again."""
    return kernel(operator, types={"T": types})(type(implementation.__name__, (implementation,), {}))


def _with(*kernels: Any) -> Callable[[], Plugin]:
    return lambda: host_plugin(*kernels)


HOST: dict[str, Wrong] = {
    "result in float64": Wrong(
        _with(add_in_double), ("types::element_type[Add]", "types::dimensions_change_between_runs[Add]")
    ),
    "keepdims ignored": Wrong(
        _with(reduce_sum_without_keepdims), ("types::element_type[ReduceSum]", "properties::reductions[ReduceSum]")
    ),
    "dimension dropped": Wrong(
        _with(relu_drops_dimensions_of_one), ("types::shape[Relu]", "types::dimensions_change_between_runs[Relu]")
    ),
    "wrong broadcast": Wrong(_with(add_repeats_instead_of_broadcasting), ("properties::broadcasting[Add]",)),
    "first shape remembered": Wrong(
        _with(_class("Mul", RemembersItsFirstShape, NUMBERS)), ("types::dimensions_change_between_runs[Mul]",)
    ),
    "kernel writes its input": Wrong(_with(relu_in_place), ("aliasing::inputs_are_not_written[Relu]",)),
    "executable writes its inputs": Wrong(
        wrapping(WritesInputs),
        (
            "aliasing::inputs_are_not_written[Add]",
            "aliasing::values_between_partitions",
            "aliasing::values_of_loops_and_branches",
        ),
    ),
    "one buffer for all runs": Wrong(
        _with(_class("Exp", OneBufferForAllRuns, FLOATS)), ("aliasing::results_stay_as_they_are[Exp]",)
    ),
    "returned input kept and written": Wrong(
        _with(_class("Identity", KeepsAndWritesWhatItReturned, ())), ("aliasing::results_stay_as_they_are[Identity]",)
    ),
    "donated input kept": Wrong(wrapping(KeepsDonatedInputs), ("aliasing::values_between_partitions",)),
    "bound buffer not written completely": Wrong(
        _with(matmul_leaves_the_last_element_of_its_output), ("aliasing::bound_buffers_are_written[MatMul]",)
    ),
    "scratch shared between threads": Wrong(
        _with(_class("Exp", SharesScratchBetweenThreads, FLOATS)), ("threads::one_session_in_many_threads[Exp]",)
    ),
    "state shared between threads": Wrong(
        _with(_class("Relu", SharesItsStateBetweenThreads, FLOATS)), ("threads::one_session_in_many_threads[Relu]",)
    ),
    "closing breaks other sessions": Wrong(
        lambda: host_plugin(base=ClosesForAllSessions), ("streams::failure_leaves_the_device_usable",)
    ),
    "results kept": Wrong(
        _with(_class("Exp", KeepsResults, FLOATS)), ("memory::arrays_are_let_go[Exp]", "memory::runs_do_not_grow[Exp]")
    ),
    "scratch leaked": Wrong(_with(_class("Exp", LeaksItsScratch, FLOATS)), ("memory::runs_do_not_grow[Exp]",)),
    "native memory leaked": Wrong(_with(add_leaks_native_memory), ("memory::process_does_not_grow",)),
    "option never validated": Wrong(
        lambda: host_plugin(options=UncheckedOptions), ("options::wrong_values_are_refused",)
    ),
    "errors swallowed": Wrong(_with(add_swallows_errors), ("errors::failing_node[Add]",)),
    "index out of range clipped": Wrong(_with(gather_clips_indices), ("errors::failing_node[Gather]",)),
    "error does not say where": Wrong(wrapping(RaisesWithoutSayingWhere), ("errors::failing_node[Add]",)),
    "broken after a failure": Wrong(wrapping(BrokenAfterAFailure), ("errors::failing_node[Add]",)),
    "declines without a reason": Wrong(
        lambda: host_plugin(base=DeclinesWithoutReason), ("errors::declines_have_reasons",)
    ),
    "denormals flushed": Wrong(_with(mul_flushes_denormals), ("numbers::denormals[Mul]",)),
    "NaN lost": Wrong(_with(relu_loses_nan), ("numbers::special_values[Relu]",)),
    "tail forgotten": Wrong(_with(add_forgets_the_tail), ("numbers::every_length[Add]",)),
    "off by one in the tail": Wrong(_with(exp_is_off_by_one_in_the_tail), ("numbers::every_length[Exp]",)),
    "last of an odd row missed": Wrong(
        _with(reduce_sum_misses_the_last_of_an_odd_row), ("numbers::every_width[ReduceSum]",)
    ),
    "double precision lost": Wrong(_with(exp_in_single), ("types::element_type[Exp]",)),
    "integers rounded": Wrong(_with(add_integers_as_doubles), ("numbers::integer_range[Add]",)),
    "softmax overflows": Wrong(_with(softmax_overflows), ("numbers::large_softmax",)),
    "not deterministic": Wrong(_with(exp_is_not_deterministic), ("numbers::results_repeat[Exp]",)),
}

if not Path("/proc/self/statm").exists():
    del HOST["native memory leaked"]
