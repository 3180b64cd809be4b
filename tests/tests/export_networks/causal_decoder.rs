//! A language model: a decoder whose attention is causal.

use burn::module::Module;
use burn::nn::attention::{
    MhaInput, MultiHeadAttention, MultiHeadAttentionConfig, generate_autoregressive_mask,
};
use burn::nn::transformer::{PositionWiseFeedForward, PositionWiseFeedForwardConfig};
use burn::nn::{
    Embedding, EmbeddingConfig, Linear, LinearConfig, RmsNorm, RmsNormConfig, RotaryEncoding,
    RotaryEncodingConfig,
};
use burn::tensor::{Device, Int, Tensor};
use exporter::{Exporter, dims};
use tests::export::{integers, network, trained};

const WIDTH: usize = 24;

#[derive(Module, Debug)]
struct Block {
    norm: RmsNorm,
    attention: MultiHeadAttention,
    norm_of_forward: RmsNorm,
    forward: PositionWiseFeedForward,
}

impl Block {
    fn new(device: &Device) -> Self {
        let norm = || RmsNormConfig::new(WIDTH).init(device);
        Self {
            norm: norm(),
            attention: MultiHeadAttentionConfig::new(WIDTH, 4).init(device),
            norm_of_forward: norm(),
            forward: PositionWiseFeedForwardConfig::new(WIDTH, 64).init(device),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [n, length, _] = x.dims();
        let future = generate_autoregressive_mask(n, length, &x.device());
        let input = MhaInput::self_attn(self.norm.forward(x.clone())).mask_attn(future);
        let x = x + self.attention.forward(input).context;
        let y = self.norm_of_forward.forward(x.clone());
        x + self.forward.forward(y)
    }
}

#[derive(Module, Debug)]
struct Decoder {
    words: Embedding,
    rotary: RotaryEncoding,
    blocks: Vec<Block>,
    norm: RmsNorm,
    head: Linear,
}

impl Decoder {
    fn new() -> Self {
        let device = Device::flex();
        Self {
            words: EmbeddingConfig::new(50, WIDTH).init(&device),
            rotary: RotaryEncodingConfig::new(400, WIDTH).init(&device),
            blocks: (0..2).map(|_| Block::new(&device)).collect(),
            norm: RmsNormConfig::new(WIDTH).init(&device),
            head: LinearConfig::new(WIDTH, 50).with_bias(false).init(&device),
        }
    }

    /// Logits of the next word, [n, length, 50], of words, [n, length].
    fn forward(&self, words: Tensor<2, Int>) -> Tensor<3> {
        let x = self.words.forward(words).unsqueeze_dim::<4>(1);
        let x = self.rotary.forward(x).squeeze_dim::<3>(1);
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        self.head.forward(self.norm.forward(x))
    }
}

#[test]
fn causal_decoder_matches_burn() {
    let decoder = trained(Decoder::new());
    let exporter = Exporter::new()
        .input("words", dims!["batch", "length"])
        .output("logits");
    let texts = |n: usize| integers([n, n + 9], 0.0, 49.0);
    network("decoder").check(
        exporter,
        &decoder,
        texts,
        |decoder, words: Tensor<2, Int>| decoder.forward(words),
    );
}
