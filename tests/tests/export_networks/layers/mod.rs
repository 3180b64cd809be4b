//! Every layer of `burn::nn` by itself.

mod activations;
mod arrangements;
mod attention;
mod convolutions;
mod losses;
mod normalizations;
mod pools;
mod recurrent;

use std::collections::BTreeSet;

use burn::module::Module;
use burn::tensor::Tensor;
use exporter::{Dim, Exporter, Inputs, Outputs};
use tests::export::{Case, Data, network, trained};

/// The layers of Burn 0.22.1, from the sources of `burn-nn`.
const LAYERS: &str = "
    Activation AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AvgPool1d AvgPool2d BatchNorm BiGru
    BiLstm BiRnn BinaryCrossEntropyLoss CTCLoss Celu Conv1d Conv2d Conv3d ConvTranspose1d
    ConvTranspose2d ConvTranspose3d CosineEmbeddingLoss CosineSimilarity CrossAttention
    CrossEntropyLoss DeformConv2d Dropout Elu Embedding Fold4d GLU GaussianNLLLoss GaussianNoise
    GateController Gelu GroupNorm Gru HardShrink HardSigmoid HardSwish Hardtanh HingeEmbeddingLoss HuberLoss
    Identity InstanceNorm Interpolate1d Interpolate2d KLDivLoss LayerNorm LeakyRelu Linear
    LocalResponseNorm LogSigmoid LpLoss Lstm MarginRankingLoss MaxPool1d MaxPool2d Mish MseLoss
    MultiHeadAttention MultiMarginLoss Normalization PRelu PairwiseDistance PixelShuffle PixelUnshuffle
    PoissonNllLoss PositionWiseFeedForward PositionalEncoding RNNTLoss RRelu Relu Relu6 RmsNorm Rnn
    RotaryEncoding Selu Shrink SiLU Sigmoid SmoothL1Loss SoftMarginLoss SoftShrink Softplus Softsign
    SwiGlu Tanh Tanhshrink Threshold ThresholdedRelu TransformerDecoder TransformerDecoderLayer
    TransformerEncoder TransformerEncoderLayer TripletMarginLoss Unfold4d
";

/// Layers that are not here by themselves, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    (
        "GateController",
        "it has no forward; LSTM and GRU consist of it",
    ),
    (
        "PoissonNllLoss",
        "its forward reads the values of the predictions to check them",
    ),
    (
        "TransformerDecoderLayer",
        "its result can be read by TransformerDecoder only, which is here",
    ),
];

/// A layer with one input.
fn layer<M: Module + 'static, const D: usize, O: Outputs + Data + 'static>(
    name: &'static str,
    dims: Vec<Dim>,
    layer: M,
    inputs: impl Fn(usize) -> Tensor<D> + 'static,
    forward: impl Fn(&M, Tensor<D>) -> O + 'static,
) -> Case<'static> {
    layer_of(name, &[dims], layer, inputs, forward)
}

/// A layer with inputs of these dimensions.
fn layer_of<M, I, O>(
    name: &'static str,
    dims: &[Vec<Dim>],
    layer: M,
    inputs: impl Fn(usize) -> I + 'static,
    forward: impl Fn(&M, I) -> O + 'static,
) -> Case<'static>
where
    M: Module + 'static,
    I: Inputs + Data + 'static,
    O: Outputs + Data + 'static,
{
    let exporter = dims.iter().enumerate();
    let exporter = exporter.fold(Exporter::new(), |exporter, (position, dims)| {
        exporter.input(format!("x{position}"), dims.clone())
    });
    // DeformConv comes with opset 19.
    let description = network(name).since(if name == "DeformConv2d" { 19 } else { 16 });
    description.build(exporter.output("y"), &trained(layer), inputs, forward)
}

/// Checks the layers, and fails with all that is wrong.
fn check(layers: Vec<Case>) {
    let wrong = layers.iter().filter_map(|layer| layer.verify(None).err());
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_layer_of_burn_is_here() {
    let groups = [
        activations::layers(),
        arrangements::layers(),
        attention::layers(),
        convolutions::layers(),
        losses::layers(),
        normalizations::layers(),
        pools::layers(),
        recurrent::layers(),
    ];
    let cases: Vec<Case> = groups.into_iter().flatten().collect();
    let names = cases.iter().map(Case::name);
    let names = names.map(|name| name.split(',').next().unwrap_or_default());
    let named: BTreeSet<&str> = names
        .chain(LEFT_OUT.iter().map(|(name, _)| *name))
        .collect();
    let all: BTreeSet<&str> = LAYERS.split_whitespace().collect();
    assert_eq!(named, all);
}
