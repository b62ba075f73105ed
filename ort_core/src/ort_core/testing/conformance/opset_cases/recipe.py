"""How the written cases are made: an operator with its inputs and attributes, declared at any opset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_OLDEST_IR_VERSION = 8

_ONNX_OPSET = 17
"""What models of other domains import of ONNX's own."""

_ELEMENTS = {str: TensorProto.STRING, int: TensorProto.INT64, float: TensorProto.FLOAT}
"""The element types of maps."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """A model of one node for several opsets.

    Attributes:
        opsets: what the models import of the operator's domain.
        inputs: arrays, lists (sequences), dictionaries (maps), or None where an input is left out.
        constants: which inputs are initializers.
        expected: what the definition of the operator gives, where onnxruntime does not say; one value per output.
        random: only types and shapes of the results are defined.
    """

    op: str
    opsets: tuple[int, ...]
    inputs: tuple[Any, ...]
    attributes: dict[str, Any]
    outputs: tuple[str, ...]
    constants: tuple[int, ...]
    domain: str
    expected: Sequence[Any] | None
    random: bool
    note: str

    def label(self, opset: int) -> str:
        """A name that tells this case from all others."""
        return "-".join(filter(None, (self.op, str(opset), self.note)))

    def model(self, opset: int, *, typed: bool = True) -> tuple[onnx.ModelProto, dict[str, Any]]:
        """The model and its feeds; not `typed`, the node reads the feeds through Identity, so that no type is known."""
        names, infos, nodes, initializers, feeds = [], [], [], [], {}
        for index, value in enumerate(self.inputs):
            name = "" if value is None else f"x{index}"
            if value is not None and index in self.constants:
                initializers.append(numpy_helper.from_array(np.asarray(value), name))
            elif value is not None:
                feeds[name] = value if isinstance(value, (list, dict)) else np.asarray(value)
                infos.append(helper.make_value_info(name, _type_proto(feeds[name])))
                if not typed:
                    nodes.append(helper.make_node("Identity", [name], [f"{name}_copy"]))
                    name += "_copy"
            names.append(name)
        nodes.append(helper.make_node(self.op, names, self.outputs, "the_node", domain=self.domain, **self.attributes))
        results = [onnx.ValueInfoProto(name=name) for name in self.outputs if name]
        graph = helper.make_graph(nodes, "case", infos, results, initializers)
        imports = [helper.make_opsetid(self.domain, opset)]
        if self.domain:
            imports.append(helper.make_opsetid("", _ONNX_OPSET))
        return helper.make_model(graph, opset_imports=imports, ir_version=ir_version(imports)), feeds


def case(
    op: str,
    opsets: int | tuple[int, ...],
    *inputs: Any,
    out: str = "y",
    constants: tuple[int, ...] = (),
    domain: str = "",
    expected: Sequence[Any] | None = None,
    random: bool = False,
    note: str = "",
    **attributes: Any,
) -> Recipe:
    """A recipe; `out` names the outputs, ONNX attributes are keyword arguments."""
    versions = (opsets,) if isinstance(opsets, int) else opsets
    return Recipe(op, versions, inputs, attributes, tuple(out.split()), constants, domain, expected, random, note)


def ir_version(imports: Sequence[onnx.OperatorSetIdProto]) -> int:
    """The oldest version of the file format, from the one on with initializers apart from inputs, for some opsets."""
    return max(_OLDEST_IR_VERSION, helper.find_min_ir_version_for(imports, ignore_unknown=True))


def _type_proto(value: Any) -> onnx.TypeProto:
    if isinstance(value, list):
        return helper.make_sequence_type_proto(helper.make_tensor_type_proto(_element(value[0]), None))
    if isinstance(value, dict):
        key, item = (_ELEMENTS[type(part)] for part in next(iter(value.items())))
        return helper.make_map_type_proto(key, helper.make_tensor_type_proto(item, ()))
    return helper.make_tensor_type_proto(_element(value), value.shape)


def _element(array: np.ndarray) -> int:
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(object) if array.dtype.kind == "U" else array.dtype))
