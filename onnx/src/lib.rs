//! The ONNX wire format: its messages, and reading and writing them safely.
//!
//! [`read`] trusts nothing: a file that is too large, cut short, no model at
//! all, or whose tensors do not hold what their shapes say is refused with the
//! place and the reason, before anything else sees it. Tensors in other files are
//! read by [`read_with_external_data`] alone.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod check;
mod digest;
mod error;
mod external;
pub mod proto;
mod read;
mod runner;
mod wire;
mod write;

pub use digest::{NotRaw, initializers_digest};
pub use error::{Error, ExternalProblem, Invalid, InvalidTensor};
pub use external::write_external;
pub use prost::bytes::Bytes;
pub use read::{MAX_BYTES, decode, read, read_with_bytes, read_with_external_data};
pub use runner::{Runner, RunnerError};
pub use wire::{Malformed, Problem};
pub use write::{encode, write};
