//! The ONNX wire format: its messages, and reading and writing them safely.
//!
//! [`read`] trusts nothing: a file that is too large, cut short, no model at
//! all, or whose tensors do not hold what their shapes say is refused with the
//! place and the reason, before anything else sees it.

mod check;
mod error;
pub mod proto;
mod read;
mod runner;
mod wire;

pub use error::{Error, Invalid, InvalidTensor};
pub use prost::bytes::Bytes;
pub use read::{MAX_BYTES, decode, read, read_with_bytes};
pub use runner::{Runner, RunnerError};
pub use wire::{Malformed, Problem};

use std::path::Path;

use prost::Message;
use proto::ModelProto;

/// The bytes of `model`; equal models give equal bytes.
pub fn encode(model: &ModelProto) -> Vec<u8> {
    model.encode_to_vec()
}

/// Writes `model` to `path`, whole or not at all.
///
/// # Errors
///
/// When the model is larger than a protobuf message may be, or the file cannot
/// be written.
pub fn write(path: &Path, model: &ModelProto) -> Result<(), Error> {
    let bytes = model.encoded_len() as u64;
    if bytes > MAX_BYTES {
        return Err(Error::invalid(path)(Invalid::TooLarge { bytes }));
    }
    Ok(artifact::write_bytes(path, &encode(model))?)
}
