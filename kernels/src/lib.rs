//! Fused CPU kernels for training, attached through the extension API of Burn.
//!
//! [`conv2d_block`] computes a convolution with what usually follows it (bias, ReLU, 2×2
//! max-pooling) in one pass, forward and backward, several times faster than the separate
//! operations of Burn's `flex` backend. On every other device, and while a graph is captured, it
//! is the separate operations.
//!
//! This is the one crate that may use `unsafe`: for vector instructions, in `tile` and in the
//! dispatch by instruction set, behind checked slices.

#![allow(unsafe_code)]

mod attach;
mod backward;
mod block;
mod convolution;
mod dense;
mod forward;
mod geometry;
mod isa;
mod lanes;
mod pack;
mod patch;
#[cfg(test)]
mod reference;
mod region;
mod scratch;
mod sparse;
mod switch;
#[cfg(test)]
mod tests;
mod tile;
mod transpose;

pub use block::{Conv2dBlock, conv2d_block};
pub use switch::{enabled, fused_calls, set_enabled};
