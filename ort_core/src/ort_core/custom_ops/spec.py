"""The protocol of custom operators: what a package that brings operators implements.

A `CustomOp` is one overload of one operator; it lives with the process. A `Kernel` is the operator with the attributes of one
node; it lives with a session and may be called from several threads at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ort_core.ir.graph import Node
    from ort_core.ir.types import ValueType
    from ort_core.values import RuntimeValue


class Kernel(NamedTuple):
    """The kernel of one node.

    Attributes:
        fn: called as `fn(*inputs)` with host values (C-contiguous arrays; object arrays of str for strings; lists for
            sequences; None for absent inputs); returns one value, or a tuple with one per output of the node.
        native: the address of an `OrtCoreKernel` (see `native_kernel.h`) that does the same without Python, or None. It is
            valid as long as `fn` is.
    """

    fn: Callable[..., Any]
    native: int | None = None


class KernelRequest(NamedTuple):
    """What a kernel is made from.

    Attributes:
        node: with the types of its inputs and outputs as far as they are known.
        constants: of the inputs that are constants, by their index.
        config: the session's configuration entries.
    """

    node: Node
    constants: Mapping[int, RuntimeValue]
    config: Mapping[str, str]


class CustomOp(ABC):
    """One overload of a custom operator.

    Attributes:
        domain, name: what nodes call it; `""` is ONNX's own domain.
        since_version, end_version: the versions of the domain's operator set in which it exists; no end is None.
        device_type: where its kernel computes: `cpu`, or the device type of a provider.
        has_native: whether its kernels have a native entry.
    """

    domain: str
    name: str
    since_version: int = 1
    end_version: int | None = None
    device_type: str = "cpu"
    has_native: bool = False

    @abstractmethod
    def decline_reason(self, node: Node, types: Sequence[ValueType | None]) -> str | None:
        """Why `node` is no call of this overload (number of inputs and outputs, attributes, `types` of the inputs as far as
        they are known); None if it is one.
        """

    @abstractmethod
    def infer(self, node: Node, types: Sequence[ValueType | None]) -> Sequence[ValueType | None]:
        """The types of the outputs from those of the inputs; None for what is not known.

        Raises:
            InvalidGraph: the inputs do not fit.
        """

    @abstractmethod
    def bind(self, request: KernelRequest) -> Kernel:
        """The kernel of one node; called once for each node of a session.

        Raises:
            OrtError: the node's attributes are refused.
        """
