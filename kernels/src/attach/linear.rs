//! The linear layer.

use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn_backend::tensor::FloatTensor;
use burn_flex::{Flex, FlexTensor};

use super::{Training, on_flex, on_training, tensor};
use crate::fully_connected::{Sizes, Transposed, bias_gradient, forward, masked, weight_gradient};
use crate::isa::Isa;

/// Computes the layer with the fused kernels, if the tensors are where these apply.
pub(crate) fn fused(
    x: &Tensor<2>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
    relu: bool,
) -> Option<Tensor<2>> {
    let sizes = sizes(x.dims(), weight.dims(), bias.map(Tensor::dims), relu)?;
    training(sizes, x, weight, bias).or_else(|| inference(sizes, x, weight, bias))
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

/// The layer on `flex` without autodiff.
fn inference(
    sizes: Sizes,
    x: &Tensor<2>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
) -> Option<Tensor<2>> {
    let (x, weight) = (on_flex(x)?, on_flex(weight)?);
    let bias = match bias {
        Some(bias) => Some(on_flex(bias)?),
        None => None,
    };
    let out = compute(sizes, &x, &weight, bias.as_ref());
    Some(Tensor::from_primitive::<Flex>(out))
}

/// The layer on `flex` with autodiff.
fn training(
    sizes: Sizes,
    x: &Tensor<2>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
) -> Option<Tensor<2>> {
    let ((x, x_node), (weight, weight_node)) = (on_training(x)?, on_training(weight)?);
    let out = match bias {
        Some(bias) => {
            let (bias, bias_node) = on_training(bias)?;
            let nodes = [x_node, weight_node, bias_node];
            record(sizes, x, weight, Some(bias), nodes)
        }
        None => record(sizes, x, weight, None, [x_node, weight_node]),
    };
    Some(Tensor::from_primitive::<Training>(out))
}

fn compute(
    sizes: Sizes,
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: Option<&FlexTensor>,
) -> FlexTensor {
    let bias = bias.map(FlexTensor::storage::<f32>);
    let isa = Isa::detected();
    let out = forward(isa, &sizes, x.storage(), weight.storage(), bias);
    tensor(out, &[sizes.rows, sizes.outputs])
}

/// Runs the forward kernel and records the operation for the backward pass.
fn record<const N: usize>(
    sizes: Sizes,
    x: FlexTensor,
    weight: FlexTensor,
    bias: Option<FlexTensor>,
    nodes: [NodeGuard; N],
) -> FloatTensor<Training> {
    let out = compute(sizes, &x, &weight, bias.as_ref());
    match FusedLinear
        .prepare::<NoCheckpointing>(nodes)
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(prep) => {
            let state = State {
                sizes,
                x,
                weight,
                out: sizes.relu.then(|| out.clone()),
            };
            prep.finish(state, out)
        }
        OpsKind::UnTracked(prep) => prep.finish(out),
    }
}

/// The layer as a step of the autodiff graph. Its parents are the input, the weights and, if
/// there is one, the bias.
#[derive(Debug)]
struct FusedLinear;

/// What the backward pass needs.
#[derive(Clone, Debug)]
struct State {
    sizes: Sizes,
    x: FlexTensor,
    weight: FlexTensor,
    /// For ReLU.
    out: Option<FlexTensor>,
}

impl<const N: usize> Backward<Flex, N> for FusedLinear {
    type State = State;

    fn backward(self, ops: Ops<State, N>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let State {
            sizes,
            x,
            weight,
            out,
        } = ops.state;
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
