"""`OnnxRuntimeBackendRep`: a session behind the interface of `onnx.backend.base.BackendRep`."""

from __future__ import annotations

from typing import Any

from onnx.backend.base import BackendRep

from ort_core.backend.settings import RUN_OPTIONS, apply_settings
from ort_core.errors import InvalidArgument
from ort_core.options import RunOptions
from ort_core.session import InferenceSession


class OnnxRuntimeBackendRep(BackendRep):
    """A model that is ready to run with inputs given by position.

    Args:
        session: runs the model.
    """

    def __init__(self, session: InferenceSession) -> None:
        self._session = session

    def run(self, inputs: Any, **kwargs: Any) -> Any:
        """Computes all outputs.

        Args:
            inputs: a list or tuple of one value for each input of the model, or the value itself if there is one input. A
                sequence, which is a list itself, is put into a list.
            kwargs: attributes of `RunOptions`, of which the harmless ones are taken; unknown names are ignored.

        Returns:
            The list of outputs, as `InferenceSession.run` gives it.

        Raises:
            InvalidArgument: there are more values than inputs, or `InferenceSession.run` refuses one.
            RuntimeException: an attribute of `RunOptions` that is not to be set here, or a node failed.
        """
        options = apply_settings(RunOptions(), kwargs, RUN_OPTIONS)
        names = [i.name for i in self._session.get_inputs()]
        values = inputs if isinstance(inputs, list | tuple) else [inputs]
        if len(values) > len(names):
            raise InvalidArgument(
                f"run got {len(values)} values, the model has {len(names)} inputs: {', '.join(names) or 'none'}. Give one "
                "value for each; put a sequence that is the only input into a list."
            )
        return self._session.run(None, dict(zip(names, values, strict=False)), options)
