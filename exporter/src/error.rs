//! Why a module cannot be exported.

use std::fmt;

use burn::tensor::DType;

use crate::opset::Opset;

/// A module that cannot be exported, or a wrong request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// An operator set that is not written.
    #[error(
        "opset {version} cannot be written; choose one from {} to {}",
        Opset::OLDEST,
        Opset::NEWEST
    )]
    Opset {
        /// The version asked for.
        version: u8,
    },
    /// The inputs that were declared are not those that `forward` takes.
    #[error("{declared} inputs are declared, but `forward` takes {taken} tensors")]
    InputCount {
        /// The number of calls to `input`.
        declared: usize,
        /// The number of tensors in `forward`'s argument.
        taken: usize,
    },
    /// An input has another rank than the tensor that `forward` takes.
    #[error(
        "input `{input}` is declared with {declared} dimensions, but `forward` takes a tensor of rank {taken}"
    )]
    InputRank {
        /// The input's name.
        input: String,
        /// The number of dimensions declared.
        declared: usize,
        /// The rank of the tensor.
        taken: usize,
    },
    /// An input's element type does not fit the kind of the tensor.
    #[error(
        "input `{input}` is declared as {dtype:?}, but `forward` takes a tensor of kind {kind}"
    )]
    InputKind {
        /// The input's name.
        input: String,
        /// The element type declared.
        dtype: DType,
        /// The tensor's kind: `Float`, `Int` or `Bool`.
        kind: &'static str,
    },
    /// The outputs that were declared are not those that `forward` returns.
    #[error("{declared} outputs are declared, but `forward` returns {returned} tensors")]
    OutputCount {
        /// The number of calls to `output`.
        declared: usize,
        /// The number of tensors returned.
        returned: usize,
    },
    /// Two inputs or outputs share a name, or one has none.
    #[error("the inputs' and outputs' names must be distinct and not empty; `{name}` is not")]
    Name {
        /// The name at fault.
        name: String,
    },
    /// A dimension is 0, or a symbol's name is empty.
    #[error("input `{input}`: dimension {axis} must be a size from 1 or a name")]
    Dimension {
        /// The input's name.
        input: String,
        /// The axis at fault.
        axis: usize,
    },
    /// Sample sizes that cannot tell formulas apart, or for no symbol.
    #[error("`{symbol}`: {reason}")]
    Sizes {
        /// The symbol's name.
        symbol: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// `forward` panicked while it was recorded.
    #[error(
        "`forward` panicked with {sizes}: {message}\n\
         hint: recording runs no kernels, so `forward` cannot read computed values; \
         where a size is too small, too large or does not divide, choose others with `sizes`"
    )]
    Panicked {
        /// The symbols' sizes in this capture.
        sizes: String,
        /// The panic's message.
        message: String,
    },
    /// An output is no tensor that `forward` computed on the capture device.
    #[error(
        "output {index} is not on the device that records; return a tensor computed from the inputs ({reason})"
    )]
    ForeignOutput {
        /// The position among the outputs.
        index: usize,
        /// What Burn says.
        reason: String,
    },
    /// Burn refused the capture's boundary.
    #[error("the graph cannot be recorded: {0}")]
    Capture(String),
    /// An input that no output depends on.
    #[error("no output depends on input `{input}`; leave it out")]
    UnusedInput {
        /// The input's name.
        input: String,
    },
    /// A constant that follows the input's values.
    #[error(
        "a constant {shape:?} used by {operation} differs from capture to capture: `forward` \
         computes it outside the graph from an input's values (`into_data`, `into_scalar`), \
         from a symbolic size or at random, and the model would keep the sample's"
    )]
    BakedInput {
        /// The operation that uses it.
        operation: String,
        /// The constant's shape.
        shape: Vec<usize>,
    },
    /// Other sizes lead to other operations.
    #[error(
        "the graph depends on the sizes: {place} is {first}, but {second}\n\
         hint: a loop over a symbolic dimension or a branch on it cannot be exported; give it a fixed size"
    )]
    Diverged {
        /// Which operation, counted from 0.
        place: String,
        /// What the first capture has there, and its sizes.
        first: String,
        /// What the other capture has there, and its sizes.
        second: String,
    },
    /// A number inside the graph changes with the sizes in no known way.
    #[error(
        "{operation}: {what} depends on the symbolic sizes in a way that ONNX cannot be told\n{seen}"
    )]
    UnexplainedSize {
        /// The operation and the nearest parameter.
        operation: String,
        /// Which number.
        what: String,
        /// The values in each capture, a line each.
        seen: String,
    },
    /// Operations without an equivalent.
    #[error(
        "{} of the graph cannot be written in ONNX opset {opset}:\n{}",
        plural(operations.len()),
        lines(operations)
    )]
    Unsupported {
        /// The operator set asked for.
        opset: Opset,
        /// All of them.
        operations: Vec<UnsupportedOperation>,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] onnx::Error),
}

/// An operation without an equivalent in ONNX.
#[derive(Clone, Debug, PartialEq)]
pub struct UnsupportedOperation {
    /// Burn's name for it.
    pub name: String,
    /// The module whose parameters are nearest; empty when there is none.
    pub scope: String,
    /// Shapes (symbols by name) and element types of the inputs.
    pub inputs: Vec<String>,
    /// Why it cannot be written.
    pub reason: String,
}

impl fmt::Display for UnsupportedOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if !self.scope.is_empty() {
            write!(f, " near `{}`", self.scope)?;
        }
        write!(f, " ({}): {}", self.inputs.join(", "), self.reason)
    }
}

fn plural(count: usize) -> String {
    match count {
        1 => "an operation".to_owned(),
        _ => format!("{count} operations"),
    }
}

fn lines(operations: &[UnsupportedOperation]) -> String {
    let lines = operations.iter().map(|operation| format!("- {operation}"));
    lines.collect::<Vec<_>>().join("\n")
}
