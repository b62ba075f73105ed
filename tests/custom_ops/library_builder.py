"""Compiles the libraries of these tests and makes nodes that call their operators."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ort_custom_ops._native")
if shutil.which("g++") is None:
    pytest.skip("there is no C++ compiler", allow_module_level=True)

from ort_core.custom_ops.spec import CustomOp, Kernel, KernelRequest
from ort_core.ir.attributes import Attribute, AttributeKind
from ort_core.ir.graph import Node, Value
from ort_core.ir.tensors import ArrayWeight
from ort_core.ir.types import ElementType, SequenceType, TensorType
from ort_core.values import type_of
from ort_custom_ops.library import load_library

SOURCES = Path(__file__).parent / "libraries"


@functools.cache
def folder() -> Path:
    """Where the libraries of this process are."""
    made = tempfile.TemporaryDirectory(prefix="ort-custom-ops-")
    folder.keep = made  # type: ignore[attr-defined]
    return Path(made.name)


@functools.cache
def build(source: str, name: str, *options: str) -> str:
    """The path of a library that is compiled from one file."""
    target = folder() / f"lib{name}.so"
    command = ["g++", "-std=c++20", "-O1", "-shared", "-fPIC", "-o", str(target), str(SOURCES / source), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return str(target)


@functools.cache
def zoo() -> tuple[CustomOp, ...]:
    """The operators of `zoo.cpp`."""
    return tuple(load_library(build("zoo.cpp", "zoo")))


def op_of(name: str, which: int = 0) -> CustomOp:
    """An operator of the zoo."""
    return [op for op in zoo() if op.name == name][which]


_KINDS = {float: AttributeKind.FLOAT, int: AttributeKind.INT, str: AttributeKind.STRING}
_LISTS = {float: AttributeKind.FLOATS, int: AttributeKind.INTS, str: AttributeKind.STRINGS}


def attribute(value: Any) -> Attribute:
    """An attribute of the kind that a Python value stands for."""
    if isinstance(value, np.ndarray):
        return Attribute(AttributeKind.TENSOR, ArrayWeight(value))
    plain = [v.encode() if isinstance(v, str) else v for v in (value if isinstance(value, list) else [value])]
    if isinstance(value, list):
        return Attribute(_LISTS[type(value[0])], tuple(plain))
    return Attribute(_KINDS[type(value)], plain[0])


def node_of(
    op: str,
    inputs: Sequence[Any],
    outputs: int | Sequence[bool] = 1,
    attributes: Mapping[str, Any] | None = None,
    output_types: Sequence[ElementType | None] = (),
) -> Node:
    """A node; inputs are arrays or types (None: left out), outputs are counted or told apart by being there."""
    types = [x if x is None or isinstance(x, TensorType | SequenceType) else type_of(x) for x in inputs]
    present = [True] * outputs if isinstance(outputs, int) else outputs
    made = [Value(f"y{i}") if there else None for i, there in enumerate(present)]
    for value, element in zip(made, output_types, strict=False):
        if value is not None and element is not None:
            value.type = TensorType(element)
    return Node(
        op,
        [None if t is None else Value(f"x{i}", t) for i, t in enumerate(types)],
        made,
        {name: attribute(value) for name, value in (attributes or {}).items()},
        domain="zoo",
        name="the_node",
    )


def bind(node: Node, which: int = 0, **request: Any) -> Kernel:
    """The kernel of a node of the zoo."""
    return op_of(node.op_type, which).bind(KernelRequest(node, request.get("constants", {}), request.get("config", {})))


def run(op: str, *inputs: Any, outputs: int | Sequence[bool] = 1, **attributes: Any) -> Any:
    """Calls an operator of the zoo once."""
    return bind(node_of(op, inputs, outputs, attributes)).fn(*inputs)
