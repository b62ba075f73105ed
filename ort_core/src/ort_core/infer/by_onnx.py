"""Inference by `onnx.shape_inference` on a reduced model, again and again while shape arithmetic gives it more to go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ort_core.infer.custom import CustomInference, CustomRun
from ort_core.infer.failures import explain_failure, infer_leniently, run_onnx
from ort_core.infer.skeleton import Skeleton
from ort_core.ir.graph import Model, Node, Value
from ort_core.ir.types import ValueType
from ort_core.log import logger_of

logger = logger_of("ort_core.infer")


class OnnxInference:
    """The inference of one model.

    Args:
        is_custom: whether a node's types come from `custom`.
    """

    def __init__(self, model: Model, is_custom: Callable[[Node], bool], custom: CustomInference) -> None:
        self._model = model
        self._is_custom = is_custom
        self._custom = custom
        self._skeleton = Skeleton(model, is_custom)

    def run(self, *, check: bool) -> dict[Value, ValueType]:
        """The types that can be told.

        Args:
            check: raise for nodes that do not fit their inputs.

        Raises:
            InvalidGraph, Fail: a node does not fit.
        """
        run = CustomRun(self._skeleton.custom, self._custom)
        with run:
            try:
                found = self._skeleton.read(run_onnx(self._skeleton, strict=True))
            except Exception as error:
                if check and run.error is None:
                    found = explain_failure(self._model, self._is_custom, self._custom, error)
                else:
                    logger.debug("inference falls back to what it can tell: %s", error)
                    found = infer_leniently(self._skeleton)
        if check and run.error is not None:
            raise run.error
        return found

    def hint(self, types: Mapping[Value, ValueType]) -> None:
        """Tells the next run what is known of values that nodes compute."""
        self._skeleton.hint(types)
