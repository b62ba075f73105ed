"""The operators of the reference provider: an adapter over `onnx.reference`, and kernels for what it lacks or gets wrong."""

from ort_core.reference_ops.adapter import bind, bind_kernel, evaluate, supports

__all__ = ["bind", "bind_kernel", "evaluate", "supports"]
