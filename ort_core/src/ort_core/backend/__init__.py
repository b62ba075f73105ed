"""The ONNX backend API."""
