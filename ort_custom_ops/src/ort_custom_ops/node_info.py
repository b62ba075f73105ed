"""What an operator may know about the node that it computes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ort_core.ir.types import ValueType

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class NodeInfo(NamedTuple):
    """The node, for an operator that has a keyword-only parameter of this type.

    Attributes:
        name: the node's name in the model.
        n_outputs: how many outputs it has.
        input_types: of its inputs; None where it is not known or the input is absent.
        constants: the inputs that are constants, by the parameter's name (`xs_1` for a variadic `xs`).
        config: the session's configuration entries.
    """

    name: str = ""
    n_outputs: int = 1
    input_types: tuple[ValueType | None, ...] = ()
    constants: Mapping[str, Any] = _NOTHING
    config: Mapping[str, str] = _NOTHING
