//! Operations that no output depends on.

use std::collections::BTreeSet;

use burn::backend::capture::TensorId;
use burn::backend::ir::OperationIr;

/// Keeps the operations that an output depends on, in order.
pub(crate) fn remove(operations: Vec<OperationIr>, outputs: &[TensorId]) -> Vec<OperationIr> {
    let mut needed: BTreeSet<TensorId> = outputs.iter().copied().collect();
    let mut kept: Vec<OperationIr> = Vec::with_capacity(operations.len());
    for operation in operations.into_iter().rev() {
        if operation
            .outputs()
            .any(|tensor| needed.contains(&tensor.id))
        {
            needed.extend(operation.inputs().map(|tensor| tensor.id));
            kept.push(operation);
        }
    }
    kept.reverse();
    kept
}
