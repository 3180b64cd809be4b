//! What an engine must offer so that its answers can be checked.

use std::error::Error;

use crate::proto::TensorProto;

/// Why an engine could not run a model.
pub type RunnerError = Box<dyn Error + Send + Sync>;

/// A model that an engine has loaded.
///
/// Tensors have a name, a shape, an element type, and their elements in
/// `raw_data`, little-endian. A closure of the same signature is a runner too.
pub trait Runner {
    /// Runs the model on its inputs, in any order; the outputs are in the
    /// order of the model's.
    ///
    /// # Errors
    ///
    /// The engine's reason.
    fn run(&mut self, inputs: Vec<TensorProto>) -> Result<Vec<TensorProto>, RunnerError>;
}

impl<F> Runner for F
where
    F: FnMut(Vec<TensorProto>) -> Result<Vec<TensorProto>, RunnerError>,
{
    fn run(&mut self, inputs: Vec<TensorProto>) -> Result<Vec<TensorProto>, RunnerError> {
        self(inputs)
    }
}
