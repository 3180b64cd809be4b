//! The linear layer.

use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops};
use burn_flex::{Flex, FlexTensor};

use super::layer::{self, Layer, Operands};
use super::tensor;
use crate::fully_connected::{Sizes, Transposed, bias_gradient, forward, masked, weight_gradient};
use crate::isa::Isa;
use crate::switch::Operation;

/// Computes the layer with the fused kernels, if the tensors are where these apply.
pub(crate) fn fused(
    x: &Tensor<2>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
    relu: bool,
) -> Option<Tensor<2>> {
    let sizes = sizes(x.dims(), weight.dims(), bias.map(Tensor::dims), relu)?;
    layer::fused(FusedLinear(sizes), x, weight, bias)
}

/// The sizes of the layer; `None` where they don't fit, which Burn's own operation reports, or
/// where that is faster.
fn sizes(
    [rows, inputs]: [usize; 2],
    [weight_inputs, outputs]: [usize; 2],
    bias: Option<[usize; 1]>,
    relu: bool,
) -> Option<Sizes> {
    let sizes = Sizes {
        rows,
        inputs,
        outputs,
        relu,
    };
    let fits = weight_inputs == inputs && bias.is_none_or(|[len]| len == outputs);
    (fits && sizes.are_moderate()).then_some(sizes)
}

/// The fused layer.
#[derive(Clone, Copy, Debug)]
struct FusedLinear(Sizes);

/// What the backward pass needs.
#[derive(Clone, Debug)]
struct State {
    x: FlexTensor,
    weight: FlexTensor,
    /// For ReLU.
    out: Option<FlexTensor>,
}

impl Layer for FusedLinear {
    const OPERATION: Operation = Operation::Linear;

    type Saved = State;

    fn infer(self, operands: &Operands) -> FlexTensor {
        let sizes = &self.0;
        let (x, weight) = (operands.x.storage(), operands.weight.storage());
        let out = forward(Isa::detected(), sizes, x, weight, operands.bias());
        tensor(out, &[sizes.rows, sizes.outputs])
    }

    fn train(self, operands: Operands) -> (FlexTensor, State) {
        let out = self.infer(&operands);
        let state = State {
            x: operands.x,
            weight: operands.weight,
            out: self.0.relu.then(|| out.clone()),
        };
        (out, state)
    }
}

impl<const N: usize> Backward<Flex, N> for FusedLinear {
    type State = State;

    fn backward(self, ops: Ops<State, N>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let State { x, weight, out } = ops.state;
        let sizes = self.0;
        let Sizes {
            rows,
            inputs,
            outputs,
            ..
        } = sizes;
        let isa = Isa::detected();
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let out = out.as_ref().map(FlexTensor::storage);
        let grad = masked(isa, &sizes, grad.storage(), out);

        let mut parents = ops.parents.into_iter();
        let mut register = |gradient: &dyn Fn() -> FlexTensor| {
            if let Some(parent) = parents.next().flatten() {
                grads.register::<Flex>(parent.id, gradient());
            }
        };
        register(&|| {
            let weights = Transposed::new(isa, &sizes, weight.storage());
            tensor(weights.input_gradient(isa, &sizes, &grad), &[rows, inputs])
        });
        register(&|| {
            let gradient = weight_gradient(isa, &sizes, x.storage(), &grad);
            tensor(gradient, &[inputs, outputs])
        });
        register(&|| tensor(bias_gradient(isa, &sizes, &grad), &[outputs]));
    }
}
