//! What `exporter` writes answers in ONNX Runtime as the module does in Burn.
//!
//! Each case is exported at several operator sets and run at sizes that were
//! not recorded, on random inputs.

#![allow(clippy::unwrap_used)]

mod attention;
mod convolutions;
mod elementwise;
mod files;
mod integers;
mod networks;
mod normalizations;
mod pools;
mod precision;
mod random_shapes;
mod recurrent;
mod reductions;
mod resampling;
mod shapes;
