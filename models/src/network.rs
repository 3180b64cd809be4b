//! The Burn module of a whole network.

use std::fmt;

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::nn::conv::Conv2dConfig;
use burn::nn::{BatchNormConfig, DropoutConfig, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use kernels::PoolWindow;

use crate::architecture::{Operation, ResolvedLayer, Window};
use crate::block::Block;
use crate::layer::{Activation, Layer, Residual};

/// A feed-forward network: named layers, applied in order.
///
/// Parameters are visited under the layers' names: `conv1.weight`.
#[derive(Clone, Debug)]
pub struct Network {
    layers: Vec<(String, Layer)>,
}

impl Network {
    /// Logits `[batch, classes]` for images `[batch, channels, height, width]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.apply(Activation::Maps(images)).vectors()
    }

    pub(crate) fn apply(&self, x: Activation) -> Activation {
        let mut x = x;
        let mut layers = self.layers.as_slice();
        while let [(_, first), rest @ ..] = layers {
            (x, layers) = match Block::starting_at(layers) {
                Some(block) => (block.forward(x), &layers[block.layers()..]),
                None => (first.forward(x), rest),
            };
        }
        x
    }

    fn map_layers(self, mut f: impl FnMut(&str, Layer) -> Layer) -> Self {
        let layers = self.layers.into_iter();
        Self {
            layers: layers
                .map(|(name, layer)| {
                    let layer = f(&name, layer);
                    (name, layer)
                })
                .collect(),
        }
    }
}

/// Makes the modules of `layers` on `device`.
pub(crate) fn init(layers: &[ResolvedLayer], device: &Device) -> Network {
    Network {
        layers: layers
            .iter()
            .map(|layer| (layer.name.clone(), init_layer(&layer.operation, device)))
            .collect(),
    }
}

fn init_layer(operation: &Operation, device: &Device) -> Layer {
    match operation {
        Operation::Conv2d {
            channels,
            kernel,
            stride,
            padding: [top, left, bottom, right],
            dilation,
            groups,
            bias,
        } => Layer::Conv2d(
            Conv2dConfig::new(*channels, *kernel)
                .with_stride(*stride)
                .with_padding(PaddingConfig2d::Explicit(*top, *left, *bottom, *right))
                .with_dilation(*dilation)
                .with_groups(*groups)
                .with_bias(*bias)
                .init(device),
        ),
        Operation::BatchNorm(channels) => {
            Layer::BatchNorm(BatchNormConfig::new(*channels).init(device))
        }
        Operation::Relu => Layer::Relu,
        Operation::Gelu => Layer::Gelu,
        Operation::LeakyRelu(slope) => Layer::LeakyRelu(*slope),
        Operation::MaxPool(window) => Layer::MaxPool(pool_window(window)),
        Operation::AvgPool(window) => Layer::AvgPool(pool_window(window)),
        Operation::GlobalAvgPool => Layer::GlobalAvgPool,
        Operation::Dropout(probability) => Layer::Dropout(DropoutConfig::new(*probability).init()),
        Operation::Flatten => Layer::Flatten,
        Operation::Linear {
            features: [input, output],
            bias,
        } => Layer::Linear(
            LinearConfig::new(*input, *output)
                .with_bias(*bias)
                .init(device),
        ),
        Operation::Residual { body, shortcut } => Layer::Residual(Residual {
            body: init(body, device),
            shortcut: (!shortcut.is_empty()).then(|| init(shortcut, device)),
        }),
    }
}

fn pool_window(window: &Window) -> PoolWindow {
    PoolWindow {
        kernel: window.kernel,
        stride: window.stride,
        padding: [window.padding; 2],
    }
}

/// What Burn's adapters call the container of the layers.
const CONTAINER: &str = "Struct:Network";

