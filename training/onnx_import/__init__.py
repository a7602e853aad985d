"""Encoders from outside: strangers' ONNX graphs, checked and wrapped so that they keep the encoder contract."""
