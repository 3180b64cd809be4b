//! The result of an export.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use onnx::proto::{ModelProto, StringStringEntryProto};

use crate::error::ExportError;
use crate::spec::Interface;

/// A module as an ONNX model.
#[derive(Clone, Debug)]
pub struct OnnxModel {
    proto: ModelProto,
    interface: Interface,
    warnings: Vec<Warning>,
}

/// Something about a model that its users should know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// An output's dimension that varies without a formula over the symbols.
    UnnamedDimension {
        /// The output's name.
        output: String,
        /// The axis.
        axis: usize,
    },
    /// A parameter has elements that f16 does not reach, and has its largest
    /// number instead.
    Clipped {
        /// The parameter's path.
        parameter: String,
    },
    /// A loop over a sequence that is no recurrent layer of ONNX's, and is
    /// written step by step: the model takes sequences of this length only.
    Unrolled {
        /// The module's path; empty where there are no parameters.
        module: String,
        /// The number of steps.
        steps: usize,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnnamedDimension { output, axis } => write!(
                f,
                "dimension {axis} of output `{output}` varies in a way that has no name"
            ),
            Self::Clipped { parameter } => {
                write!(
                    f,
                    "`{parameter}` has elements beyond f16's largest number, 65504"
                )
            }
            Self::Unrolled { module, steps } => write!(
                f,
                "a loop of {steps} steps in `{module}` is no LSTM, GRU or RNN of ONNX's and is \
                 written step by step"
            ),
        }
    }
}

/// What a model consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The number of nodes by operator.
    pub operators: BTreeMap<String, usize>,
    /// The number of elements in all initializers.
    pub constants: usize,
    /// The number of initializers.
    pub initializers: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: usize = self.operators.values().sum();
        let operators = self.operators.iter();
        let operators = operators.map(|(operator, count)| format!("{operator} {count}"));
        let operators: Vec<String> = operators.collect();
        write!(
            f,
            "{nodes} nodes ({}), {} initializers with {} elements",
            operators.join(", "),
            self.initializers,
            self.constants
        )
    }
}

impl OnnxModel {
    pub(crate) fn new(proto: ModelProto, interface: Interface, warnings: Vec<Warning>) -> Self {
        Self {
            proto,
            interface,
            warnings,
        }
    }

    pub(crate) fn interface(&self) -> &Interface {
        &self.interface
    }

    /// Adds an entry to `metadata_props` that is known only now, such as a digest
    /// of what was exported.
    #[must_use]
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.proto.metadata_props.push(StringStringEntryProto {
            key: key.into(),
            value: value.into(),
        });
        self
    }

    /// Writes the model to `path`, whole or not at all. Beyond the 2 GiB that a
    /// protobuf message may have, it is written as
    /// [`Self::save_with_external_data`] does.
    ///
    /// # Errors
    ///
    /// [`ExportError::Write`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ExportError> {
        Ok(onnx::write(path.as_ref(), &self.proto)?)
    }

    /// Writes the model to `path` and the larger weights to one file beside it,
    /// `model.onnx.….data`, aligned to pages: both or none. The name holds a
    /// digest of the weights; the files of earlier models at `path` are removed.
    ///
    /// # Errors
    ///
    /// [`ExportError::Write`] when a file cannot be written.
    pub fn save_with_external_data(&self, path: impl AsRef<Path>) -> Result<(), ExportError> {
        Ok(onnx::write_external(path.as_ref(), &self.proto)?)
    }

    /// The bytes of the model in one piece, which [`Self::save`] writes unless
    /// they are too many; the same for the same module.
    pub fn to_bytes(&self) -> Vec<u8> {
        onnx::encode(&self.proto)
    }

    /// The ONNX message.
    pub fn model(&self) -> &ModelProto {
        &self.proto
    }

    /// Operators and sizes.
    pub fn summary(&self) -> Summary {
        let mut operators = BTreeMap::new();
        let graph = self.proto.graph.as_ref();
        for node in graph.iter().flat_map(|graph| &graph.node) {
            *operators.entry(node.op_type.clone()).or_insert(0) += 1;
        }
        let initializers = graph.iter().flat_map(|graph| &graph.initializer);
        let elements = initializers.map(|tensor| tensor.dims.iter().product::<i64>() as usize);
        let elements: Vec<usize> = elements.collect();
        Summary {
            operators,
            constants: elements.iter().sum(),
            initializers: elements.len(),
        }
    }

    /// What users of the model should know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}
