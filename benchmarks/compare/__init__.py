"""The same model on this project, onnxruntime and OpenVINO, in turns on one machine: `python -m benchmarks.compare`."""
