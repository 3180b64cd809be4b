//! The names of layers.

use std::collections::HashSet;

use serde_saphyr::Spanned;

use crate::LayerSpec;

/// Names of one list of layers: as given, else counted by kind.
pub(super) struct Names<'a> {
    given: HashSet<&'a str>,
    used: HashSet<String>,
}

impl<'a> Names<'a> {
    pub(super) fn reserving(specs: &'a [Spanned<LayerSpec>]) -> Self {
        Self {
            given: specs.iter().filter_map(|spec| spec.value.name()).collect(),
            used: HashSet::new(),
        }
    }

    /// The layer's name, or `Err` with it where another layer has it.
    pub(super) fn of(&mut self, spec: &LayerSpec) -> Result<String, String> {
        let name = match spec.name() {
            Some(name) => name.to_owned(),
            None => self.next(spec.stem()),
        };
        if self.used.insert(name.clone()) {
            Ok(name)
        } else {
            Err(name)
        }
    }

    fn next(&self, stem: &str) -> String {
        (1..)
            .map(|number| format!("{stem}{number}"))
            .find(|name| !self.given.contains(name.as_str()) && !self.used.contains(name))
            .unwrap_or_default()
    }
}

impl LayerSpec {
    /// The name as given.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Conv2d(conv) => conv.name.as_deref(),
            Self::BatchNorm(norm) => norm.as_ref()?.name.as_deref(),
            Self::Linear(linear) => linear.name.as_deref(),
            Self::Residual(residual) => residual.name.as_deref(),
            Self::Relu
            | Self::Gelu
            | Self::LeakyRelu(_)
            | Self::MaxPool(_)
            | Self::AvgPool(_)
            | Self::GlobalAvgPool
            | Self::Dropout(_)
            | Self::Flatten => None,
        }
    }

    /// What a name of this kind of layer begins with, by PyTorch's habit.
    fn stem(&self) -> &'static str {
        match self {
            Self::Conv2d(_) => "conv",
            Self::BatchNorm(_) => "bn",
            Self::Relu => "relu",
            Self::Gelu => "gelu",
            Self::LeakyRelu(_) => "leaky_relu",
            Self::MaxPool(_) | Self::AvgPool(_) => "pool",
            Self::GlobalAvgPool => "global_pool",
            Self::Dropout(_) => "dropout",
            Self::Flatten => "flatten",
            Self::Linear(_) => "fc",
            Self::Residual(_) => "res",
        }
    }
}
