//! Burn's tensors as data: from ONNX's, shared, compared.

use burn::tensor::{BoolStore, DType, TensorData};
use onnx::proto::TensorProto;
use onnx::proto::tensor_proto::DataType;

/// The elements of a tensor that has them in `raw_data`; nothing where it has
/// not, or where Burn lacks the element type.
pub(crate) fn data(tensor: &TensorProto) -> Option<TensorData> {
    let shape: Vec<usize> = tensor.dims.iter().map(|size| *size as usize).collect();
    let dtype = dtype(DataType::try_from(tensor.data_type).ok()?)?;
    let bytes = shape.iter().product::<usize>() * dtype.size();
    (tensor.raw_data.len() == bytes)
        .then(|| TensorData::from_bytes_vec(tensor.raw_data.to_vec(), shape, dtype))
}

/// `Float[2, 10]`
pub(crate) fn describe(tensor: &TensorProto) -> String {
    let name = DataType::try_from(tensor.data_type).unwrap_or_default();
    format!("{name:?}{:?}", tensor.dims)
}

/// The same elements, of which further copies take no memory.
pub(crate) fn shared(data: TensorData) -> TensorData {
    let (bytes, shape, dtype) = data.into_parts();
    TensorData::from_bytes(bytes.shared(), shape, dtype)
}

/// Numbers as the elements of a float tensor.
pub(crate) fn floats(
    elements: impl Iterator<Item = f64>,
    shape: Vec<usize>,
    dtype: DType,
) -> TensorData {
    match dtype {
        DType::F32 => TensorData::new(elements.map(|x| x as f32).collect::<Vec<_>>(), shape),
        _ => TensorData::new(elements.collect::<Vec<_>>(), shape).convert_dtype(dtype),
    }
}

/// Whether two tensors hold the same bits.
pub(crate) fn same(a: &TensorData, b: &TensorData) -> bool {
    let in_one_place = a.as_bytes().as_ptr() == b.as_bytes().as_ptr()
        && (a.dtype(), a.shape()) == (b.dtype(), b.shape());
    in_one_place || a == b
}

fn dtype(data_type: DataType) -> Option<DType> {
    Some(match data_type {
        DataType::Double => DType::F64,
        DataType::Float => DType::F32,
        DataType::Float16 => DType::F16,
        DataType::Bfloat16 => DType::BF16,
        DataType::Int64 => DType::I64,
        DataType::Int32 => DType::I32,
        DataType::Int16 => DType::I16,
        DataType::Int8 => DType::I8,
        DataType::Uint64 => DType::U64,
        DataType::Uint32 => DType::U32,
        DataType::Uint16 => DType::U16,
        DataType::Uint8 => DType::U8,
        DataType::Bool => DType::Bool(BoolStore::Native),
        _ => return None,
    })
}
