//! The nodes, attributes and names that layers become.

#![allow(clippy::unwrap_used)]

use burn::module::Module;
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2dConfig, AvgPool2dConfig, MaxPool2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, Dropout, DropoutConfig, GroupNormConfig, InstanceNormConfig,
    Linear, LinearConfig, PaddingConfig2d, Relu, RmsNormConfig,
};
use burn::tensor::{DType, Device, Int, Tensor, activation};
use exporter::{Dim, Exporter, OnnxModel, Opset, Warning, dims};
use onnx::proto::tensor_shape_proto::dimension::Value;
use onnx::proto::{GraphProto, NodeProto, ValueInfoProto, type_proto};

#[derive(Module, Debug)]
struct Network {
    conv1: Conv2d,
    norm: BatchNorm,
    dropout: Dropout,
    fc: Linear,
}

impl Network {
    fn new(device: &Device) -> Self {
        Self {
            conv1: Conv2dConfig::new([1, 4], [3, 3]).init(device),
            norm: BatchNormConfig::new(4).init(device),
            dropout: DropoutConfig::new(0.5).init(),
            fc: LinearConfig::new(4 * 13 * 13, 10).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = activation::relu(self.norm.forward(self.conv1.forward(x)));
        let x = MaxPool2dConfig::new([2, 2])
            .with_strides([2, 2])
            .init()
            .forward(x);
        self.fc.forward(self.dropout.forward(x.flatten::<2>(1, 3)))
    }
}

fn export_network() -> OnnxModel {
    Exporter::new()
        .input("image", dims!["batch", 1, 28, 28])
        .output("logits")
        .metadata("b", "first")
        .metadata("a", "second")
        .export(
            &Network::new(&Device::flex()),
            |network: &Network, x: Tensor<4>| network.forward(x),
        )
        .unwrap()
}

fn graph(model: &OnnxModel) -> &GraphProto {
    model.model().graph.as_ref().unwrap()
}

fn op_types(model: &OnnxModel) -> Vec<&str> {
    graph(model)
        .node
        .iter()
        .map(|node| node.op_type.as_str())
        .collect()
}

/// Exports a function of one tensor.
fn of<const D: usize, const E: usize>(
    opset: u8,
    dims: Vec<Dim>,
    forward: impl Fn(Tensor<D>) -> Tensor<E>,
) -> OnnxModel {
    Exporter::new()
        .opset(Opset::new(opset).unwrap())
        .input("x", dims)
        .output("y")
        .export(&Relu::new(), |_, x: Tensor<D>| forward(x))
        .unwrap()
}

fn ints(node: &NodeProto, name: &str) -> Vec<i64> {
    let attribute = node
        .attribute
        .iter()
        .find(|attribute| attribute.name == name);
    attribute
        .map(|attribute| attribute.ints.clone())
        .unwrap_or_default()
}

fn int(node: &NodeProto, name: &str) -> i64 {
    let attribute = node
        .attribute
        .iter()
        .find(|attribute| attribute.name == name);
    attribute.unwrap().i
}

fn shape(info: &ValueInfoProto) -> Vec<String> {
    let Some(type_proto::Value::TensorType(tensor)) = &info.r#type.as_ref().unwrap().value else {
        panic!("no tensor");
    };
    let dims = tensor.shape.as_ref().unwrap().dim.iter();
    dims.map(|dim| match &dim.value {
        Some(Value::DimValue(size)) => size.to_string(),
        Some(Value::DimParam(name)) => name.clone(),
        None => "?".to_owned(),
    })
    .collect()
}

#[test]
fn a_classifier_becomes_a_node_for_each_layer() {
    let model = export_network();
    assert_eq!(
        op_types(&model),
        ["Conv", "Relu", "MaxPool", "Reshape", "Gemm"]
    );
    assert_eq!(
        model.summary().to_string(),
        "5 nodes (Conv 1, Gemm 1, MaxPool 1, Relu 1, Reshape 1), \
         5 initializers with 6812 elements"
    );
    assert!(model.warnings().is_empty());
}

#[test]
fn names_follow_the_modules() {
    let model = export_network();
    let nodes = graph(&model).node.iter().map(|node| node.name.as_str());
    let nodes: Vec<&str> = nodes.collect();
    assert_eq!(
        nodes,
        [
            "/conv1/Conv",
            "/norm/Relu",
            "/norm/MaxPool",
            "/norm/Reshape",
            "/fc/Gemm"
        ]
    );
    assert_eq!(
        initializers(&model),
        [
            "conv1.weight",
            "conv1.bias",
            "/norm/Reshape.shape",
            "fc.weight",
            "fc.bias"
        ]
    );
}

