//! Turns the captured graph of any Burn module into ONNX.
