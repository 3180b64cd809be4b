//! Normalizations, linear layers and embeddings.

use burn::nn::{
    BatchNormConfig, EmbeddingConfig, GroupNormConfig, InstanceNormConfig, LayerNormConfig,
    LinearConfig, LinearLayout, LocalResponseNormConfig, PReluConfig, RmsNormConfig, SwiGluConfig,
};
use burn::tensor::{Device, Int, Tensor};
use exporter::{Dim, Exporter, dims};

use tests::export::{case, integers, normal};

fn image() -> Vec<Dim> {
    dims!["n", 6, 5, 7]
}

fn images(n: usize) -> Tensor<4> {
    normal([n, 6, 5, 7])
}

fn any_image() -> Vec<Dim> {
    dims!["n", 6, "height", "width"]
}

#[test]
fn normalizations_match_burn() {
    let device = Device::flex();
    let batch = BatchNormConfig::new(6).init(&device);
    case("batch").module(image(), &batch, images, |layer, x| layer.forward(x));
    let rows = |n| normal([n, 6]);
    case("batch of rows").module(dims!["n", 6], &batch, rows, |layer, x| layer.forward(x));
    let group = GroupNormConfig::new(3, 6);
    let layer = group.init(&device);
    case("group").module(image(), &layer, images, |layer, x| layer.forward(x));
    case("group, any image").module(any_image(), &layer, images, |layer, x| layer.forward(x));
    let plain = group.with_affine(false).init(&device);
    case("group, plain").module(image(), &plain, images, |layer, x| layer.forward(x));
    let instance = InstanceNormConfig::new(6).init(&device);
    case("instance").module(image(), &instance, images, |layer, x| layer.forward(x));
    case("instance, any image").module(any_image(), &instance, images, |layer, x| layer.forward(x));
    let layer = LayerNormConfig::new(7);
    case("layer").module(image(), &layer.init(&device), images, |layer, x| {
        layer.forward(x)
    });
    let plain = layer.with_bias(false).init(&device);
    case("layer, no bias").module(image(), &plain, images, |layer, x| layer.forward(x));
    let rms = RmsNormConfig::new(7).init(&device);
    case("rms").module(image(), &rms, images, |layer, x| layer.forward(x));
    let local = LocalResponseNormConfig::new(3).init();
    case("local response").module(image(), &local, images, |layer, x| layer.forward(x));
}

#[test]
fn parametric_activations_match_burn() {
    let device = Device::flex();
    let prelu = PReluConfig::new().with_num_parameters(6).init(&device);
    case("prelu by channel").module(image(), &prelu, images, |layer, x| layer.forward(x));
    let prelu = PReluConfig::new().init(&device);
    case("prelu").module(image(), &prelu, images, |layer, x| layer.forward(x));
    let swiglu = SwiGluConfig::new(6, 8).init(&device);
    let rows = |n| normal([n, 6]);
    case("swiglu").module(dims!["n", 6], &swiglu, rows, |layer, x| layer.forward(x));
}

#[test]
fn linear_layers_match_burn_at_every_rank_and_batch() {
    let device = Device::flex();
    let linear = LinearConfig::new(6, 8);
    let layer = linear.init(&device);
    case("1").module(
        dims![6],
        &layer,
        |_| normal([6]),
        |layer, x| layer.forward(x),
    );
    case("2").module(
        dims!["n", 6],
        &layer,
        |n| normal([n, 6]),
        |layer, x| layer.forward(x),
    );
    let sequence = |n: usize| normal([n, n + 8, 6]);
    case("3").module(dims!["n", "t", 6], &layer, sequence, |layer, x| {
        layer.forward(x)
    });
    let nested = |n: usize| normal([n, n + 8, 3, 6]);
    case("4").module(dims!["n", "t", 3, 6], &layer, nested, |layer, x| {
        layer.forward(x)
    });
    let plain = linear.clone().with_bias(false).init(&device);
    case("plain").module(
        dims!["n", 6],
        &plain,
        |n| normal([n, 6]),
        |layer, x| layer.forward(x),
    );
    let columns = linear.with_layout(LinearLayout::Col).init(&device);
    case("by columns").module(
        dims!["n", 6],
        &columns,
        |n| normal([n, 6]),
        |layer, x| layer.forward(x),
    );
    // Burn records this one in another form where the batch is large.
    let wide = LinearConfig::new(60, 8).init(&device);
    let rows = |n| normal([n, 5, 60]);
    case("wide").module(dims!["n", 5, 60], &wide, rows, |layer, x| layer.forward(x));
}

#[test]
fn a_reshape_after_a_linear_layer_is_not_its_own() {
    let layer = LinearConfig::new(64, 64).init(&Device::flex());
    let inputs = |n| normal([n, 8, 8, 8]);
    case("linear").module(dims!["n", 8, 8, 8], &layer, inputs, |layer, x| {
        let shape = x.dims();
        layer.forward(x.flatten::<3>(2, 3)).reshape(shape)
    });
}

#[test]
fn only_a_gain_of_the_last_axis_belongs_to_a_normalization() {
    for gain in [[1, 1, 4], [1, 4, 1]] {
        let inputs = |n| normal([n, 4, 4]);
        case(format!("{gain:?}")).of(dims!["n", 4, 4], inputs, |x: Tensor<3>| {
            let numbers = Tensor::<1>::from_floats([0.5, 1.0, 2.0, 3.0], &x.device());
            let mean = x.clone().square().mean_dim(2);
            x / (mean + 1e-5).sqrt() * numbers.reshape(gain)
        });
    }
}

#[test]
fn embeddings_match_burn() {
    let layer = EmbeddingConfig::new(20, 6).init(&Device::flex());
    let exporter = Exporter::new().input("ids", dims!["n", "t"]).output("y");
    let inputs = |n: usize| integers([n, n + 8], 0.0, 19.0);
    case("embedding").check(exporter, &layer, inputs, |layer, ids: Tensor<2, Int>| {
        layer.forward(ids)
    });
}
