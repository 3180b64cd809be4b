//! The block of a convolution.

use std::sync::Arc;

use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops};
use burn_flex::{Flex, FlexTensor};

use super::layer::{self, Layer, Operands};
use super::tensor;
use crate::backward::{Gradients as BlockGradients, Saved, backward};
use crate::block::Conv2dBlock;
use crate::forward::forward;
use crate::geometry::Geometry;
use crate::isa::Isa;
use crate::switch::Operation;

/// Computes the block with the fused kernels, if the tensors are where these apply.
pub(crate) fn fused(
    x: &Tensor<4>,
    weight: &Tensor<4>,
    bias: Option<&Tensor<1>>,
    block: &Conv2dBlock,
) -> Option<Tensor<4>> {
    let g = geometry(x.dims(), weight.dims(), bias.map(Tensor::dims), block)?;
    layer::fused(FusedBlock(g), x, weight, bias)
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

/// The fused block.
#[derive(Clone, Copy, Debug)]
struct FusedBlock(Geometry);

/// What the backward pass needs.
#[derive(Clone, Debug)]
struct State {
    x: FlexTensor,
    weight: FlexTensor,
    out: Option<FlexTensor>,
    sources: Arc<Vec<u8>>,
    /// Whether the forward pass took Winograd's method.
    winograd: bool,
}

impl FusedBlock {
    /// Runs the forward kernels; whether they took Winograd's method.
    fn forward(&self, operands: &Operands, sources: &mut [u8]) -> (FlexTensor, bool) {
        let g = &self.0;
        let mut out = vec![0.0; g.batch * g.output_len()];
        let winograd = forward(
            Isa::detected(),
            g,
            operands.x.storage(),
            operands.weight.storage(),
            operands.bias(),
            &mut out,
            sources,
        );
        let [height, width] = g.output();
        let out = tensor(out, &[g.batch, g.out_channels, height, width]);
        (out, winograd)
    }
}

impl Layer for FusedBlock {
    const OPERATION: Operation = Operation::Conv2d;

    type Saved = State;

    fn infer(self, operands: &Operands) -> FlexTensor {
        self.forward(operands, &mut []).0
    }

    fn train(self, operands: Operands) -> (FlexTensor, State) {
        let g = &self.0;
        let mut sources = vec![0; if g.pool { g.batch * g.sources_len() } else { 0 }];
        let (out, winograd) = self.forward(&operands, &mut sources);
        let state = State {
            x: operands.x,
            weight: operands.weight,
            out: (g.relu && !g.pool).then(|| out.clone()),
            sources: Arc::new(sources),
            winograd,
        };
        (out, state)
    }
}

impl<const N: usize> Backward<Flex, N> for FusedBlock {
    type State = State;

    fn backward(self, ops: Ops<State, N>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let state = ops.state;
        let g = &self.0;
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
