//! Numbers of other widths than 32 bits.

use burn::module::Module;
use burn::nn::attention::{
    MhaInput, MultiHeadAttention, MultiHeadAttentionConfig, generate_autoregressive_mask,
};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig, Lstm, LstmConfig,
    Relu,
};
use burn::tensor::{DType, Device, IntDType, Tensor, activation};
use exporter::{Exporter, Opset, Samples, Warning, dims};

use tests::export::engine::session;

/// Half precision has 11 bits, about three digits.
const HALF: f64 = 1e-2;

/// Convolution, pooling, attention over the rows, recurrence, classes.
#[derive(Module, Debug)]
struct Network {
    conv: Conv2d,
    norm: BatchNorm,
    pool: MaxPool2d,
    rows: Lstm,
    layer: LayerNorm,
    classes: Linear,
}

impl Network {
    fn new() -> Self {
        let device = Device::flex();
        Self {
            conv: Conv2dConfig::new([3, 8], [3, 3]).init(&device),
            norm: BatchNormConfig::new(8).init(&device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            rows: LstmConfig::new(7 * 7, 16, true).init(&device),
            layer: LayerNormConfig::new(16).init(&device),
            classes: LinearConfig::new(16, 10).init(&device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = activation::relu(self.norm.forward(self.conv.forward(x)));
        let rows = self.pool.forward(x).flatten::<3>(2, 3);
        let (_, last) = self.rows.forward(rows, None);
        let x = activation::gelu(self.layer.forward(last.hidden));
        activation::softmax(self.classes.forward(x), 1)
    }
}

#[test]
fn half_networks_are_near_and_of_half_the_size() {
    let network = Network::new();
    let forward = |network: &Network, x: Tensor<4>| network.forward(x);
    for version in [16, 18, 23] {
        let exporter = Exporter::new()
            .opset(Opset::new(version).unwrap())
            .input("image", dims!["batch", 3, 16, 16])
            .output("classes");
        let whole = exporter.export(&network, forward).unwrap();
        let model = exporter.half().export(&network, forward).unwrap();
        let mut session = session(&model.to_bytes()).unwrap();
        let samples = Samples::new().tolerance(HALF);
        let verified = model.verify(&network, forward, &mut session, &samples);
        let difference = &verified.unwrap().outputs[0].absolute;
        assert!(difference.difference > 1e-7, "nothing was rounded");
        assert_eq!(model.warnings(), []);
        let elements = |model: &exporter::OnnxModel| {
            let graph = model.model().graph.clone().unwrap();
            let tensors = graph.initializer.into_iter();
            tensors.map(|tensor| tensor.raw_data.len()).max().unwrap()
        };
        assert_eq!(elements(&model) * 2, elements(&whole));
    }
}

#[test]
fn a_divisor_in_half_precision_is_kept_from_0() {
    for least in [1e-8, 1e-12, -1e-8] {
        let forward = |_: &Relu, x: Tensor<2>| {
            let zero = x.clone() * 0.0;
            zero.clone() / (zero.abs() + least) + x
        };
        let exporter = Exporter::new().input("x", dims!["n", 6]).output("y");
        let model = exporter.half().export(&Relu::new(), forward).unwrap();
        let mut session = session(&model.to_bytes()).unwrap();
        let samples = Samples::new().tolerance(HALF);
        let verified = model.verify(&Relu::new(), forward, &mut session, &samples);
        verified.unwrap_or_else(|error| panic!("{least}: {error}"));
    }
}

/// 32767 is no number of 16 bits; the one next to it wraps.
#[test]
fn integers_of_16_bits_reach_their_ends_in_half_precision() {
    let forward = |_: &Relu, x: Tensor<2>| {
        let scaled = x * f32::from(i16::MAX) * 2.0;
        scaled.cast(IntDType::I16).float() / f32::from(i16::MAX)
    };
    let exporter = Exporter::new().input("x", dims!["n", 6]).output("y");
    let model = exporter.half().export(&Relu::new(), forward).unwrap();
    let mut session = session(&model.to_bytes()).unwrap();
    let samples = Samples::new().tolerance(HALF);
    let verified = model.verify(&Relu::new(), forward, &mut session, &samples);
    verified.unwrap();
}

#[test]
fn half_attention_is_near() {
    let layer = MultiHeadAttentionConfig::new(12, 3).init(&Device::flex());
    let forward = |layer: &MultiHeadAttention, x: Tensor<3>| {
        let [n, t, _] = x.dims();
        let mask = generate_autoregressive_mask(n, t, &x.device());
        let first = layer.forward(MhaInput::self_attn(x)).context;
        let masked = MhaInput::self_attn(first).mask_attn(mask);
        layer.forward(masked).context
    };
    for version in [18, 23] {
        let exporter = Exporter::new().opset(Opset::new(version).unwrap());
        let exporter = exporter.input("x", dims!["n", "t", 12]).output("y").half();
        let model = exporter.export(&layer, forward).unwrap();
        let mut session = session(&model.to_bytes()).unwrap();
        let samples = Samples::new().tolerance(HALF);
        let verified = model.verify(&layer, forward, &mut session, &samples);
        verified.unwrap_or_else(|error| panic!("opset {version}: {error}"));
    }
}

#[test]
fn a_weight_beyond_half_precision_is_told() {
    let mut layer: Linear = LinearConfig::new(2, 2).init(&Device::flex());
    layer.weight = layer.weight.map(|weight| weight * 0.0 + 1e6);
    let exporter = Exporter::new().input("x", dims![1, 2]).output("y").half();
    let forward = |layer: &Linear, x: Tensor<2>| layer.forward(x);
    let model = exporter.export(&layer, forward).unwrap();
    let parameter = "weight".to_owned();
    assert_eq!(model.warnings(), [Warning::Clipped { parameter }]);
}

/// Checks a function of a tensor of `dtype`, between casts.
fn check(dtype: DType, name: &str, forward: fn(Tensor<2>) -> Tensor<2>) {
    let tolerance = match dtype {
        DType::F64 => 1e-6,
        DType::F16 => HALF,
        // Bfloat16 has 8 bits.
        _ => 5e-2,
    };
    let whole = |_: &Relu, x: Tensor<2>| forward(x.cast(dtype)).cast(DType::F32);
    for version in [18, 23] {
        let exporter = Exporter::new().opset(Opset::new(version).unwrap());
        let exporter = exporter.input("x", dims!["n", 6]).output("y");
        let model = exporter.export(&Relu::new(), whole).unwrap();
        let place = format!("{name} in {dtype:?} at opset {version}");
        let session = session(&model.to_bytes());
        let mut session = session.unwrap_or_else(|error| panic!("{place}: {error}"));
        let samples = Samples::new().tolerance(tolerance);
        let verified = model.verify(&Relu::new(), whole, &mut session, &samples);
        verified.unwrap_or_else(|error| panic!("{place}: {error}"));
    }
}

#[test]
fn arithmetic_matches_burn_in_other_precisions() {
    for dtype in [DType::F64, DType::F16] {
        check(dtype, "sum", |x| x.clone() * 2.0 + x);
        check(dtype, "product", |x| {
            x.clone().matmul(x.transpose()).sum_dim(1)
        });
        check(dtype, "softmax", |x| activation::softmax(x, 1));
        check(dtype, "exp", |x| (x * 0.5).exp().sqrt());
        check(dtype, "mean", |x| x.clone() - x.mean_dim(1));
        check(dtype, "mask", |x| {
            x.clone().mask_fill(x.greater_scalar(0.5), -1.0)
        });
        check(dtype, "infinite", |x| {
            let infinite = (x.clone() / 0.0).is_inf();
            x.mask_fill(infinite, 2.0)
        });
    }
}
