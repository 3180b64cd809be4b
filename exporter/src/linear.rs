//! Linear layers, found again in what Burn records.
//!
//! Burn records `x W + b` in one of two forms, and chooses by the batch's size,
//! so that captures of one network may differ:
//!
//! - kept: `MatMul(x, Reshape(W)) + Reshape(b)`, where the reshapes put sizes
//!   of 1 in front;
//! - merged: `Reshape(MatMul(Reshape(x), W) + Reshape(b))`, where all leading
//!   dimensions of `x` become rows.
//!
//! Both become the one operation `Linear(x, W, b)`, which means the same for
//! any operands, not only for a layer's.

use std::collections::BTreeMap;

use burn::backend::capture::TensorId;
use burn::backend::ir::{
    BaseOperationIr, FloatOperationIr, LinearOpIr, ModuleOperationIr, NumericOperationIr,
    OperationIr, ShapeOpIr, TensorIr,
};

/// Replaces both forms of linear layers; what is left unused is removed by
/// [`crate::dead::remove`].
pub(crate) fn fold(operations: Vec<OperationIr>, outputs: &[TensorId]) -> Vec<OperationIr> {
    let mut fold = Fold {
        uses: uses(&operations, outputs),
        reshapes: BTreeMap::new(),
        linears: BTreeMap::new(),
        folded: Vec::with_capacity(operations.len()),
    };
    for operation in operations {
        fold.push(operation);
    }
    fold.folded
}

struct Fold {
    /// How often each tensor is read, or returned.
    uses: BTreeMap<TensorId, usize>,
    reshapes: BTreeMap<TensorId, ShapeOpIr>,
    linears: BTreeMap<TensorId, LinearOpIr>,
    folded: Vec<OperationIr>,
}

impl Fold {
    fn push(&mut self, operation: OperationIr) {
        let linear = match &operation {
            OperationIr::BaseFloat(BaseOperationIr::Reshape(reshape)) => {
                let linear = self.merged(reshape);
                if linear.is_none() {
                    self.reshapes.insert(reshape.out.id, reshape.clone());
                }
                linear
            }
            OperationIr::Float(_, FloatOperationIr::Matmul(matmul)) => {
                self.product(&matmul.lhs, &matmul.rhs, &matmul.out)
            }
            OperationIr::NumericFloat(_, NumericOperationIr::Add(add)) => {
                self.biased(&add.lhs, &add.rhs, &add.out)
            }
            _ => None,
        };
        let Some(linear) = linear else {
            return self.folded.push(operation);
        };
        self.linears.insert(linear.out.id, linear.clone());
        self.folded
            .push(OperationIr::Module(ModuleOperationIr::Linear(linear)));
    }

    /// `MatMul(x, W)` with a `W` of rank 2 behind any leading ones.
    fn product(&self, x: &TensorIr, weight: &TensorIr, out: &TensorIr) -> Option<LinearOpIr> {
        let weight = self.without_leading_ones(weight);
        (weight.shape.num_dims() == 2).then(|| LinearOpIr {
            x: x.clone(),
            weight: weight.clone(),
            bias: None,
            out: out.clone(),
        })
    }

    /// `Linear(x, W) + Reshape(b)`, where nothing else reads the product.
    fn biased(&self, product: &TensorIr, bias: &TensorIr, out: &TensorIr) -> Option<LinearOpIr> {
        let linear = self.linears.get(&product.id)?;
        let bias = self.without_leading_ones(bias);
        let fits = bias.shape.num_dims() == 1 && bias.shape[0] == linear.weight.shape[1];
        let absorbs = fits && linear.bias.is_none() && self.uses.get(&product.id) == Some(&1);
        absorbs.then(|| LinearOpIr {
            bias: Some(bias.clone()),
            out: out.clone(),
            ..linear.clone()
        })
    }

    /// `Reshape(Linear(Reshape(x), W))` that restores the leading dimensions.
    fn merged(&self, outer: &ShapeOpIr) -> Option<LinearOpIr> {
        let linear = self.linears.get(&outer.input.id)?;
        let inner = self.reshapes.get(&linear.x.id)?;
        let (x, out) = (&inner.input.shape, &outer.out.shape);
        let rank = x.num_dims();
        let restores = rank == out.num_dims()
            && rank > 2
            && linear.x.shape.num_dims() == 2
            && x[..rank - 1] == out[..rank - 1]
            && x[rank - 1] == linear.x.shape[1]
            && self.uses.get(&outer.input.id) == Some(&1);
        restores.then(|| LinearOpIr {
            x: inner.input.clone(),
            out: outer.out.clone(),
            ..linear.clone()
        })
    }

    /// What a reshape put sizes of 1 in front of; otherwise the tensor itself.
    fn without_leading_ones<'a>(&'a self, tensor: &'a TensorIr) -> &'a TensorIr {
        let Some(reshape) = self.reshapes.get(&tensor.id) else {
            return tensor;
        };
        let (from, to) = (&reshape.input.shape, &reshape.out.shape);
        let added = to.num_dims().saturating_sub(from.num_dims());
        let only_ones = to[..added].iter().all(|size| *size == 1) && to[added..] == from[..];
        if only_ones { &reshape.input } else { tensor }
    }
}

fn uses(operations: &[OperationIr], outputs: &[TensorId]) -> BTreeMap<TensorId, usize> {
    let mut uses = BTreeMap::new();
    let read = operations.iter().flat_map(OperationIr::inputs);
    for id in read.map(|tensor| tensor.id).chain(outputs.iter().copied()) {
        *uses.entry(id).or_insert(0) += 1;
    }
    uses
}
