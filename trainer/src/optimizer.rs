//! The update rules, with PyTorch's meaning. Defaults are PyTorch's, too, but
//! for the weight decay of AdamW: it is 0 here as in the others, and 0.01 there.

mod adaptive;
mod descent;

use burn::optim::ModuleOptimizer;
use models::schema::bare_names;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use self::adaptive::Adaptive;
use self::descent::Descent;
use crate::Error;

/// An update rule.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase", remote = "Self")]
#[schemars(remote = "Optimizer", transform = bare_names(&["sgd", "adam", "adamw"]))]
pub enum Optimizer {
    /// Stochastic gradient descent:
    /// v ← momentum·v + g, w ← w - lr·v.
    Sgd(#[serde(deserialize_with = "or_default")] Sgd),
    /// Adam (Kingma and Ba, 2015), β = (0.9, 0.999), ε = 1e-8; weight decay is
    /// added to the gradient.
    Adam(#[serde(deserialize_with = "or_default")] Decay),
    /// AdamW (Loshchilov and Hutter, 2019): Adam with decoupled weight decay.
    AdamW(#[serde(deserialize_with = "or_default")] Decay),
}

models::named!(Optimizer, "an optimizer");

/// Settings that may be left out: `adam`, as well as `adam: {}`.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Settings of `sgd`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sgd {
    /// Part of the last step that is kept, in [0, 1).
    pub momentum: f64,
    /// L2 penalty added to the gradient.
    pub weight_decay: f64,
}

/// Settings of `adam` and `adamw`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema, Serialize)]
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

    /// The rule for a whole network, without state.
    pub fn init(&self) -> ModuleOptimizer {
        match *self {
            Self::Sgd(sgd) => Descent(sgd).into(),
            Self::Adam(decay) => Adaptive {
                weight_decay: decay.weight_decay,
                decoupled: false,
            }
            .into(),
            Self::AdamW(decay) => Adaptive {
                weight_decay: decay.weight_decay,
                decoupled: true,
            }
            .into(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Mutex;

    use burn::module::Param;
    use burn::optim::GradientsParams;
    use burn::tensor::{Device, Tensor};

    use super::*;

    const RATE: f64 = 0.1;
    const GRADIENTS: [f64; 4] = [0.5, -2.0, 0.25, 3.0];

    /// A weight of 1 after each of the steps down [`GRADIENTS`].
    fn steps(optimizer: Optimizer) -> Vec<f64> {
        let device = Device::flex().autodiff();
        let mut weight = Param::from_tensor(Tensor::<1>::from_data([1.0], &device));
        let mut optimizer = optimizer.init();
        let mut weights = Vec::new();
        for gradient in GRADIENTS {
            let loss = (weight.val() * gradient).sum();
            let gradients = GradientsParams::from_grads(loss.backward(), &weight);
            weight = optimizer.step(RATE, weight, gradients);
            weights.push(f64::from(weight.val().into_scalar::<f32>()));
        }
        weights
    }

    /// Each step in place, and as Burn's own operations.
    #[track_caller]
    fn assert_steps(optimizer: Optimizer, expected: &[f64]) {
        // The switch is the process's: tests that use it take turns.
        static SWITCH: Mutex<()> = Mutex::new(());
        let _turn = SWITCH.lock().unwrap_or_else(|error| error.into_inner());
        for fused in [false, true] {
            kernels::set_enabled(fused);
            let found = steps(optimizer);
            let close = found
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 2e-6);
            assert!(close, "{found:?}, expected {expected:?}, fused: {fused}");
        }
    }

    /// torch.optim.SGD: d = g + λ·w, v = μ·v + d, w = w - η·v.
    #[test]
    fn sgd_steps_as_in_pytorch() {
        for (momentum, weight_decay) in [(0.0, 0.0), (0.9, 0.0), (0.5, 0.01), (0.0, 0.1)] {
            let (mut weight, mut velocity) = (1.0, 0.0);
            let expected = GRADIENTS.map(|gradient| {
                velocity = momentum * velocity + gradient + weight_decay * weight;
                weight -= RATE * velocity;
                weight
            });
            let sgd = Sgd {
                momentum,
                weight_decay,
            };
            assert_steps(Optimizer::Sgd(sgd), &expected);
        }
    }

    /// torch.optim.Adam and AdamW with β = (0.9, 0.999) and ε = 1e-8.
    fn adam(weight_decay: f64, decoupled: bool) -> Vec<f64> {
        let (mut weight, mut first, mut second) = (1.0_f64, 0.0, 0.0);
        let steps = GRADIENTS.iter().zip(1..);
        steps
            .map(|(gradient, step)| {
                let mut gradient = *gradient;
                if decoupled {
                    weight *= 1.0 - RATE * weight_decay;
                } else {
                    gradient += weight_decay * weight;
                }
                first = 0.9 * first + 0.1 * gradient;
                second = 0.999 * second + 0.001 * gradient * gradient;
                let first: f64 = first / (1.0 - 0.9_f64.powi(step));
                let second: f64 = second / (1.0 - 0.999_f64.powi(step));
                weight -= RATE * first / (second.sqrt() + 1e-8);
                weight
            })
            .collect()
    }

    #[test]
    fn adam_steps_as_in_pytorch() {
        for weight_decay in [0.0, 0.1] {
            let expected = adam(weight_decay, false);
            assert_steps(Optimizer::Adam(Decay { weight_decay }), &expected);
        }
    }

    #[test]
    fn adamw_steps_as_in_pytorch() {
        for weight_decay in [0.0, 0.1] {
            let expected = adam(weight_decay, true);
            assert_steps(Optimizer::AdamW(Decay { weight_decay }), &expected);
        }
    }

    #[test]
    fn impossible_values_are_refused() {
        let sgd = |momentum, weight_decay| {
            Optimizer::Sgd(Sgd {
                momentum,
                weight_decay,
            })
        };
        let adam = |weight_decay| Optimizer::Adam(Decay { weight_decay });
        for optimizer in [
            sgd(1.0, 0.0),
            sgd(-0.1, 0.0),
            sgd(f64::NAN, 0.0),
            adam(-1.0),
            adam(f64::INFINITY),
        ] {
            assert!(optimizer.check().is_err(), "{optimizer:?}");
        }
        assert!(sgd(0.0, 0.0).check().is_ok());
    }
}
