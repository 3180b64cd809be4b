//! ONNX Runtime on any model, with tensors of Burn.

use std::sync::OnceLock;

use burn::tensor::{DType, TensorData};
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor, TensorElementType};
use runtime::Library;

/// Runs a model on inputs in their order.
pub fn run(model: &[u8], inputs: &[TensorData]) -> Result<Vec<TensorData>, String> {
    let mut session = session(model).map_err(|error| error.to_string())?;
    let inputs: Vec<SessionInputValue> = inputs.iter().map(|data| value(data).into()).collect();
    let outputs = session
        .run(&inputs[..])
        .map_err(|error| error.to_string())?;
    Ok(outputs.iter().map(|(_, output)| data(&output)).collect())
}

fn session(model: &[u8]) -> ort::Result<Session> {
    Session::builder(library().environment())?
        .with_intra_threads(1)?
        .commit_from_memory(model)
}

fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| runtime::library::load(None).unwrap())
}

fn value(data: &TensorData) -> DynValue {
    let shape: Vec<i64> = data.shape().iter().map(|size| *size as i64).collect();
    macro_rules! tensor {
        ($element:ty) => {{
            let values = data.clone().convert::<$element>();
            let values = values.as_slice::<$element>().unwrap().to_vec();
            Tensor::from_array((shape, values)).unwrap().into_dyn()
        }};
    }
    match data.dtype() {
        DType::F32 => tensor!(f32),
        DType::F64 => tensor!(f64),
        DType::I64 => tensor!(i64),
        DType::I32 => tensor!(i32),
        DType::U8 => tensor!(u8),
        DType::Bool(_) => tensor!(bool),
        other => panic!("no case has inputs of {other:?}"),
    }
}

fn data(value: &DynValue) -> TensorData {
    macro_rules! extract {
        ($element:ty) => {{
            let (shape, values) = value.try_extract_tensor::<$element>().unwrap();
            let shape: Vec<usize> = shape.iter().map(|size| *size as usize).collect();
            TensorData::new(values.to_vec(), shape)
        }};
    }
    match value.dtype().tensor_type().unwrap() {
        TensorElementType::Float32 => extract!(f32),
        TensorElementType::Float64 => extract!(f64),
        TensorElementType::Int64 => extract!(i64),
        TensorElementType::Int32 => extract!(i32),
        TensorElementType::Bool => extract!(bool),
        other => panic!("no case has outputs of {other:?}"),
    }
}
