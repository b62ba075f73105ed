"""Kernels that take the place of `onnx.reference` where that is wrong, incomplete or takes seconds, one family a module."""
