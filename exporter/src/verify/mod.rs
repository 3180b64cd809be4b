//! Whether an engine answers as the module does.

mod difference;
mod samples;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::module::Module;
use burn::tensor::{DType, Device, TensorData};
use onnx::{Runner, RunnerError};

pub use difference::{Difference, Extreme};
pub use samples::Samples;

use crate::boundary::{Inputs, Outputs};
use crate::capture::panic_message;
use crate::model::OnnxModel;
use crate::{emit, tensor};

/// How far an engine's answers are off.
#[derive(Clone, Debug, PartialEq)]
pub struct Verification {
    /// In the order of the model's outputs.
    pub outputs: Vec<Difference>,
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.outputs.iter().map(ToString::to_string);
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

/// An engine that does not answer as the module does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// `forward` panicked.
    #[error("`forward` panicked with {sample}: {message}")]
    Panicked {
        /// The sample: sizes and seed.
        sample: String,
        /// The panic's message.
        message: String,
    },
    /// The engine cannot run the model.
    #[error("the engine failed with {sample}")]
    Engine {
        /// The sample: sizes and seed.
        sample: String,
        /// The engine's reason.
        source: RunnerError,
    },
    /// The engine gave another number of outputs.
    #[error("the engine returned {found} outputs, but the model has {expected}")]
    OutputCount {
        /// How many the engine returned.
        found: usize,
        /// How many there are.
        expected: usize,
    },
    /// An output has another shape or element type.
    #[error("output `{output}` is {found} with {sample}, but {expected} in Burn")]
    Type {
        /// The output's name.
        output: String,
        /// The sample: sizes and seed.
        sample: String,
        /// What the engine returned.
        found: String,
        /// What the module returns.
        expected: String,
    },
    /// An element is further off than allowed.
    #[error("the answers differ by more than {tolerance:.1e}\n{verification}")]
    Different {
        /// How far an element may be off.
        tolerance: f64,
        /// How far all outputs are off.
        verification: Verification,
    },
}

impl OnnxModel {
    /// Runs the module in Burn and the model in an engine, on random inputs at
    /// sizes that were never recorded, and compares every element.
    ///
    /// `forward` is the one that was exported.
    ///
    /// # Errors
    ///
    /// When an element is further off than allowed, a shape or a kind differs,
    /// or one of both cannot be run.
    pub fn verify<M, I, O>(
        &self,
        module: &M,
        forward: impl Fn(&M, I) -> O,
        runner: &mut impl Runner,
        samples: &Samples,
    ) -> Result<Verification, VerifyError>
    where
        M: Module,
        I: Inputs,
        O: Outputs,
    {
        let module = module.valid();
        let device = module.devices().into_iter().next().unwrap_or_default();
        let mut verification = self.nothing_compared();
        for sample in samples.draw(self.interface()) {
            let expected = answers(&module, &forward, &sample.data, &device);
            let expected = expected.map_err(|message| VerifyError::Panicked {
                sample: sample.place.clone(),
                message,
            })?;
            let sample = (&sample.data[..], &expected[..], sample.place.as_str());
            self.compare(&mut verification, sample, runner)?;
        }
        accept(verification, samples.allowed())
    }

    /// Runs the model in an engine and compares every element with what is
    /// `expected`, under the same rules as [`Self::verify`].
    ///
    /// # Errors
    ///
    /// As [`Self::verify`].
    pub fn verify_answers(
        &self,
        inputs: &[TensorData],
        expected: &[TensorData],
        runner: &mut impl Runner,
        tolerance: f64,
    ) -> Result<Verification, VerifyError> {
        let mut verification = self.nothing_compared();
        let sample = (inputs, expected, "the given inputs");
        self.compare(&mut verification, sample, runner)?;
        accept(verification, tolerance)
    }

    fn nothing_compared(&self) -> Verification {
        let names = self.interface().outputs.iter();
        Verification {
            outputs: names.map(|name| Difference::none(name)).collect(),
        }
    }

    /// Takes one sample, as inputs, answers and name, into the verification.
    fn compare(
        &self,
        verification: &mut Verification,
        (inputs, expected, place): (&[TensorData], &[TensorData], &str),
        runner: &mut impl Runner,
    ) -> Result<(), VerifyError> {
        let named = self.interface().inputs.iter().zip(inputs);
        let named = named.map(|(input, data)| {
            let data = data.clone().convert_dtype(input.dtype);
            emit::tensor(&data, input.name.clone())
        });
        let found = runner.run(named.collect());
        let found = found.map_err(|source| VerifyError::Engine {
            sample: place.to_owned(),
            source,
        })?;
        if found.len() != verification.outputs.len() || found.len() != expected.len() {
            return Err(VerifyError::OutputCount {
                found: found.len(),
                expected: expected.len(),
            });
        }
        let pairs = found.iter().zip(expected);
        for ((found, expected), output) in pairs.zip(&mut verification.outputs) {
            let alike = tensor::data(found).filter(|found| is_alike(found, expected));
            let Some(data) = alike else {
                return Err(VerifyError::Type {
                    output: output.output.clone(),
                    sample: place.to_owned(),
                    found: tensor::describe(found),
                    expected: format!("{}{:?}", kind(expected.dtype()), expected.shape().to_vec()),
                });
            };
            output.extend(&data, expected, place);
        }
        Ok(())
    }
}

fn accept(verification: Verification, tolerance: f64) -> Result<Verification, VerifyError> {
    let mut outputs = verification.outputs.iter();
    if outputs.all(|output| output.relative.difference <= tolerance) {
        Ok(verification)
    } else {
        Err(VerifyError::Different {
            tolerance,
            verification,
        })
    }
}

/// What the module returns for `inputs`, or why it panicked.
fn answers<M: Module, I: Inputs, O: Outputs>(
    module: &M,
    forward: &impl Fn(&M, I) -> O,
    inputs: &[TensorData],
    device: &Device,
) -> Result<Vec<TensorData>, String> {
    let run = || {
        let inputs = I::create(&mut inputs.iter().cloned(), device);
        forward(module, inputs).data()
    };
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| panic_message(panic.as_ref()))
}

/// Burn's default integers and booleans have widths of their own, so that only
/// the kind and the shape must be the same.
fn is_alike(found: &TensorData, expected: &TensorData) -> bool {
    found.shape() == expected.shape() && kind(found.dtype()) == kind(expected.dtype())
}

fn kind(dtype: DType) -> &'static str {
    match dtype {
        _ if dtype.is_float() => "float",
        _ if dtype.is_bool() => "bool",
        _ => "int",
    }
}
