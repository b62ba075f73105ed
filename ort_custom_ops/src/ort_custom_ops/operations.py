"""Operators of the runtime that kernels of libraries call (`CreateOp` and `InvokeOp`): sessions of one node."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from ort_core.errors import NotFound
from ort_core.ir.types import ElementType
from ort_custom_ops import _native

_Signature: TypeAlias = tuple[tuple[int, int] | None, ...]


@functools.cache
def connect_operations() -> None:
    """Lets kernels call operators; done once."""
    _native.set_operation_maker(Operation)


class Operation:
    """One operator with its attributes: a function of arrays. A session is made for each list of input types.

    Raises:
        NotFound: ONNX has no such operator.
    """

    def __init__(self, name: str, domain: str, version: int, attributes: Sequence[_native.Attribute]) -> None:
        from onnx import defs

        self._name, self._domain, self._version = name, "" if domain == "ai.onnx" else domain, version
        self._attributes = attributes
        self._sessions: dict[tuple[_Signature, int], Any] = {}
        self._lock = threading.Lock()
        if self._domain == "" and not defs.has(name, max_inclusive_version=version):
            raise NotFound(f"a kernel wants to call {name} of ONNX version {version}, which has no such operator.")

    def __call__(self, inputs: list[np.ndarray | None], n_outputs: int) -> list[np.ndarray]:
        """The first outputs of the operator."""
        signature = tuple(None if x is None else (int(ElementType.from_dtype(x.dtype)), x.ndim) for x in inputs)
        with self._lock:
            session = self._sessions.get((signature, n_outputs))
            if session is None:
                session = self._sessions[signature, n_outputs] = self._session(signature, n_outputs)
        found: list[np.ndarray] = session.run(None, {f"x{i}": x for i, x in enumerate(inputs) if x is not None})
        return found

    def _session(self, signature: _Signature, n_outputs: int) -> Any:
        from onnx import ValueInfoProto, helper

        from ort_core import InferenceSession, SessionOptions

        names = ["" if given is None else f"x{i}" for i, given in enumerate(signature)]
        values = [
            helper.make_tensor_value_info(f"x{i}", given[0], [None] * given[1])
            for i, given in enumerate(signature)
            if given is not None
        ]
        outputs = [f"y{i}" for i in range(n_outputs)]
        node = helper.make_node(self._name, names, outputs, self._name, domain=self._domain)
        node.attribute.extend(
            helper.make_attribute(name, value, attr_type=kind) for name, kind, value in self._attributes
        )
        graph = helper.make_graph([node], self._name, values, [ValueInfoProto(name=name) for name in outputs])
        opset = helper.make_opsetid(self._domain, self._version)
        options = SessionOptions()
        options.intra_op_num_threads = 1
        model = helper.make_model(graph, opset_imports=[opset], ir_version=10)
        return InferenceSession(model.SerializeToString(), options)
