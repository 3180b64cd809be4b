//! Turns any Burn module into ONNX, from the graph that its `forward` records.
//!
//! ```
//! use burn::module::Module;
//! use burn::nn::{Linear, LinearConfig};
//! use burn::tensor::{Device, Tensor};
//! use exporter::{Exporter, dims};
//!
//! # fn main() -> Result<(), exporter::ExportError> {
//! let layer: Linear = LinearConfig::new(4, 2).init(&Device::default());
//! let model = Exporter::new()
//!     .input("x", dims!["batch", 4])
//!     .output("y")
//!     .export(&layer, |layer, x: Tensor<2>| layer.forward(x))?;
//! assert_eq!(model.summary().operators["Gemm"], 1);
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("linear.onnx");
//! model.save(path)?;
//! # Ok(())
//! # }
//! ```
//!
//! What `forward` takes and returns may be tensors of floats, integers or
//! booleans of any rank, or tuples of them; an [`Exporter`] names them in order.
//! A string among [`dims!`] is a size that the model's user chooses, and equal
//! strings are equal sizes.
//!
//! # What is refused
//!
//! `forward` is recorded with several sizes, without computing anything. It must
//! not read computed values back, loop over a symbolic size or branch on it, or
//! have operations that ONNX cannot express: [`ExportError`] says where, and lists
//! all operations at fault. `SUPPORTED_OPS.md`, beside this crate's sources, has
//! every operation of Burn with what it becomes.
//!
//! # Proof
//!
//! [`OnnxModel::verify`] compares the model with its module on random inputs, at
//! sizes that were never recorded, in any engine that implements [`Runner`].
//!
//! # How it works
//!
//! The stages, a module each: `capture` records `forward` at several sizes,
//! `resolve` aligns the recordings and explains every size that differs,
//! `lower` turns each operation into nodes, `rewrite` makes these fewer, and
//! `emit` builds the messages.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod boundary;
mod capture;
mod dead;
mod describe;
mod emit;
mod error;
mod exporter;
mod extent;
mod graph;
mod half;
mod linear;
mod lower;
mod model;
mod name;
mod node;
mod opset;
mod recurrence;
mod resolve;
mod rewrite;
mod sample;
mod scope;
mod spec;
mod tensor;
mod verify;
mod weights;

pub use boundary::{Inputs, Outputs};
pub use error::{ExportError, UnsupportedOperation};
pub use exporter::Exporter;
pub use model::{OnnxModel, Summary, Warning};
pub use onnx::{Runner, RunnerError};
pub use opset::Opset;
pub use spec::Dim;
pub use verify::{Difference, Extreme, Samples, Verification, VerifyError};

/// The README's example, which is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadMe;
