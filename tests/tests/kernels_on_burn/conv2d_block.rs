//! The block of a convolution.

use burn::backend::capture::CaptureBackend;
use burn::tensor::{Device, Distribution, Tensor};
use kernels::{Conv2dBlock, Operation, conv2d_block};
use proptest::prelude::*;

use super::{NOT_FINITE, assert_same, backward, counted, turn, values};

/// Largest error, as part of the largest value.
const TOLERANCE: f32 = 2e-5;

/// Sizes of a block's operands.
#[derive(Clone, Copy, Debug)]
struct Case {
    x: [usize; 4],
    weight: [usize; 4],
    bias: bool,
    block: Conv2dBlock,
}

/// Blocks that the direct methods are for: Winograd's takes more channels, and rounds what is exact
/// here.
fn case() -> impl Strategy<Value = Case> {
    let sizes = (
        1_usize..5,
        1_usize..8,
        1_usize..20,
        2_usize..14,
        2_usize..14,
    );
    let kernel = (1_usize..6, 1_usize..6, 1_usize..3, 1_usize..3);
    let padding = [0_usize..3, 0..3, 0..3, 0..3];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (sizes, kernel, padding, flags)
        .prop_map(
            |((n, c, o, h, w), (kh, kw, sy, sx), padding, (relu, max_pool, bias))| Case {
                x: [n, c, h, w],
                weight: [o, c, kh, kw],
                bias,
                block: Conv2dBlock {
                    stride: [sy, sx],
                    padding,
                    relu,
                    max_pool,
                },
            },
        )
        .prop_filter("output is empty", |case| {
            let [top, left, bottom, right] = case.block.padding;
            let size = |size: usize, padding: usize, kernel: usize, stride: usize| {
                (size + padding + 1_usize)
                    .checked_sub(kernel)
                    .map_or(0, |room| room.div_ceil(stride))
            };
            let least = if case.block.max_pool { 2 } else { 1 };
            size(
                case.x[2],
                top + bottom,
                case.weight[2],
                case.block.stride[0],
            ) >= least
                && size(
                    case.x[3],
                    left + right,
                    case.weight[3],
                    case.block.stride[1],
                ) >= least
        })
}

/// Eighths, whose sums of products are exact: no choice between two values, by pooling or ReLU,
/// depends on the order of the sums.
fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let values = Tensor::random(shape, Distribution::Uniform(-8.0, 8.0), device);
    values.round().div_scalar(8.0)
}

/// Output and gradients (input, weight, bias) of a block.
fn train(case: &Case, x: &Tensor<4>, weight: &Tensor<4>, bias: &Tensor<1>) -> Vec<Vec<f32>> {
    let x = x.clone().require_grad();
    let weight = weight.clone().require_grad();
    let bias = bias.clone().require_grad();
    let out = conv2d_block(
        x.clone(),
        weight.clone(),
        case.bias.then(|| bias.clone()),
        &case.block,
    );
    let grads = backward(&out);
    let mut results = vec![
        values(out),
        values(x.grad(&grads).unwrap()),
        values(weight.grad(&grads).unwrap()),
    ];
    results.extend(bias.grad(&grads).map(values));
    results
}

impl Case {
    /// Operands at random: input, weights, bias.
    fn operands(&self) -> (Tensor<4>, Tensor<4>, Tensor<1>) {
        let device = Device::flex().autodiff();
        let bias = random([self.weight[0]], &device);
        (random(self.x, &device), random(self.weight, &device), bias)
    }
}

/// Compares a block's results with Burn's.
#[track_caller]
fn check(case: &Case, (x, weight, bias): &(Tensor<4>, Tensor<4>, Tensor<1>), tolerance: f32) {
    assert_same(Operation::Conv2d, tolerance, || {
        train(case, x, weight, bias)
    });
}

