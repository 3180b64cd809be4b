//! Networks described as YAML, turned into one Burn module.
//!
//! A [`ModelSpec`] is the list of layers as written; [`ModelSpec::resolve`]
//! infers every shape and names every layer, giving an [`Architecture`];
//! [`Architecture::init`] makes the [`Network`], a Burn module whose
//! parameters are named as PyTorch names them (`conv1.weight`).
//!
//! ```
//! let spec = models::built_in("lenet5").expect("a built-in network");
//! let architecture = spec.resolve([1, 28, 28])?;
//! assert_eq!(architecture.parameters(), 44_426);
//! # Ok::<(), models::ShapeError>(())
//! ```
//!
//! This crate says what a network is, and not how it is trained.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod architecture;
mod block;
mod layer;
pub mod named;
mod network;
pub mod schema;
mod shape;
mod spec;
mod summary;
mod zoo;

pub use architecture::{Architecture, ResolvedLayer, ShapeError};
pub use network::Network;
pub use shape::Shape;
pub use spec::{
    BatchNorm, Conv2d, Dropout, LayerSpec, LeakyRelu, Linear, ModelSpec, Padding, Pair, Pool,
    Residual,
};
pub use summary::{Cost, LayerSummary, Summary};
pub use zoo::{BUILT_IN, BuiltIn, built_in};
