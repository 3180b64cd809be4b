//! The block of a convolution.

use std::sync::Arc;

use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn_backend::tensor::FloatTensor;
use burn_flex::{Flex, FlexTensor};

use super::{Training, on_flex, on_training, tensor};
use crate::backward::{Gradients as BlockGradients, Saved, backward};
use crate::block::Conv2dBlock;
use crate::forward::forward;
use crate::geometry::Geometry;
use crate::isa::Isa;
use crate::switch::count_call;

/// Computes the block with the fused kernels, if the tensors are where these apply.
pub(crate) fn fused(
    x: &Tensor<4>,
    weight: &Tensor<4>,
    bias: Option<&Tensor<1>>,
    block: &Conv2dBlock,
) -> Option<Tensor<4>> {
    let g = geometry(x.dims(), weight.dims(), bias.map(Tensor::dims), block)?;
    training(&g, x, weight, bias).or_else(|| inference(&g, x, weight, bias))
}

/// The sizes of the block; `None` where they don't fit or the result is empty, which Burn's own
/// operations report.
fn geometry(
    x: [usize; 4],
    weight: [usize; 4],
    bias: Option<[usize; 1]>,
    block: &Conv2dBlock,
) -> Option<Geometry> {
    let [batch, in_channels, height, width] = x;
    let [out_channels, weight_channels, kernel_height, kernel_width] = weight;
    let g = Geometry {
        batch,
        in_channels,
        input: [height, width],
        out_channels,
        kernel: [kernel_height, kernel_width],
        stride: block.stride,
        padding: block.padding,
        relu: block.relu,
        pool: block.max_pool,
    };
    let fits = weight_channels == in_channels && bias.is_none_or(|[len]| len == out_channels);
    (fits && g.is_valid()).then_some(g)
}

/// The block on `flex` without autodiff.
fn inference(
    g: &Geometry,
    x: &Tensor<4>,
    weight: &Tensor<4>,
    bias: Option<&Tensor<1>>,
) -> Option<Tensor<4>> {
    let (x, weight) = (on_flex(x)?, on_flex(weight)?);
    let bias = match bias {
        Some(bias) => Some(on_flex(bias)?),
        None => None,
    };
    let (out, _) = compute(g, &x, &weight, bias.as_ref(), &mut []);
    Some(Tensor::from_primitive::<Flex>(out))
}

/// The block on `flex` with autodiff.
fn training(
    g: &Geometry,
    x: &Tensor<4>,
    weight: &Tensor<4>,
    bias: Option<&Tensor<1>>,
) -> Option<Tensor<4>> {
    let ((x, x_node), (weight, weight_node)) = (on_training(x)?, on_training(weight)?);
    let out = match bias {
        Some(bias) => {
            let (bias, bias_node) = on_training(bias)?;
            let nodes = [x_node, weight_node, bias_node];
            record(g, x, weight, Some(bias), nodes)
        }
        None => record(g, x, weight, None, [x_node, weight_node]),
    };
    Some(Tensor::from_primitive::<Training>(out))
}

/// Runs the forward kernels; whether they took Winograd's method.
fn compute(
    g: &Geometry,
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: Option<&FlexTensor>,
    sources: &mut [u8],
) -> (FlexTensor, bool) {
    let mut out = vec![0.0; g.batch * g.output_len()];
    let bias = bias.map(FlexTensor::storage::<f32>);
    let winograd = forward(
        Isa::detected(),
        g,
        x.storage(),
        weight.storage(),
        bias,
        &mut out,
        sources,
    );
    count_call();
    let [height, width] = g.output();
    let out = tensor(out, &[g.batch, g.out_channels, height, width]);
    (out, winograd)
}

/// Runs the forward kernels and records the operation for the backward pass.
fn record<const N: usize>(
    g: &Geometry,
    x: FlexTensor,
    weight: FlexTensor,
    bias: Option<FlexTensor>,
    nodes: [NodeGuard; N],
) -> FloatTensor<Training> {
    match FusedBlock
        .prepare::<NoCheckpointing>(nodes)
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(prep) => {
            let mut sources = vec![0; if g.pool { g.batch * g.sources_len() } else { 0 }];
            let (out, winograd) = compute(g, &x, &weight, bias.as_ref(), &mut sources);
            let state = State {
                geometry: *g,
                x,
                weight,
                out: (g.relu && !g.pool).then(|| out.clone()),
                sources: sources.into(),
                winograd,
            };
            prep.finish(state, out)
        }
        OpsKind::UnTracked(prep) => {
            let (out, _) = compute(g, &x, &weight, bias.as_ref(), &mut []);
            prep.finish(out)
        }
    }
}

/// The fused block as a step of the autodiff graph. Its parents are the input, the weights and,
/// if there is one, the bias.
#[derive(Debug)]
struct FusedBlock;

/// What the backward pass needs.
#[derive(Clone, Debug)]
struct State {
    geometry: Geometry,
    x: FlexTensor,
    weight: FlexTensor,
    out: Option<FlexTensor>,
    sources: Arc<[u8]>,
    /// Whether the forward pass took Winograd's method.
    winograd: bool,
}

impl<const N: usize> Backward<Flex, N> for FusedBlock {
    type State = State;

    fn backward(self, ops: Ops<State, N>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let state = ops.state;
        let g = &state.geometry;
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let mut input = ops.parents[0]
            .is_some()
            .then(|| vec![0.0; g.batch * g.image_len()]);
        let mut weights = vec![0.0; g.out_channels * g.taps()];
        let mut bias = vec![0.0; g.out_channels];
        let saved = Saved {
            x: state.x.storage(),
            weights: state.weight.storage(),
            out: state.out.as_ref().map_or(&[], FlexTensor::storage),
            sources: &state.sources,
            winograd: state.winograd,
            grad: grad.storage(),
        };
        let gradients = BlockGradients {
            input: input.as_deref_mut(),
            weights: &mut weights,
            bias: &mut bias,
        };
        backward(Isa::detected(), g, &saved, gradients);

        let [height, width] = g.input;
        let [kernel_height, kernel_width] = g.kernel;
        let gradients = [
            input.map(|input| tensor(input, &[g.batch, g.in_channels, height, width])),
            Some(tensor(
                weights,
                &[g.out_channels, g.in_channels, kernel_height, kernel_width],
            )),
            Some(tensor(bias, &[g.out_channels])),
        ];
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<Flex>(parent.id, gradient);
            }
        }
    }
}