fn initializers(model: &OnnxModel) -> Vec<&str> {
    let initializers = graph(model).initializer.iter();
    initializers.map(|tensor| tensor.name.as_str()).collect()
}

#[test]
fn batch_norm_by_itself_keeps_its_statistics() {
    let layer = BatchNormConfig::new(4).init(&Device::flex());
    let exporter = Exporter::new().input("x", dims!["n", 4, 5, 5]).output("y");
    let model = exporter
        .export(&layer, |layer, x: Tensor<4>| layer.forward(x))
        .unwrap();
    assert_eq!(op_types(&model), ["BatchNormalization"]);
    assert_eq!(
        initializers(&model),
        ["gamma", "beta", "running_mean", "running_var"]
    );
}

#[test]
fn batch_norm_after_a_shared_convolution_is_kept() {
    let device = Device::flex();
    let layers = (
        Conv2dConfig::new([1, 4], [3, 3]).init(&device),
        BatchNormConfig::new(4).init(&device),
    );
    let exporter = Exporter::new().input("x", dims!["n", 1, 8, 8]).output("y");
    let model = exporter
        .export(&layers, |(conv, norm), x: Tensor<4>| {
            let x = conv.forward(x);
            norm.forward(x.clone()) + x
        })
        .unwrap();
    assert_eq!(op_types(&model), ["Conv", "BatchNormalization", "Add"]);
}

#[test]
fn normalizations_are_found_in_their_arithmetic() {
    let device = Device::flex();
    let at = |opset| {
        let exporter = Exporter::new().opset(Opset::new(opset).unwrap());
        exporter.input("x", dims!["n", 6, 5, 7]).output("y")
    };
    let instance = InstanceNormConfig::new(6).init(&device);
    let model = at(18).export(&instance, |layer, x: Tensor<4>| layer.forward(x));
    assert_eq!(op_types(&model.unwrap()), ["InstanceNormalization"]);
    let group = GroupNormConfig::new(3, 6).init(&device);
    let model = at(21).export(&group, |layer, x: Tensor<4>| layer.forward(x));
    let model = model.unwrap();
    assert_eq!(op_types(&model), ["GroupNormalization"]);
    assert_eq!(initializers(&model), ["gamma", "beta"]);
    let model = at(18).export(&group, |layer, x: Tensor<4>| layer.forward(x));
    assert_eq!(
        op_types(&model.unwrap()),
        ["Reshape", "InstanceNormalization", "Reshape", "Mul", "Add"]
    );
    let rms = RmsNormConfig::new(7).init(&device);
    let model = at(23).export(&rms, |layer, x: Tensor<4>| layer.forward(x));
    assert_eq!(op_types(&model.unwrap()), ["RMSNormalization"]);
}

#[test]
fn activations_are_found_in_their_arithmetic() {
    let softplus = of::<2, 2>(18, dims!["n", 4], |x| activation::softplus(x, 1.0));
    assert_eq!(op_types(&softplus), ["Softplus"]);
    let mish = of::<2, 2>(18, dims!["n", 4], activation::mish);
    assert_eq!(op_types(&mish), ["Mish"]);
    let gelu = of::<2, 2>(20, dims!["n", 4], activation::gelu_approximate);
    assert_eq!(op_types(&gelu), ["Gelu"]);
    let hard_swish = of::<2, 2>(18, dims!["n", 4], activation::hard_swish);
    assert_eq!(op_types(&hard_swish), ["HardSwish"]);
}

#[test]
fn the_boundary_is_named_and_symbolic() {
    let model = export_network();
    let (input, output) = (&graph(&model).input, &graph(&model).output);
    assert_eq!(
        (input[0].name.as_str(), output[0].name.as_str()),
        ("image", "logits")
    );
    assert_eq!(shape(&input[0]), ["batch", "1", "28", "28"]);
    assert_eq!(shape(&output[0]), ["batch", "10"]);
    let inner: Vec<Vec<String>> = graph(&model).value_info.iter().map(shape).collect();
    assert_eq!(inner[2], ["batch", "4", "13", "13"]);
}

#[test]
fn the_header_says_who_wrote_it_for_which_opset() {
    let model = export_network();
    let proto = model.model();
    assert_eq!(proto.producer_name, "burnish");
    assert_eq!(proto.producer_version, env!("CARGO_PKG_VERSION"));
    assert_eq!((proto.ir_version, proto.opset_import[0].version), (8, 18));
    let metadata = proto.metadata_props.iter();
    let metadata: Vec<(&str, &str)> = metadata
        .map(|entry| (entry.key.as_str(), entry.value.as_str()))
        .collect();
    assert_eq!(metadata, [("b", "first"), ("a", "second")]);
}