/// Blocks that Winograd's method is for.
fn square_case() -> impl Strategy<Value = Case> {
    let sizes = (
        1_usize..9,
        8_usize..20,
        8_usize..20,
        10_usize..17,
        3_usize..6,
    );
    let flags = (0_usize..3, any::<bool>());
    (sizes, flags).prop_map(|((n, c, o, size, kernel), (padding, bias))| Case {
        x: [n, c, size, size],
        weight: [o, c, kernel, kernel],
        bias,
        block: Conv2dBlock {
            padding: [padding; 4],
            ..Conv2dBlock::default()
        },
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn outputs_and_gradients_are_those_of_burn(case in case()) {
        check(&case, &case.operands(), TOLERANCE);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    // Without ReLU and pooling, whose choices between almost equal values would be others.
    #[test]
    fn winograds_method_gives_what_burn_does(case in square_case()) {
        check(&case, &case.operands(), 5e-5);
    }
}

const CASE: Case = Case {
    x: [3, 2, 11, 11],
    weight: [5, 2, 3, 3],
    bias: true,
    block: Conv2dBlock {
        stride: [1, 1],
        padding: [0; 4],
        relu: true,
        max_pool: true,
    },
};

#[test]
fn inference_takes_the_fused_path_and_agrees_with_burn() {
    let (x, weight, bias) = CASE.operands();
    let [x, weight] = [x, weight].map(Tensor::inner);
    let bias = bias.inner();
    assert_same(Operation::Conv2d, TOLERANCE, || {
        let bias = Some(bias.clone());
        vec![values(conv2d_block(
            x.clone(),
            weight.clone(),
            bias,
            &CASE.block,
        ))]
    });
}

#[test]
fn a_strided_view_is_read_as_its_values() {
    let device = Device::flex().autodiff();
    let x = random([11, 11, 2, 3], &device).permute([3, 2, 1, 0]);
    let weight = random([3, 3, 2, 5], &device).permute([3, 2, 1, 0]);
    let bias = random([9], &device).narrow(0, 2, 5);
    check(&CASE, &(x, weight, bias), TOLERANCE);
}

/// Blocks of all methods: with pooling (few taps and many), with padding that is stored and that
/// is left out, with strides, and Winograd's.
fn blocks() -> Vec<Case> {
    let wide = Case {
        x: [3, 16, 12, 12],
        weight: [8, 16, 3, 3],
        ..CASE
    };
    let plain = Conv2dBlock::default();
    let padded = Conv2dBlock {
        padding: [1; 4],
        ..plain
    };
    let strided = Conv2dBlock {
        stride: [2, 1],
        ..padded
    };
    vec![
        Case {
            x: [3, 2, 12, 12],
            ..CASE
        },
        Case {
            x: [3, 2, 12, 12],
            weight: [5, 2, 5, 5],
            ..CASE
        },
        Case {
            block: padded,
            ..CASE
        },
        Case {
            block: strided,
            ..CASE
        },
        Case {
            block: plain,
            ..wide
        },
        Case {
            block: padded,
            ..wide
        },
        Case {
            block: strided,
            ..wide
        },
    ]
}

#[test]
fn nan_and_infinities_of_images_and_biases_spread_as_in_burn() {
    for case in blocks() {
        for value in NOT_FINITE {
            let (x, weight, bias) = case.operands();
            let spoilt = x.clone().slice_fill([1..2, 0..1, 4..5, 5..6], value);
            check(&case, &(spoilt, weight.clone(), bias.clone()), 5e-5);
            check(&case, &(x, weight, bias.slice_fill(2..3, value)), 5e-5);
        }
    }
}

/// Over padding, Burn's operations differ among themselves.
#[test]
fn nan_and_infinities_of_weights_spread_as_in_burn() {
    let without_padding = |case: &Case| case.block.padding == [0; 4];
    for case in blocks().into_iter().filter(without_padding) {
        for value in NOT_FINITE {
            let (x, weight, bias) = case.operands();
            let spoilt = weight.slice_fill([1..2, 0..1, 1..2, 2..3], value);
            check(&case, &(x, spoilt, bias), 5e-5);
        }
    }
}

#[test]
fn an_untracked_input_gets_no_gradient() {
    let _turn = turn();
    let device = Device::flex().autodiff();
    let x = random(CASE.x, &device);
    let weight = random(CASE.weight, &device).require_grad();
    let (out, calls) = counted(Operation::Conv2d, || {
        conv2d_block(x.clone(), weight.clone(), None, &CASE.block)
    });
    assert_eq!(calls, 1);
    let grads = out.sum().backward();
    assert!(x.grad(&grads).is_none());
    assert!(weight.grad(&grads).is_some());
}

#[test]
fn gradient_checkpointing_takes_the_separate_operations() {
    let _turn = turn();
    let device = Device::flex().autodiff().gradient_checkpointing();
    let (x, weight) = (
        random(CASE.x, &device),
        random(CASE.weight, &device).require_grad(),
    );
    let (out, calls) = counted(Operation::Conv2d, || {
        conv2d_block(x, weight.clone(), None, &CASE.block)
    });
    assert_eq!(calls, 0);
    assert!(weight.grad(&out.sum().backward()).is_some());
}

#[test]
fn graph_capture_sees_the_separate_operations() {
    let _turn = turn();
    let cpu = Device::flex();
    let (x, weight) = (random(CASE.x, &cpu), random(CASE.weight, &cpu));
    let bias = random([5], &cpu);
    let device = Device::capture();
    let ids = |tensor: &Tensor<4>| {
        tensor
            .clone()
            .try_into_primitive::<CaptureBackend>()
            .unwrap()
            .id()
    };
    let (graph, calls) = counted(Operation::Conv2d, || {
        device.capture_scope(|scope| {
            let x = x.to_device(&device);
            let (weight, bias) = (weight.to_device(&device), bias.to_device(&device));
            let out = conv2d_block(x.clone(), weight, Some(bias), &CASE.block);
            scope.complete([ids(&x)], [ids(&out)])
        })
    });
    assert_eq!(calls, 0);
    let operations = format!("{:?}", graph.unwrap().graph.operations);
    for operation in ["Conv2d", "Relu", "MaxPool2d"] {
        assert!(
            operations.contains(operation),
            "{operation} is not in {operations}"
        );
    }
}
