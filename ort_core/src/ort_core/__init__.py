"""The public API: ONNX Runtime's Python names, resolved on first use."""