#[test]
fn every_initializer_is_read_and_every_attribute_has_a_type() {
    let model = export_network();
    for initializer in &graph(&model).initializer {
        let reads = graph(&model).node.iter().flat_map(|node| &node.input);
        assert!(
            reads.clone().any(|input| *input == initializer.name),
            "{}",
            initializer.name
        );
    }
    let attributes = graph(&model).node.iter().flat_map(|node| &node.attribute);
    assert!(attributes.clone().all(|attribute| attribute.r#type != 0));
}

#[test]
fn pads_are_all_begins_then_all_ends() {
    let layer = Conv2dConfig::new([1, 1], [3, 3])
        .with_padding(PaddingConfig2d::Explicit(1, 2, 3, 4))
        .init(&Device::flex());
    let exporter = Exporter::new().input("x", dims![1, 1, 8, 8]).output("y");
    let model = exporter
        .export(&layer, |layer, x: Tensor<4>| layer.forward(x))
        .unwrap();
    assert_eq!(ints(&graph(&model).node[0], "pads"), [1, 2, 3, 4]);
}

#[test]
fn same_padding_of_an_even_kernel_is_uneven() {
    let layer = Conv2dConfig::new([1, 1], [4, 4])
        .with_padding(PaddingConfig2d::Same)
        .init(&Device::flex());
    let exporter = Exporter::new().input("x", dims![1, 1, 8, 8]).output("y");
    let model = exporter
        .export(&layer, |layer, x: Tensor<4>| layer.forward(x))
        .unwrap();
    let pads = ints(&graph(&model).node[0], "pads");
    assert_eq!(pads[0] + pads[2], 3);
    assert_ne!(pads[0], pads[2]);
}

/// The nodes of a self-attention layer at an operator set.
fn attention_at(opset: u8) -> Vec<String> {
    let layer = MultiHeadAttentionConfig::new(12, 3).init(&Device::flex());
    let exporter = Exporter::new().opset(Opset::new(opset).unwrap());
    let exporter = exporter.input("x", dims!["n", "t", 12]).output("y");
    let forward = |layer: &MultiHeadAttention, x| layer.forward(MhaInput::self_attn(x)).context;
    let model = exporter.export(&layer, forward).unwrap();
    let nodes = graph(&model).node.iter();
    nodes.map(|node| node.op_type.clone()).collect()
}

#[test]
fn attention_is_one_node_where_the_opset_has_it() {
    let expected = "MatMul Add MatMul Add MatMul Add Attention MatMul Add";
    assert_eq!(attention_at(23).join(" "), expected);
    assert!(attention_at(22).contains(&"Softmax".to_owned()));
}

#[test]
fn average_pools_say_whether_padding_counts() {
    for counted in [false, true] {
        let pool = AvgPool2dConfig::new([2, 2])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_count_include_pad(counted)
            .init();
        let exporter = Exporter::new().input("x", dims!["n", 1, 8, 8]).output("y");
        let model = exporter
            .export(&pool, |pool, x: Tensor<4>| pool.forward(x))
            .unwrap();
        let node = &graph(&model).node[0];
        let written = node
            .attribute
            .iter()
            .any(|a| a.name == "count_include_pad" && a.i == 1);
        assert_eq!((node.op_type.as_str(), written), ("AveragePool", counted));
    }
}

#[test]
fn an_adaptive_pool_to_one_is_a_global_pool() {
    let pool = AdaptiveAvgPool2dConfig::new([1, 1]).init();
    let exporter = Exporter::new()
        .input("x", dims!["n", 3, "h", "w"])
        .output("y");
    let model = exporter
        .export(&pool, |pool, x: Tensor<4>| pool.forward(x))
        .unwrap();
    assert_eq!(op_types(&model), ["GlobalAveragePool"]);
}

#[test]
fn gelu_is_native_from_opset_20() {
    let gelu = |opset| of::<2, 2>(opset, dims!["n", 4], activation::gelu);
    assert_eq!(op_types(&gelu(18)), ["Div", "Erf", "Add", "Mul", "Mul"]);
    assert_eq!(op_types(&gelu(20)), ["Gelu"]);
}

#[test]
fn reductions_take_axes_as_the_opset_has_them() {
    let mean = |opset| of::<2, 2>(opset, dims!["n", 4], |x| x.mean_dim(1));
    assert_eq!(ints(&graph(&mean(16)).node[0], "axes"), [1]);
    assert_eq!(graph(&mean(18)).node[0].input.len(), 2);
}

#[test]
fn softmax_names_its_axis() {
    let model = of::<2, 2>(18, dims!["n", 4], |x| activation::softmax(x, 1));
    let node = &graph(&model).node[0];
    assert_eq!((node.op_type.as_str(), int(node, "axis")), ("Softmax", 1));
}

#[test]
fn linear_layers_of_any_rank_need_no_reshape() {
    let layer = LinearConfig::new(60, 8).init(&Device::flex());
    let exporter = Exporter::new().input("x", dims!["n", 5, 60]).output("y");
    let model = exporter
        .export(&layer, |layer, x: Tensor<3>| layer.forward(x))
        .unwrap();
    assert_eq!(op_types(&model), ["MatMul", "Add"]);
}

#[test]
fn dropout_leaves_no_trace() {
    let dropout = DropoutConfig::new(0.5).init();
    let exporter = Exporter::new().input("x", dims!["n", 4]).output("y");
    let model = exporter
        .export(&dropout, |dropout, x: Tensor<2>| dropout.forward(x))
        .unwrap();
    assert_eq!(op_types(&model), ["Identity"]);
}

#[test]
fn slices_leave_out_axes_that_are_taken_whole() {
    let model = of::<3, 3>(18, dims!["n", 6, 4], |x| {
        let n = x.dims()[0];
        x.slice([0..n, 1..3, 0..4])
    });
    let node = &graph(&model).node[0];
    let axes = graph(&model)
        .initializer
        .iter()
        .find(|tensor| tensor.name == node.input[3]);
    assert_eq!(axes.unwrap().raw_data[..], 1i64.to_le_bytes());
}

#[test]
fn transposes_that_cancel_are_gone() {
    let model = of::<3, 3>(18, dims!["n", 6, 4], |x| {
        activation::relu(x.swap_dims(1, 2).swap_dims(1, 2))
    });
    assert_eq!(op_types(&model), ["Relu"]);
}

#[test]
fn equal_computations_are_made_once() {
    let model = of::<2, 2>(18, dims!["n", 4], |x| x.clone().exp() + x.exp());
    assert_eq!(op_types(&model), ["Exp", "Add"]);
}

#[test]
fn unused_computations_are_gone() {
    let model = of::<2, 2>(18, dims!["n", 4], |x| {
        let _ = x.clone().exp().sum_dim(1);
        activation::relu(x)
    });
    assert_eq!(op_types(&model), ["Relu"]);
}

#[test]
fn tied_parameters_are_stored_once() {
    #[derive(Module, Debug)]
    struct Tied {
        encode: Linear,
        decode: Linear,
    }
    let encode = LinearConfig::new(4, 4)
        .with_bias(false)
        .init(&Device::flex());
    let tied = Tied {
        decode: encode.clone(),
        encode,
    };
    let exporter = Exporter::new().input("x", dims!["n", 4]).output("y");
    let model = exporter
        .export(&tied, |tied: &Tied, x: Tensor<2>| {
            tied.decode.forward(tied.encode.forward(x))
        })
        .unwrap();
    let names = graph(&model)
        .initializer
        .iter()
        .map(|tensor| tensor.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["encode.weight"]);
}

#[test]
fn inputs_have_the_declared_element_types() {
    let exporter = Exporter::new()
        .input_of("ids", dims!["n"], DType::I32)
        .input("x", dims!["n"])
        .output("y");
    let model = exporter
        .export(&Relu::new(), |_, (ids, x): (Tensor<1, Int>, Tensor<1>)| {
            ids.float() + x
        })
        .unwrap();
    let types = graph(&model).input.iter().map(|input| {
        let Some(type_proto::Value::TensorType(tensor)) = &input.r#type.as_ref().unwrap().value
        else {
            panic!("no tensor");
        };
        tensor.elem_type
    });
    assert_eq!(types.collect::<Vec<_>>(), [6, 1]);
}

#[test]
fn sizes_without_a_formula_are_warned_about() {
    let layer = Conv2dConfig::new([1, 1], [3, 3])
        .with_stride([2, 2])
        .init(&Device::flex());
    let exporter = Exporter::new()
        .input("x", dims![1, 1, "h", 9])
        .sizes("h", [8, 9, 12, 15])
        .output("y");
    let model = exporter
        .export(&layer, |layer, x: Tensor<4>| layer.forward(x))
        .unwrap();
    let output = "y".to_owned();
    assert_eq!(
        model.warnings(),
        [Warning::UnnamedDimension { output, axis: 2 }]
    );
    assert_eq!(shape(&graph(&model).output[0]), ["1", "1", "?", "4"]);
}

#[test]
fn a_saved_model_is_what_its_bytes_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let model = export_network();
    model.save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), model.to_bytes());
    assert_eq!(onnx::read(&path).unwrap(), *model.model());
}
