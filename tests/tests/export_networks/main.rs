//! Every layer of `burn::nn` by itself, and whole networks: ONNX Runtime's
//! answers differ from Burn's by at most 1e-5 of the largest value, at sizes
//! that were not recorded.

#![allow(clippy::unwrap_used)]

mod autoencoder;
mod causal_decoder;
mod dcgan;
mod encoder;
mod group_norm;
mod layers;
mod mobilenet;
mod recurrent;
mod resnet18;
mod unet;
mod vit;
