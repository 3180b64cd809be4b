//! Evaluates ONNX classifiers through ONNX Runtime.
