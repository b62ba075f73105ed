"""The operators of the reference provider: an adapter over `onnx.reference`, and kernels for what it lacks or gets wrong."""
