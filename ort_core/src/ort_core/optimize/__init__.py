"""Graph optimisation at ONNX Runtime's levels."""
