//! The shape of one sample on its way through a network.

use std::fmt;

/// The shape of one sample, without the batch dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A stack of feature maps.
    Maps {
        /// Number of maps.
        channels: usize,
        /// Rows of each map.
        height: usize,
        /// Columns of each map.
        width: usize,
    },
    /// A vector of this many features.
    Features(usize),
}

impl Shape {
    /// Number of values in one sample.
    pub fn elements(self) -> usize {
        match self {
            Self::Maps {
                channels,
                height,
                width,
            } => channels * height * width,
            Self::Features(features) => features,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Maps {
                channels,
                height,
                width,
            } => write!(f, "{channels}×{height}×{width}"),
            Self::Features(features) => write!(f, "{features}"),
        }
    }
}
