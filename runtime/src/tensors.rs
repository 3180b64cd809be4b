//! Any model in ONNX Runtime, on tensors of any type.

use std::path::Path;

use onnx::proto::TensorProto;
use onnx::proto::tensor_proto::DataType;
use onnx::{Runner, RunnerError};
use ort::session::builder::SessionBuilder;
use ort::session::{Session as OrtSession, SessionInputValue};
use ort::value::{DynValue, Tensor, TensorElementType};

use crate::library::Library;

/// A model that is run on the CPU by a single thread, so that its answers are
/// the same each time: for checks, where [`crate::Session`] is for use.
#[derive(Debug)]
pub struct TensorSession(OrtSession);

/// A tensor that does not go into ONNX Runtime or come out of it.
#[derive(Debug, thiserror::Error)]
#[error("the tensor `{name}` of type {kind} and shape {shape:?} cannot be passed")]
struct TensorError {
    name: String,
    kind: String,
    shape: Vec<i64>,
}

impl TensorSession {
    /// Loads the model that `bytes` hold.
    ///
    /// # Errors
    ///
    /// ONNX Runtime's, when it refuses the model.
    pub fn load(library: &Library, bytes: &[u8]) -> Result<Self, ort::Error> {
        builder(library)?.commit_from_memory(bytes).map(Self)
    }

    /// Loads the model at `path`, which may have external data beside it.
    ///
    /// # Errors
    ///
    /// ONNX Runtime's, when it refuses the model.
    pub fn open(library: &Library, path: &Path) -> Result<Self, ort::Error> {
        builder(library)?.commit_from_file(path).map(Self)
    }
}

fn builder(library: &Library) -> Result<SessionBuilder, ort::Error> {
    Ok(OrtSession::builder(library.environment())?.with_intra_threads(1)?)
}

impl Runner for TensorSession {
    fn run(&mut self, inputs: Vec<TensorProto>) -> Result<Vec<TensorProto>, RunnerError> {
        let inputs = inputs
            .iter()
            .map(|tensor| Ok((tensor.name.as_str(), value(tensor)?.into())))
            .collect::<Result<Vec<(&str, SessionInputValue)>, RunnerError>>()?;
        let outputs = self.0.run(inputs)?;
        outputs
            .iter()
            .map(|(name, output)| tensor(name, &output))
            .collect()
    }
}

/// Element types that have a Rust type: their names in ONNX and in ONNX Runtime,
/// the type, and how it is read from bytes and written to them.
macro_rules! by_element_type {
    ($with:ident) => {
        $with! {
            Double, Float64, f64, f64::from_le_bytes, f64::to_le_bytes;
            Float, Float32, f32, f32::from_le_bytes, f32::to_le_bytes;
            Int64, Int64, i64, i64::from_le_bytes, i64::to_le_bytes;
            Int32, Int32, i32, i32::from_le_bytes, i32::to_le_bytes;
            Int16, Int16, i16, i16::from_le_bytes, i16::to_le_bytes;
            Int8, Int8, i8, i8::from_le_bytes, i8::to_le_bytes;
            Uint64, Uint64, u64, u64::from_le_bytes, u64::to_le_bytes;
            Uint32, Uint32, u32, u32::from_le_bytes, u32::to_le_bytes;
            Uint16, Uint16, u16, u16::from_le_bytes, u16::to_le_bytes;
            Uint8, Uint8, u8, u8::from_le_bytes, u8::to_le_bytes;
            Bool, Bool, bool, |[byte]: [u8; 1]| byte != 0, |bit: bool| [u8::from(bit)]
        }
    };
}

fn value(tensor: &TensorProto) -> Result<DynValue, RunnerError> {
    macro_rules! convert {
        ($($onnx:ident, $ort:ident, $element:ty, $read:expr, $write:expr);+) => {
            match DataType::try_from(tensor.data_type) {
                $(Ok(DataType::$onnx) => {
                    let (elements, _) = tensor.raw_data.as_chunks::<{ size_of::<$element>() }>();
                    let elements: Vec<$element> = elements.iter().copied().map($read).collect();
                    Ok(Tensor::from_array((tensor.dims.clone(), elements))?.into_dyn())
                })+
                _ => Err(TensorError {
                    name: tensor.name.clone(),
                    kind: format!("{:?}", tensor.data_type()),
                    shape: tensor.dims.clone(),
                }
                .into()),
            }
        };
    }
    by_element_type!(convert)
}

fn tensor(name: &str, value: &DynValue) -> Result<TensorProto, RunnerError> {
    macro_rules! convert {
        ($($onnx:ident, $ort:ident, $element:ty, $read:expr, $write:expr);+) => {
            match value.dtype().tensor_type() {
                $(Some(TensorElementType::$ort) => {
                    let (shape, elements) = value.try_extract_tensor::<$element>()?;
                    let bytes = elements.iter().copied().flat_map($write);
                    Ok(TensorProto {
                        name: name.to_owned(),
                        dims: shape.to_vec(),
                        data_type: DataType::$onnx as i32,
                        raw_data: bytes.collect::<Vec<u8>>().into(),
                        ..Default::default()
                    })
                })+
                _ => Err(TensorError {
                    name: name.to_owned(),
                    kind: value.dtype().to_string(),
                    shape: value.dtype().tensor_shape().map(|shape| shape.to_vec()).unwrap_or_default(),
                }
                .into()),
            }
        };
    }
    by_element_type!(convert)
}
