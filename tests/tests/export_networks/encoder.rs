//! A transformer encoder that classifies texts of any length, with padding.

use burn::module::Module;
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::nn::{PositionalEncoding, PositionalEncodingConfig};
use burn::tensor::{Bool, Device, Int, Tensor};
use exporter::{Exporter, dims};
use tests::export::{integers, network, normal, trained};

#[derive(Module, Debug)]
struct Classifier {
    words: Embedding,
    positions: PositionalEncoding,
    encoder: TransformerEncoder,
    head: Linear,
}

impl Classifier {
    fn new() -> Self {
        let device = Device::flex();
        let positions = PositionalEncodingConfig::new(24).with_max_sequence_size(400);
        Self {
            words: EmbeddingConfig::new(100, 24).init(&device),
            positions: positions.init(&device),
            encoder: TransformerEncoderConfig::new(24, 48, 4, 2).init(&device),
            head: LinearConfig::new(24, 5).init(&device),
        }
    }

    /// Logits, [n, 5], of words, [n, length], where `padding` is false.
    fn forward(&self, words: Tensor<2, Int>, padding: Tensor<2, Bool>) -> Tensor<2> {
        let x = self.positions.forward(self.words.forward(words));
        let input = TransformerEncoderInput::new(x).mask_pad(padding);
        let x = self.encoder.forward(input);
        self.head.forward(x.mean_dim(1).squeeze_dim::<2>(1))
    }
}

#[test]
fn transformer_encoder_matches_burn() {
    let classifier = trained(Classifier::new());
    let exporter = Exporter::new()
        .input("words", dims!["batch", "length"])
        .input("padding", dims!["batch", "length"])
        .output("logits");
    let texts = |n: usize| {
        let padding = normal([n, n + 9]).greater_scalar(1.0);
        (integers([n, n + 9], 0.0, 99.0), padding)
    };
    type Text = (Tensor<2, Int>, Tensor<2, Bool>);
    network("encoder").check(
        exporter,
        &classifier,
        texts,
        |classifier, (words, padding): Text| classifier.forward(words, padding),
    );
}