// By hand, so that the layers' names stand in the parameters' paths.
impl Module for Network {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.layers.iter().fold(devices, |devices, (_, layer)| {
            layer.collect_devices(devices)
        })
    }

    fn fork(self, device: &Device) -> Self {
        self.map_layers(|_, layer| layer.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.map_layers(|_, layer| layer.to_device(device))
    }

    fn train(self) -> Self {
        self.map_layers(|_, layer| layer.train())
    }

    fn valid(&self) -> Self {
        self.clone().map_layers(|_, layer| layer.valid())
    }

    fn materialize(self) -> Self {
        self.map_layers(|_, layer| layer.materialize())
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        for (name, layer) in &self.layers {
            visitor.enter_module(name, CONTAINER);
            layer.visit(visitor);
            visitor.exit_module(name, CONTAINER);
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        self.map_layers(|name, layer| {
            mapper.enter_module(name, CONTAINER);
            let layer = layer.map(mapper);
            mapper.exit_module(name, CONTAINER);
            layer
        })
    }
}

impl ModuleDisplayDefault for Network {
    fn content(&self, content: Content) -> Option<Content> {
        self.layers
            .iter()
            .fold(content, |content, (name, layer)| {
                content.add_debug_attribute(name, layer)
            })
            .optional()
    }
}

impl ModuleDisplay for Network {}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format(Default::default()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use burn::tensor::Distribution;
    use proptest::prelude::*;
    use serde_saphyr::{Location, Spanned};

    use super::*;
    use crate::{Architecture, LayerSpec, ModelSpec, Shape};

    fn spec(layers: Vec<LayerSpec>) -> ModelSpec {
        let place = |layer| Spanned::new(layer, Location::UNKNOWN, Location::UNKNOWN);
        ModelSpec {
            layers: layers.into_iter().map(place).collect(),
        }
    }

    fn architecture(yaml: &str, input: [usize; 3]) -> Architecture {
        let spec: ModelSpec = serde_saphyr::from_str(yaml).unwrap();
        spec.resolve(input).unwrap()
    }

    fn images([channels, height, width]: [usize; 3], device: &Device) -> Tensor<4> {
        let shape = [2, channels, height, width];
        Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
    }

    /// The shape of one sample.
    fn shape(x: &Activation) -> Shape {
        match x {
            Activation::Maps(x) => {
                let [_, channels, height, width] = x.dims();
                Shape::Maps {
                    channels,
                    height,
                    width,
                }
            }
            Activation::Vectors(x) => Shape::Features(x.dims()[1]),
        }
    }

    /// Paths of all parameters, in order.
    fn parameters(network: &Network) -> Vec<String> {
        struct Paths(Vec<String>, Vec<String>);
        impl ModuleVisitor for Paths {
            fn enter_module(&mut self, name: &str, _: &str) {
                self.0.push(name.to_owned());
            }
            fn exit_module(&mut self, _: &str, _: &str) {
                self.0.pop();
            }
            fn visit_float<const D: usize>(&mut self, _: &burn::module::Param<Tensor<D>>) {
                self.1.push(self.0.join("."));
            }
        }
        let mut paths = Paths(vec![], vec![]);
        network.visit(&mut paths);
        paths.1
    }

    #[test]
    fn parameters_are_named_after_their_layers() {
        let yaml = "layers:
          - conv2d: { channels: 2, kernel: 3, padding: same }
          - batch_norm
          - residual:
              body: [{ conv2d: { channels: 2, kernel: 1, bias: false } }]
              shortcut: [{ conv2d: { name: skip, channels: 2, kernel: 1, bias: false } }]
          - flatten
          - linear: { name: head, features: 3 }";
        let network = architecture(yaml, [1, 4, 4]).init(&Device::flex());
        let mut names = parameters(&network);
        // Burn calls batch norm's parameters gamma and beta, files weight and bias.
        names.retain(|name| !name.contains("running"));
        assert_eq!(
            names,
            [
                "conv1.weight",
                "conv1.bias",
                "bn1.gamma",
                "bn1.beta",
                "res1.body.conv1.weight",
                "res1.shortcut.skip.weight",
                "head.weight",
                "head.bias",
            ]
        );
    }

    #[test]
    fn dropout_acts_in_training_alone() {
        let device = Device::flex();
        let network = architecture("layers: [dropout: 0.5, flatten]", [1, 8, 8]).init(&device);
        let x = images([1, 8, 8], &device);
        let y = network.valid().forward(x.clone());
        assert_eq!(y.into_data(), x.flatten::<2>(1, 3).into_data());
    }

    #[test]
    fn residual_adds_the_input_where_there_is_no_shortcut() {
        let device = Device::flex();
        let yaml = "layers: [residual: { body: [relu] }, flatten]";
        let network = architecture(yaml, [1, 3, 3]).init(&device);
        let x = images([1, 3, 3], &device);
        let expected = burn::tensor::activation::relu(x.clone()) + x.clone();
        let expected = expected.flatten::<2>(1, 3).into_data();
        assert_eq!(network.forward(x).into_data(), expected);
    }

    #[test]
    fn average_pooling_does_not_count_padding() {
        let device = Device::flex();
        let yaml = "layers: [avg_pool: { kernel: 2, padding: 1 }, flatten]";
        let network = architecture(yaml, [1, 2, 2]).init(&device);
        let x = Tensor::<4>::from_data([[[[1.0, 2.0], [3.0, 4.0]]]], &device);
        let y = network.forward(x).into_data();
        assert_eq!(y.try_to_vec::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0]);
    }

    fn any_layer() -> impl Strategy<Value = LayerSpec> {
        let layer =
            prop_oneof![
            (
                1..5usize, 1..6usize, 1..6usize, 1..4usize, any::<bool>(), 0..4usize,
                (1..3usize, 1..4usize)
            ).prop_map(
                |(channels, height, width, stride, bias, padding, (dilation, groups))| format!(
                    "conv2d: {{ channels: {channels}, kernel: [{height}, {width}], \
                     stride: {stride}, bias: {bias}, padding: {}, dilation: [{dilation}, 1], \
                     groups: {groups} }}",
                    ["same", "valid", "1", "[2, 0]"][padding]
                )
            ),
            (1..4usize, 1..4usize, 0..2usize, any::<bool>()).prop_map(
                |(kernel, stride, padding, max)| format!(
                    "{}: {{ kernel: {kernel}, stride: {stride}, padding: {padding} }}",
                    if max { "max_pool" } else { "avg_pool" }
                )
            ),
            Just("max_pool: 2".to_owned()),
            Just("relu".to_owned()),
            Just("gelu".to_owned()),
            Just("leaky_relu".to_owned()),
            Just("batch_norm".to_owned()),
            Just("global_avg_pool".to_owned()),
            Just("flatten".to_owned()),
            Just("dropout: 0.3".to_owned()),
            (1..9usize).prop_map(|features| format!("linear: {features}")),
            Just(
                "residual: { body: [relu, { conv2d: { channels: 3, kernel: 3, padding: same } }], \
                 shortcut: [{ conv2d: { channels: 3, kernel: 1 } }] }"
                    .to_owned()
            ),
            Just("residual: { body: [leaky_relu: { slope: 0.3 }] }".to_owned()),
        ];
        layer.prop_map(|yaml| serde_saphyr::from_str(&yaml).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn inferred_shapes_are_real_and_fused_layers_answer_as_plain_ones(
            channels in 1..4usize,
            height in 3..16usize,
            width in 3..16usize,
            candidates in proptest::collection::vec(any_layer(), 1..9),
        ) {
            let input = [channels, height, width];
            // Those that fit one after the other.
            let mut layers = Vec::new();
            for layer in candidates {
                layers.push(layer);
                if spec(layers.clone()).resolve(input).is_err() {
                    layers.pop();
                }
            }
            let architecture = spec(layers).resolve(input).unwrap();
            let device = Device::flex();
            let network = architecture.init(&device).valid();
            let images = images(input, &device);

            let mut plain = Activation::Maps(images.clone());
            for ((_, layer), resolved) in network.layers.iter().zip(architecture.layers()) {
                plain = layer.forward(plain);
                prop_assert_eq!(shape(&plain), resolved.output, "{}", resolved.name);
            }
            let fused = network.apply(Activation::Maps(images));
            prop_assert_eq!(shape(&fused), architecture.output());
            let difference = (fused.vectors() - plain.vectors()).abs().max().into_scalar::<f32>();
            prop_assert!(difference < 1e-4, "{}", difference);
        }

        #[test]
        fn same_padding_is_that_of_burn(
            size in (1..20usize, 1..20usize),
            kernel in (1..7usize, 1..7usize),
            stride in (1..5usize, 1..5usize),
        ) {
            let yaml = format!(
                "layers: [conv2d: {{ channels: 2, kernel: [{}, {}], stride: [{}, {}], padding: same }}]",
                kernel.0, kernel.1, stride.0, stride.1
            );
            let device = Device::flex();
            let input = [1, size.0, size.1];
            let network = architecture(&yaml, input).init(&device);
            let [(_, Layer::Conv2d(ours))] = &network.layers[..] else {
                panic!("one convolution");
            };
            let mut burns = ours.clone();
            burns.padding = PaddingConfig2d::Same;
            let x = images(input, &device);
            let expected = burns.forward(x.clone());
            prop_assert_eq!(
                expected.dims()[2..].to_vec(),
                vec![size.0.div_ceil(stride.0), size.1.div_ceil(stride.1)]
            );
            prop_assert_eq!(ours.forward(x).into_data(), expected.into_data());
        }
    }
}
