#![no_main]
//! The check of ONNX files: what passes is written and read again.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    if let Ok(model) = onnx::decode(content) {
        let again = onnx::decode(&onnx::encode(&model));
        // Not compared: a NaN is not equal to itself.
        again.expect("it was just written");
    }
});
