//! Operations that Burn knows and its tensors do not record.

use burn::backend::capture::CaptureBackend;
use burn::backend::ir::{FloatOperationIr, OperationIr, TensorIr, UnaryOpIr};
use burn::tensor::{Bool, BoolStore, DType, Tensor};
use burn_router::RouterClient;

/// In a recording, the operation that Burn's own function leaves out for
/// others; elsewhere what that function computes.
pub fn recorded<const D: usize>(
    x: Tensor<D>,
    operation: fn(UnaryOpIr) -> FloatOperationIr,
    computed: fn(Tensor<D>) -> Tensor<D, Bool>,
) -> Tensor<D, Bool> {
    let dtype = x.dtype();
    let Ok(input) = x.clone().try_into_primitive::<CaptureBackend>() else {
        return computed(x);
    };
    let client = input.client.clone();
    let id = client.create_empty_handle();
    let out = TensorIr::uninit(id, x.shape(), DType::Bool(BoolStore::Native));
    let input = input.into_ir();
    let operation = operation(UnaryOpIr { input, out });
    let mut outputs = client.register(OperationIr::Float(dtype, operation));
    Tensor::from_primitive::<CaptureBackend>(outputs.remove(0))
}
