//! Fused CPU kernels for training, attached through the extension API of Burn.
//!
//! [`conv2d_block`] computes a convolution with what usually follows it (bias, ReLU, 2×2
//! max-pooling) in one pass, forward and backward, several times faster than the separate
//! operations of Burn's `flex` backend. On every other device, and while a graph is captured, it
//! is the separate operations. [`batch_norm_train`] and [`linear`] are batch normalisation and a
//! linear layer with ReLU in the same way, [`max_pool`] and [`avg_pool`] pooling that stands by
//! itself, and [`cross_entropy`] the loss. [`SgdStep`] and
//! [`AdamStep`] update weights in place.
//!
//! Results don't depend on the number of threads, to the last bit.
//!
//! # Inside
//!
//! - `attach` makes the kernels operations of Burn; `block`, `batch_norm`, `linear`, `pools`
//!   and `cross_entropy` fall back to Burn's own. All else knows slices of `f32` alone: without the
//!   feature `burn` it compiles, with its tests, in seconds.
//! - `forward` and `backward` run a batch in parallel. Square kernels of several channels go
//!   through `winograd`, the others through `convolution`; their gradients are computed by the
//!   method `dense` (convolutions) or, behind max-pooling, `sparse` (only the places that were
//!   picked).
//! - `fully_connected` computes a linear layer, `normalization` a batch normalisation, `pooling`
//!   pooling by itself, `softmax` the loss.
//! - `region` plans a convolution so that zero padding costs nothing but for few channels; `tile`
//!   and `patch` are the arithmetic, written once over `lanes` and compiled for each instruction
//!   set of `isa`.
//! - `pool` finds the largest of each 2×2 window of a convolution; `update` steps the weights.
//! - `pack` and `transpose` bring Burn's planes into pixels and back; `scratch` keeps buffers.
//!
//! This is the one crate that may use `unsafe`: for vector instructions behind checked slices, for
//! aligned buffers and for the settings of the C library's allocator. `kernels/memcheck` and
//! `kernels/sanitize` run its tests under Valgrind and AddressSanitizer, `kernels/aarch64` those of
//! NEON in an emulator.

#![allow(unsafe_code)]
#![cfg_attr(
    not(feature = "burn"),
    allow(dead_code, reason = "only `attach` and tests call the arithmetic")
)]

#[cfg(feature = "burn")]
mod attach;
mod backward;
#[cfg(feature = "burn")]
mod batch_norm;
#[cfg(feature = "burn")]
mod block;
mod convolution;
#[cfg(feature = "burn")]
mod cross_entropy;
mod dense;
mod forward;
mod fully_connected;
mod geometry;
mod gradient;
mod isa;
mod lanes;
#[cfg(feature = "burn")]
mod linear;
mod magnitude;
mod memory;
mod normalization;
mod pack;
mod patch;
mod pool;
mod pooling;
#[cfg(feature = "burn")]
mod pools;
mod reach;
#[cfg(test)]
mod reference;
mod region;
mod scratch;
mod softmax;
mod sparse;
mod switch;
#[cfg(test)]
mod tests;
mod threads;
mod tile;
mod transpose;
mod update;
mod winograd;

#[cfg(feature = "burn")]
pub use attach::update::can_update;
#[cfg(feature = "burn")]
pub use batch_norm::{batch_norm, batch_norm_train};
#[cfg(feature = "burn")]
pub use block::{Conv2dBlock, conv2d_block};
#[cfg(feature = "burn")]
pub use cross_entropy::cross_entropy;
#[cfg(feature = "burn")]
pub use linear::linear;
pub use memory::keep_freed_memory;
pub use pooling::PoolWindow;
#[cfg(feature = "burn")]
pub use pools::{avg_pool, max_pool};
pub use switch::{Operation, enabled, fused_calls, set_enabled};
pub use threads::awake;
pub use update::{AdamStep, SgdStep};
