//! Fused CPU kernels for training, attached through the extension API of Burn.
