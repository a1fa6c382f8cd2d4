"""Encoders as other programs read them: ONNX graphs, sentence-transformers folders."""
