//! Why a model cannot be read or written.

use std::path::{Path, PathBuf};

use crate::read::MAX_BYTES;
use crate::wire::Malformed;

/// A model file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error(transparent)]
    File(#[from] artifact::Error),
    /// The content is no valid model.
    #[error("`{}` is not a usable ONNX model", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Invalid,
    },
}

impl Error {
    pub(crate) fn invalid(path: &Path) -> impl FnOnce(Invalid) -> Self {
        let path = path.to_owned();
        move |source| Self::Invalid { path, source }
    }
}

/// What is wrong with the content of a model.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// There is nothing.
    #[error("it is empty; export or download it again")]
    Empty,
    /// More than a protobuf message can hold.
    #[error("it has {bytes} bytes, more than the {MAX_BYTES} that a protobuf message may have")]
    TooLarge {
        /// The size.
        bytes: u64,
    },
    /// The bytes are not made of messages.
    #[error("it is truncated or is no ONNX file; export or download it again")]
    Malformed(#[from] Malformed),
    /// A message's field has another type than in ONNX, or no valid text.
    #[error("it is damaged or is no ONNX file; export or download it again")]
    Decode(#[from] prost::DecodeError),
    /// A field that every model has is not there.
    #[error("the field `{field}` is missing; is it an ONNX model?")]
    Missing {
        /// The field, as in `onnx.proto`.
        field: &'static str,
    },
    /// A tensor contradicts itself.
    #[error("{place}: {reason}")]
    Tensor {
        /// Where the tensor is, with its name.
        place: String,
        /// What is wrong with it.
        reason: InvalidTensor,
    },
}

/// What is wrong with a tensor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTensor {
    /// The element type is unset or one that this version does not know.
    #[error("the element type {0} is unknown")]
    UnknownType(i32),
    /// A negative dimension.
    #[error("the shape {0:?} has a negative dimension")]
    NegativeDimension(Vec<i64>),
    /// The number of elements does not fit in 64 bits.
    #[error("the shape {0:?} has more elements than can be addressed")]
    ShapeOverflow(Vec<i64>),
    /// The values are in another file.
    #[error(
        "its values are in another file (external data), which is not allowed here; \
         save the model in one file"
    )]
    External,
    /// The values are in another file that cannot be used.
    #[error("its values are in another file: {0}")]
    Outside(#[from] ExternalProblem),
    /// The values are in a field that does not fit the type, or in several.
    #[error("its values are in {fields}, but {expected} is expected")]
    WrongField {
        /// The fields that hold values, joined by "and".
        fields: String,
        /// The fields that may.
        expected: &'static str,
    },
    /// More or fewer values than the shape says.
    #[error("`{field}` has {found} {unit}, but the shape {dims:?} needs {expected}")]
    WrongSize {
        /// The field that holds the values.
        field: &'static str,
        /// What is counted: bytes or values.
        unit: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: u64,
        /// The shape.
        dims: Vec<i64>,
    },
    /// A sparse tensor without its parts.
    #[error("the sparse tensor has no `{0}`")]
    IncompleteSparse(&'static str),
    /// A sparse tensor that would fill the memory, as engines write out its zeros.
    #[error("the shape {0:?} of the sparse tensor takes more memory than its model's size allows")]
    TooDense(Vec<i64>),
}

/// What is wrong with values in another file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExternalProblem {
    /// A path that is not the name of a file in the model's folder.
    #[error("`{0}` is not the name of a file beside the model")]
    Location(String),
    /// A symbolic link, a file with several names, or no regular file.
    #[error("`{0}` is a link or no regular file; put the file itself beside the model")]
    Link(String),
    /// No number where one should be.
    #[error("`{key}` is `{value}`, not a number")]
    Number {
        /// `offset` or `length`.
        key: &'static str,
        /// What is there.
        value: String,
    },
    /// More or fewer bytes than the shape says.
    #[error("they have {length} bytes, but the shape needs {needed}")]
    Length {
        /// How many there are.
        length: u64,
        /// How many there should be.
        needed: u64,
    },
    /// The file is shorter, or the tensors take more than all of it.
    #[error("{length} bytes at {offset} are more than the file of {size} bytes has left")]
    Range {
        /// Where they begin.
        offset: u64,
        /// How many they are.
        length: u64,
        /// The file's size.
        size: u64,
    },
}
