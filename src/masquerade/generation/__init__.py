"""The networks at work: each module wraps one ONNX session, numpy in, numpy out."""
