//! The ONNX wire format: its messages, and reading and writing them safely.
