"""The host of ONNX Runtime's libraries of custom operators."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, final

import numpy as np

Type: TypeAlias = tuple[Any, ...] | None
"""`("tensor", element, dims or None)`, `("sparse_tensor", element, dims)`, `("sequence", type)`, `("optional", type)` or
`("map", value type, key)`. Elements are numbers of onnx.TensorProto; a dim is a size, a symbol or None."""

Port: TypeAlias = tuple[str, Type, np.ndarray | None]
"""Name (empty: the node leaves it out), type, and the tensor if it is a constant."""

Attribute: TypeAlias = tuple[str, int, Any]
"""Name, kind as onnx.AttributeProto numbers it, value: strings as bytes, tensors as arrays."""

Node: TypeAlias = tuple[str, str, str, int, Sequence[Port], Sequence[Port], Sequence[Attribute], Mapping[str, str]]
"""Name, operator, domain, version, inputs, outputs, attributes, configuration entries of the session."""

newest_api: int

@final
class Kernel:
    """The kernel of one node."""

    @property
    def native(self) -> int: ...
    def __call__(self, *inputs: Any) -> Any: ...

@final
class Operator:
    """An operator of a library, as its callbacks declare it."""

    @property
    def domain(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def start_version(self) -> int: ...
    @property
    def end_version(self) -> int: ...
    @property
    def version(self) -> int: ...
    @property
    def infers_shapes(self) -> bool: ...
    @property
    def inputs(self) -> list[tuple[int, int]]: ...
    @property
    def outputs(self) -> list[tuple[int, int]]: ...
    @property
    def variadic_inputs(self) -> tuple[int, bool]: ...
    @property
    def variadic_outputs(self) -> tuple[int, bool]: ...
    def kernel(self, node: Node, where: str) -> Kernel: ...
    def infer(
        self, inputs: Sequence[Type], outputs: Sequence[Type], attributes: Sequence[Attribute], where: str
    ) -> list[tuple[int, tuple[int | str | None, ...] | None]]: ...

def load(path: str, config: dict[str, str]) -> list[Operator]: ...
def offered_slots() -> list[tuple[int, str]]: ...
def set_logger(write: Callable[[int, str], None], severity: Callable[[], int]) -> None: ...
def set_operation_maker(
    make: Callable[[str, str, int, list[Attribute]], Callable[[list[np.ndarray | None], int], list[np.ndarray]]],
) -> None: ...
def set_foreign_search(search: Callable[[], None]) -> None: ...
