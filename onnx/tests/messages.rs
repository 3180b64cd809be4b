//! The messages against a file that the official `onnx` package wrote with
//! every field set (`fixtures/every-field.py`).
#![allow(clippy::unwrap_used)]

use onnx::{decode, encode};

const EVERY_FIELD: &[u8] = include_bytes!("fixtures/every-field.onnx");

#[test]
fn every_field_is_read_as_the_official_package_wrote_it() {
    insta::assert_debug_snapshot!(decode(EVERY_FIELD).unwrap());
}

#[test]
fn every_field_is_written_as_it_was_read() {
    let model = decode(EVERY_FIELD).unwrap();
    let bytes = encode(&model);
    assert_eq!(decode(&bytes).unwrap(), model);
    assert_eq!(encode(&decode(&bytes).unwrap()), bytes);
}
