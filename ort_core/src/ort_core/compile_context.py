"""What providers get while they compile: constants, prepacked weights, cancellation."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ort_core.custom_ops.spec import CustomOp, Kernel, KernelRequest
from ort_core.errors import Fail, OrtError, RuntimeException
from ort_core.ir.attributes import SparseWeight
from ort_core.ir.graph import Node, Value
from ort_core.ir.tensors import WeightRef
from ort_core.load.weights import WeightBlocks
from ort_core.progress import UNWATCHED, Progress
from ort_core.providers.spec import SessionEnv
from ort_core.values import RuntimeValue, SparseValue

T = TypeVar("T")


class Context:
    """The `CompileContext` of a session.

    Attributes:
        kernel_error: why a custom operator refused one of the model's nodes, which no provider can change.
    """

    def __init__(
        self, env: SessionEnv, progress: Progress = UNWATCHED, custom: Callable[[Node], CustomOp | None] | None = None
    ) -> None:
        self.env = env
        self.progress = progress
        self._custom = custom
        self.kernel_error: OrtError | None = None
        # Weights are keyed by identity and kept, so that no later weight can have the number of one that is gone.
        self._weights: dict[int, WeightRef] = {}
        self._arrays: weakref.WeakValueDictionary[int, np.ndarray] = weakref.WeakValueDictionary()
        self._prepacked: dict[tuple[int, str], Any] = {}
        self._blocks = WeightBlocks()

    def constant(self, value: Value) -> RuntimeValue:
        """A constant as a host value, read once as long as anybody holds it."""
        const = value.const
        if isinstance(const, WeightRef):
            key = self._key(const)
            array = self._arrays.get(key)
            if array is None:
                array = self._arrays[key] = self._blocks.array(const)
            return array
        if isinstance(const, SparseWeight):
            return SparseValue("coo", const.shape, const.values.array(), (const.indices.array(),))
        raise RuntimeException(f"constant '{value.name}' has no data")

    def read_constant(self, value: Value, target: memoryview, offset: int = 0) -> None:
        """Fills `target` with the stored bytes of a dense constant from `offset` on."""
        if not isinstance(value.const, WeightRef):
            raise RuntimeException(f"constant '{value.name}' has no dense data")
        self._key(value.const)
        value.const.read_into(target, offset)

    def _key(self, weight: WeightRef) -> int:
        if id(weight) not in self._weights:
            self._weights[id(weight)] = weight
            self.progress.advance(weight.nbytes)
        return id(weight)

    def prepack(self, weight: WeightRef, layout: str, make: Callable[[], T]) -> T:
        """`make()`, once for each weight and layout of the session."""
        key = (self._key(weight), layout)
        if key not in self._prepacked:
            self._prepacked[key] = make()
        result: T = self._prepacked[key]
        return result

    def kernel(self, node: Node) -> Kernel:
        """The kernel of a node that calls a custom operator."""
        op = None if self._custom is None else self._custom(node)
        if op is None:
            raise RuntimeException(f"{node.where()} calls no custom operator")
        constants = {i: self.constant(v) for i, v in enumerate(node.inputs) if v is not None and v.is_constant}
        try:
            return op.bind(KernelRequest(node, constants, self.env.config))
        except OrtError as error:
            self.kernel_error = error
            raise
        except Exception as error:
            problem = f"its custom operator could not make a kernel: {type(error).__name__}: {error}"
            self.kernel_error = Fail(f"{node.where()}: {problem}")
            raise self.kernel_error from error

    def check(self) -> None:
        """Raises ModelLoadCanceled when loading is to stop."""
        self.progress.check()
