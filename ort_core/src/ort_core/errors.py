"""The exception tree, under ONNX Runtime's class names.

::

    OrtError
    |-- Fail                     anything that has no class of its own
    |-- InvalidArgument          bad feed, option or call (also a ValueError)
    |-- NoSuchFile               model or data file missing (also a FileNotFoundError)
    |-- NoModel                  nothing to load
    |-- InvalidProtobuf          the bytes are not an ONNX model
    |-- InvalidGraph             the model breaks ONNX's rules
    |   `-- LimitExceeded        the model breaks a limit of the session
    |-- NotImplemented           no provider has a kernel (also a NotImplementedError)
    |-- ModelLoaded, ModelRequiresCompilation
    |-- ModelLoadCanceled        creating a session was stopped
    |   `-- LoadTimeout          it took too long (also a TimeoutError)
    |-- NotFound                 a named thing does not exist (also a KeyError)
    |-- EngineError, EPFail      an execution provider failed
    |   `-- DeviceReset
    `-- RuntimeException         a kernel failed while running (also a RuntimeError)
        `-- OutOfMemory          an allocation or cap was exceeded (also a MemoryError)

Every message says what, where, got versus expected, and the remedy.
"""

from __future__ import annotations


class OrtError(Exception):
    """Base of every exception that this package raises on purpose."""

    def __str__(self) -> str:
        return str(self.args[0]) if len(self.args) == 1 else super().__str__()


class Fail(OrtError):
    """Generic failure."""


class InvalidArgument(OrtError, ValueError):
    """A feed, an option or an argument is wrong."""


class NoSuchFile(OrtError, FileNotFoundError):
    """A model or data file does not exist."""


class NoModel(OrtError):
    """There is no model to work on."""


class InvalidProtobuf(OrtError):
    """The bytes do not parse as an ONNX model."""


class InvalidGraph(OrtError):
    """The model parses but breaks ONNX's rules."""


class LimitExceeded(InvalidGraph):
    """The model is larger or uses other operators than `SessionOptions.limits` allows."""


class NotImplemented(OrtError, NotImplementedError):  # noqa: A001 - onnxruntime's name
    """No execution provider implements a node."""


class NotFound(OrtError, KeyError):
    """A named thing does not exist."""


class ModelLoaded(OrtError):
    """The session already holds a model."""


class ModelLoadCanceled(OrtError):
    """Loading was cancelled through `SessionOptions.set_load_cancellation_flag`."""


class LoadTimeout(ModelLoadCanceled, TimeoutError):
    """Creating a session took longer than `SessionOptions.limits` allows."""


class ModelRequiresCompilation(OrtError):
    """The model must be compiled before it can run."""


class EngineError(OrtError):
    """An execution provider's engine failed."""


class EPFail(OrtError):
    """An execution provider failed.

    Attributes:
        provider: its name, where it is known.
    """

    provider: str = ""


class DeviceReset(EPFail):
    """The device was lost."""


class RuntimeException(OrtError, RuntimeError):
    """A node failed while the model was running."""


class OutOfMemory(RuntimeException, MemoryError):
    """An allocation failed or would exceed a cap."""
