//! The networks that make the trip. The build script exports them and the tests
//! run them, so both must find the same weights, which are no random ones.

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear,
    LinearConfig, PaddingConfig2d,
};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};

/// The module with the same weights in every process.
fn with_fixed_weights<M: Module>(module: M) -> M {
    module.map(&mut FixedWeights)
}

struct FixedWeights;

impl ModuleMapper for FixedWeights {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // Vectors are biases, scales and variances, which are positive.
        let (middle, width) = if D == 1 { (1.0, 0.5) } else { (0.0, 0.3) };
        param.map(|tensor| {
            let shape = tensor.dims();
            let values = (0..shape.iter().product()).map(|i| middle + width * (i as f32).sin());
            Tensor::from_data(TensorData::new(values.collect(), shape), &tensor.device())
        })
    }
}

/// A classifier of images, `[n, 3, 16, 16]`.
#[derive(Module, Debug)]
pub struct Classifier {
    conv: Conv2d,
    norm: BatchNorm,
    pool: MaxPool2d,
    depthwise: Conv2d,
    head: Linear,
}

impl Default for Classifier {
    fn default() -> Self {
        let device = Device::flex();
        let same = || PaddingConfig2d::Explicit(1, 1, 1, 1);
        let conv = Conv2dConfig::new([3, 8], [3, 3]).with_padding(same());
        let depthwise = Conv2dConfig::new([8, 8], [3, 3]).with_groups(8);
        with_fixed_weights(Self {
            conv: conv.init(&device),
            norm: BatchNormConfig::new(8).init(&device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            depthwise: depthwise.with_padding(same()).init(&device),
            head: LinearConfig::new(8, 10).init(&device),
        })
    }
}

impl Classifier {
    /// Logits, `[n, 10]`.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<2> {
        let x = activation::relu(self.norm.forward(self.conv.forward(image)));
        let x = self.pool.forward(x);
        let x = activation::hard_sigmoid(self.depthwise.forward(x.clone()), 0.2, 0.5) * x;
        let x = x.mean_dim(3).mean_dim(2).flatten::<2>(1, 3);
        activation::log_softmax(self.head.forward(x), 1)
    }
}

/// An autoencoder of images, `[n, 1, 8, 8]`.
#[derive(Module, Debug)]
pub struct Autoencoder {
    down: Conv2d,
    up: ConvTranspose2d,
}

impl Default for Autoencoder {
    fn default() -> Self {
        let device = Device::flex();
        let down = Conv2dConfig::new([1, 4], [2, 2]).with_stride([2, 2]);
        let up = ConvTranspose2dConfig::new([4, 1], [2, 2]).with_stride([2, 2]);
        with_fixed_weights(Self {
            down: down.init(&device),
            up: up.init(&device),
        })
    }
}

impl Autoencoder {
    /// The image again, `[n, 1, 8, 8]`.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        let code = activation::gelu(self.down.forward(image));
        activation::sigmoid(self.up.forward(code))
    }
}

/// A layer of attention over words, `[n, t]`, with `t` up to 12.
#[derive(Module, Debug)]
pub struct Reader {
    words: Embedding,
    norm: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    head: Linear,
}

impl Default for Reader {
    fn default() -> Self {
        let device = Device::flex();
        let linear = || LinearConfig::new(16, 16);
        with_fixed_weights(Self {
            words: EmbeddingConfig::new(30, 16).init(&device),
            norm: LayerNormConfig::new(16).init(&device),
            query: linear().init(&device),
            key: linear().init(&device),
            value: linear().init(&device),
            head: LinearConfig::new(16, 5).init(&device),
        })
    }
}

impl Reader {
    /// Scores of each word, `[n, t, 5]`.
    pub fn forward(&self, words: Tensor<2, Int>) -> Tensor<3> {
        let x = self.norm.forward(self.words.forward(words));
        let (query, key) = (self.query.forward(x.clone()), self.key.forward(x.clone()));
        let weights = activation::softmax(query.matmul(key.swap_dims(1, 2)) * 0.25, 2);
        self.head
            .forward(weights.matmul(self.value.forward(x.clone())) + x)
    }
}
