"""External data of a model that is only looked at: what each tensor refers to, and what is wrong with it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ort_core.errors import Fail, OrtError
from ort_core.ir.proto_types import read_entries
from ort_core.ir.tensors import WeightRef, packed_size_bytes
from ort_core.ir.types import ElementType
from ort_core.load.external_data import ExternalData

if TYPE_CHECKING:
    import onnx


@dataclass(slots=True)
class DataFile:
    """A file that holds tensors of the model.

    Attributes:
        location: as the model spells it; empty for the model's own file.
        tensors, tensor_bytes: what the model has in it.
        file_bytes: its size; None if it cannot be read.
        problem: why the first of its tensors cannot be read; empty if all can.
    """

    location: str
    tensors: int = 0
    tensor_bytes: int = 0
    file_bytes: int | None = None
    problem: str = ""


class MissingWeight(WeightRef):
    """A tensor whose data cannot be read."""

    __slots__ = ("element", "nbytes", "problem", "shape")

    def __init__(self, element: ElementType, shape: tuple[int, ...], problem: str) -> None:
        self.element, self.shape, self.problem = element, shape, problem
        self.nbytes = packed_size_bytes(element, shape)

    def array(self) -> np.ndarray:
        """Raises Fail with the problem."""
        raise Fail(self.problem)

    def view(self) -> memoryview:
        """Raises Fail with the problem."""
        return self.array().data

    def read_into(self, dst: memoryview, offset: int = 0) -> None:
        """Raises Fail with the problem."""
        dst[:] = self.view()


@dataclass(slots=True)
class ExternalFiles:
    """Resolves the external tensors of a model and keeps account of their files; what cannot be resolved is no error.

    Attributes:
        files: by location.
        locations: the location of each resolved tensor.
    """

    model_path: str
    files: dict[str, DataFile] = field(default_factory=dict)
    locations: dict[WeightRef, str] = field(default_factory=dict)
    _data: ExternalData = field(init=False)

    def __post_init__(self) -> None:
        self._data = ExternalData(self.model_path)

    def weight(self, proto: onnx.TensorProto, element: ElementType, shape: tuple[int, ...], where: str) -> WeightRef:
        """The tensor, or a `MissingWeight`."""
        location = read_entries(proto.external_data).get("location", "")
        file = self.files.setdefault(location, DataFile(location))
        try:
            weight = self._data.weight(proto, element, shape, where)
            if file.file_bytes is None:
                file.file_bytes = os.path.getsize(os.path.join(os.path.dirname(self.model_path), location))
        except (OrtError, OSError) as error:
            weight = MissingWeight(element, shape, str(error))
            file.problem = file.problem or str(error)
        self.locations[weight] = location
        return weight
