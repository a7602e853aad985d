"""Encoders: the contract of the ONNX file, the MLflow registry, and training in a process of its own."""
