"""A right provider for the host, some of whose kernels, options or executables a test replaces by wrong ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from ort_core.providers.kernel import FLOATS, NUMBERS, kernel
from ort_core.providers.kernel_provider import KernelProvider
from ort_core.providers.spec import Plugin

NAME = "HostTestExecutionProvider"


@dataclass(frozen=True)
class Options:
    level: int = field(default=1, metadata={"min": 0, "max": 3})
    mode: str = field(default="fast", metadata={"choices": ("fast", "exact")})
    trace: bool = False
    scale: float = 1.0


@kernel("Add", types={"T": NUMBERS})
def add(a, b):
    return a + b


@kernel("Mul", types={"T": NUMBERS})
def mul(a, b):
    return a * b


@kernel("Relu", types={"T": FLOATS})
def relu(x):
    return np.maximum(x, x.dtype.type(0))


@kernel("Exp", types={"T": FLOATS})
def exp(x):
    return np.exp(x)


@kernel("MatMul", types={"T": FLOATS})
def matmul(a, b):
    return np.matmul(a, b)


@kernel("ReduceSum", types={"T": FLOATS})
def reduce_sum(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
    if axes is None and noop_with_empty_axes:
        return x
    return np.sum(x, None if axes is None else tuple(axes), dtype=x.dtype, keepdims=bool(keepdims))


@kernel("Softmax", types={"T": FLOATS})
def softmax(x, *, axis=-1):
    powers = np.exp(x - x.max(axis, keepdims=True, initial=-np.inf))
    return powers / powers.sum(axis, keepdims=True)


@kernel("Identity")
def identity(x):
    return x


@kernel("Transpose")
def transpose(x, *, perm=None):
    return np.transpose(x, perm)


@kernel("Concat")
def concat(*inputs, axis):
    return np.concatenate(inputs, axis)


@kernel("Gather", types={"Tind": NUMBERS})
def gather(x, indices, *, axis=0):
    return np.take(x, indices, axis)


RIGHT = (add, mul, relu, exp, matmul, reduce_sum, softmax, identity, transpose, concat, gather)


def provider_class(*replaced: Any, base: type[KernelProvider] = KernelProvider) -> type[KernelProvider]:
    """A provider of the right kernels, some of them replaced by wrong ones for the same operators."""
    module = ModuleType("test_kernels")
    kernels = {function.__ort_kernels__[0].op_type: function for function in (*RIGHT, *replaced)}
    vars(module).update(kernels)
    return type("TestProvider", (base,), {"kernels": (module,)})


def host_plugin(*replaced: Any, base: type[KernelProvider] = KernelProvider, options: type = Options) -> Plugin:
    """The plugin of such a provider."""
    cls = provider_class(*replaced, base=base)
    members = {
        "name": NAME,
        "api": (1, 0),
        "options": options,
        "create": lambda self, options, env: cls(NAME, options, env),
    }
    return type("TestPlugin", (Plugin,), members)()
