//! The block of a convolution.

use burn::backend::capture::CaptureBackend;
use burn::tensor::{Device, Distribution, Tensor};
use kernels::{Conv2dBlock, conv2d_block, fused_calls};
use proptest::prelude::*;

use super::{assert_close, backward, separately, turn, values};

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

fn case() -> impl Strategy<Value = Case> {
    let sizes = (
        1_usize..5,
        1_usize..9,
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

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
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

/// Runs `action` and tells how many fused forward passes it took.
fn counted<T>(action: impl FnOnce() -> T) -> (T, u64) {
    let before = fused_calls();
    let result = action();
    (result, fused_calls() - before)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn outputs_and_gradients_are_those_of_burn(case in case()) {
        let _turn = turn();
        let device = Device::flex().autodiff();
        let (x, weight) = (random(case.x, &device), random(case.weight, &device));
        let bias = random([case.weight[0]], &device);
        let (fused, calls) = counted(|| train(&case, &x, &weight, &bias));
        prop_assert_eq!(calls, 1);
        let (separate, calls) = counted(|| separately(|| train(&case, &x, &weight, &bias)));
        prop_assert_eq!(calls, 0);
        assert_close(&fused, &separate, TOLERANCE);
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
    let _turn = turn();
    let device = Device::flex();
    let (x, weight, bias) = (
        random(CASE.x, &device),
        random(CASE.weight, &device),
        random([5], &device),
    );
    let run = || {
        values(conv2d_block(
            x.clone(),
            weight.clone(),
            Some(bias.clone()),
            &CASE.block,
        ))
    };
    let (fused, calls) = counted(run);
    assert_eq!(calls, 1);
    let separate = separately(run);
    assert_close(&[fused], &[separate], TOLERANCE);
}

#[test]
fn a_strided_view_is_read_as_its_values() {
    let _turn = turn();
    let device = Device::flex().autodiff();
    let x = random([11, 11, 2, 3], &device).permute([3, 2, 1, 0]);
    let weight = random([3, 3, 2, 5], &device).permute([3, 2, 1, 0]);
    let bias = random([9], &device).narrow(0, 2, 5);
    let fused = train(&CASE, &x, &weight, &bias);
    let separate = separately(|| train(&CASE, &x, &weight, &bias));
    assert_close(&fused, &separate, TOLERANCE);
}

#[test]
fn nan_spreads_as_in_burn() {
    let _turn = turn();
    let device = Device::flex().autodiff();
    let x = random(CASE.x, &device).slice_fill([1..2, 0..1, 4..5, 5..6], f32::NAN);
    let (weight, bias) = (random(CASE.weight, &device), random([5], &device));
    let fused = train(&CASE, &x, &weight, &bias);
    assert!(fused[0].iter().any(|value| value.is_nan()));
    let separate = separately(|| train(&CASE, &x, &weight, &bias));
    assert_close(&fused, &separate, TOLERANCE);
}

#[test]
fn an_untracked_input_gets_no_gradient() {
    let _turn = turn();
    let device = Device::flex().autodiff();
    let x = random(CASE.x, &device);
    let weight = random(CASE.weight, &device).require_grad();
    let (out, calls) = counted(|| conv2d_block(x.clone(), weight.clone(), None, &CASE.block));
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
    let (out, calls) = counted(|| conv2d_block(x, weight.clone(), None, &CASE.block));
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
    let (graph, calls) = counted(|| {
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
