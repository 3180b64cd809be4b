//! The update rules, with PyTorch's meaning and defaults.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer, SgdConfig};
use serde::{Deserialize, Serialize};

use crate::Error;

/// PyTorch's ε; Burn's default is 1e-5.
const EPSILON: f32 = 1e-8;

/// An update rule.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Stochastic gradient descent:
    /// v ← momentum·v + g, w ← w - lr·v.
    Sgd(#[serde(default)] Sgd),
    /// Adam (Kingma and Ba, 2015), β = (0.9, 0.999), ε = 1e-8; weight decay is
    /// added to the gradient.
    Adam(#[serde(default)] Decay),
    /// AdamW (Loshchilov and Hutter, 2019): Adam with decoupled weight decay.
    AdamW(#[serde(default)] Decay),
}

/// Settings of `sgd`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sgd {
    /// Part of the last step that is kept, in [0, 1).
    pub momentum: f64,
    /// L2 penalty added to the gradient.
    pub weight_decay: f64,
}

/// Settings of `adam` and `adamw`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decay {
    /// Weight decay.
    pub weight_decay: f64,
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::Adam(Decay::default())
    }
}

impl Optimizer {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let (momentum, weight_decay) = match self {
            Self::Sgd(sgd) => (sgd.momentum, sgd.weight_decay),
            Self::Adam(decay) | Self::AdamW(decay) => (0.0, decay.weight_decay),
        };
        let problem = if !(0.0..1.0).contains(&momentum) {
            format!("momentum {momentum} is not in [0, 1)")
        } else if !(weight_decay >= 0.0 && weight_decay.is_finite()) {
            format!("weight_decay {weight_decay} is not zero or more")
        } else {
            return Ok(());
        };
        Err(Error::Setting {
            setting: "optimizer",
            problem,
        })
    }

    pub(crate) fn init(&self) -> ModuleOptimizer {
        match self {
            Self::Sgd(sgd) => SgdConfig::new()
                .with_momentum((sgd.momentum > 0.0).then(|| {
                    MomentumConfig::new()
                        .with_momentum(sgd.momentum)
                        .with_dampening(0.0)
                }))
                .with_weight_decay(penalty(sgd.weight_decay))
                .init(),
            Self::Adam(decay) => AdamConfig::new()
                .with_epsilon(EPSILON)
                .with_weight_decay(penalty(decay.weight_decay))
                .init(),
            Self::AdamW(decay) => AdamWConfig::new()
                .with_epsilon(EPSILON)
                .with_weight_decay(decay.weight_decay as f32)
                .init(),
        }
    }
}

fn penalty(weight_decay: f64) -> Option<WeightDecayConfig> {
    (weight_decay > 0.0).then(|| WeightDecayConfig::new(weight_decay as f32))
}
