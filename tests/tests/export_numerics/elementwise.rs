//! Functions of each element, and of pairs of elements, that Burn composes of
//! others or that have special values.

use burn::nn::Relu;
use burn::tensor::{Bool, DType, Device, IntDType, Tensor, activation};
use exporter::{Exporter, dims};
use tests::export::{case, normal, uniform};

fn unary(name: &str, forward: impl Fn(Tensor<2>) -> Tensor<2>) {
    case(name).of(dims!["n", 7], |n| uniform([n, 7], -4.0, 4.0), forward);
}

#[test]
fn composed_activations_match_burn() {
    unary("gelu_approximate", activation::gelu_approximate);
    unary("softmax_over_batch", |x| activation::softmax(x, 0));
    unary("quiet_softmax", |x| activation::quiet_softmax(x, 1));
    unary("silu", activation::silu);
    unary("mish", activation::mish);
    unary("softplus", |x| activation::softplus(x, 1.0));
    unary("hard_swish", activation::hard_swish);
}

/// ONNX Runtime has no kernel for `Gelu` and `Softplus` of 64 bits.
#[test]
fn composed_activations_of_64_bits_run() {
    let check = |name: &str, forward: fn(Tensor<2>) -> Tensor<2>| {
        let inputs = |n| uniform([n, 7], -4.0, 4.0);
        let wide = |x: Tensor<2>| forward(x.cast(DType::F64)).cast(DType::F32);
        let case = case(name).opsets(&[16, 18, 20, 23]);
        case.of(dims!["n", 7], inputs, wide);
    };
    check("gelu_approximate", activation::gelu_approximate);
    check("softplus", |x| activation::softplus(x, 1.0));
    check("log of a sigmoid", |x| activation::sigmoid(x).log());
}

#[test]
fn composed_functions_match_burn() {
    unary("round_half_to_even", |x| (x.round() + 0.5).round());
    unary("square", |x| x.square());
    unary("scalars", |x| (x + 1.5 - 0.3) * 2.0 / 3.0);
    unary("fmod", |x| x.fmod_scalar(1.5));
}

/// Checks a function of numbers of these in particular.
fn at<const N: usize>(name: &str, numbers: [f32; N], forward: fn(Tensor<2>) -> Tensor<2>) {
    let inputs = |n| {
        let row = Tensor::<1>::from_floats(numbers, &Device::flex());
        row.unsqueeze::<2>().repeat_dim(0, n)
    };
    case(name).of(dims!["n", N], inputs, forward);
}

#[test]
fn remainders_are_not_rounded() {
    let (zero, infinite) = (0.0, f32::INFINITY);
    let numbers = [
        1.0,
        0.7,
        2.0,
        -3.0,
        1e8,
        zero,
        -zero,
        1e-20,
        -1e-20,
        infinite,
        f32::NAN,
    ];
    at("by 0.1", numbers, |x| x.remainder_scalar(0.1));
    at("by 3", numbers, |x| x.remainder_scalar(3.0));
    at("by -3", numbers, |x| x.remainder_scalar(-3.0));
    at("by 0", numbers, |x| x.remainder_scalar(0.0));
    at("by infinity", numbers, |x| {
        x.remainder_scalar(f32::INFINITY)
    });
    at("by -infinity", numbers, |x| {
        x.remainder_scalar(f32::NEG_INFINITY)
    });
}

#[test]
fn functions_of_infinities_match_burn() {
    const INFINITE: f32 = f32::INFINITY;
    // Each with the one at its place from the end.
    let pairs = [
        INFINITE,
        INFINITE,
        -INFINITE,
        INFINITE,
        -INFINITE,
        0.0,
        1.0,
        f32::NAN,
        2.0,
        -1.0,
        0.0,
        0.0,
        3.0,
        -INFINITE,
        -INFINITE,
        INFINITE,
    ];
    at("hypot", pairs, |x| x.clone().hypot(x.flip([1])));
    at("atan2", pairs, |x| x.clone().atan2(x.flip([1])));
}

/// Rust's `as` has an answer for every number, and ONNX for those within a type.
#[test]
fn numbers_beyond_8_and_16_bits_match_burn() {
    let numbers = [
        0.0,
        1.5,
        -1.5,
        127.5,
        128.0,
        -128.5,
        -129.0,
        255.5,
        300.0,
        40000.0,
        -40000.0,
        1e9,
        -1e9,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
    ];
    for to in [IntDType::I8, IntDType::U8, IntDType::I16, IntDType::U16] {
        for from in [DType::F32, DType::F64, DType::F16] {
            let inputs = |n| {
                let row = Tensor::<1>::from_floats(numbers, &Device::flex());
                row.unsqueeze::<2>().repeat_dim(0, n)
            };
            let name = format!("{from:?} to {to:?}");
            case(name).of(dims!["n", 16], inputs, |x: Tensor<2>| {
                x.cast(from).cast(to).cast(DType::I64)
            });
        }
    }
}

#[test]
fn logarithms_near_1_are_not_rounded() {
    let tiny = [0.0, 1e-8, -1e-8, 1e-6, -1e-6, 3e-5, -3e-5];
    at("tiny", tiny, |x| x.log1p() * 1e6);
    let others = [
        1e-3,
        -0.5,
        -1.0,
        -2.0,
        7.0,
        1e9,
        f32::MAX,
        f32::INFINITY,
        f32::NAN,
    ];
    at("others", others, Tensor::log1p);
    at("-infinity", [f32::NEG_INFINITY, 1.0], Tensor::log1p);
    at("of a sigmoid", [-80.0, -30.0, -18.0, 0.0, 9.0, 40.0], |x| {
        activation::sigmoid(x).log()
    });
    at("of a sigmoid that is read", [-30.0, -18.0, 0.0], |x| {
        let weight = activation::sigmoid(x);
        weight.clone() * weight.log()
    });
    at("softplus", [-30.0, -18.0, -9.0], |x| {
        activation::softplus(x, 2.0) * 1e6
    });
}

#[test]
fn tests_of_special_values_match_burn() {
    let predicate = |name: &str, forward: fn(Tensor<2>) -> Tensor<2, Bool>| {
        // Logarithms of both signs and of 0: numbers, NaN and -∞.
        let inputs = |n| (uniform([n, 7], -3.0, 3.0).round()).log();
        case(name).of(dims!["n", 7], inputs, forward);
    };
    predicate("is_finite", Tensor::is_finite);
    predicate("greater_scalar", |x| x.greater_scalar(0.1));
    predicate("greater_equal_scalar", |x| x.greater_equal_scalar(0.0));
    predicate("lower_scalar", |x| x.lower_scalar(0.1));
    predicate("lower_equal_scalar", |x| x.lower_equal_scalar(0.0));
    predicate("equal_scalar", |x| x.equal_scalar(0.0));
    predicate("not_equal_scalar", |x| x.not_equal_scalar(0.0));
}

fn binary(name: &str, (low, high): (f64, f64), forward: fn(Tensor<2>, Tensor<2>) -> Tensor<2>) {
    let exporter = Exporter::new().input("x", dims!["n", 7]);
    let exporter = exporter.input("y", dims!["n", 7]).output("z");
    let inputs = |n| (normal([n, 7]) * 5.0, uniform([n, 7], low, high));
    let forward = |_: &Relu, (x, y): (Tensor<2>, Tensor<2>)| forward(x, y);
    case(name).check(exporter, &Relu::new(), inputs, forward);
}

#[test]
fn functions_of_pairs_match_burn() {
    let all = (-4.0, 4.0);
    binary("remainder_of_negative", (-2.0, -0.5), Tensor::remainder);
    binary("atan2", all, Tensor::atan2);
    binary("hypot", all, Tensor::hypot);
    binary("max_pair", all, Tensor::max_pair);
    binary("min_pair", all, Tensor::min_pair);
    binary("masked_softmax", all, |x, y| {
        activation::softmax(x.mask_fill(y.greater_scalar(1.0), f32::NEG_INFINITY), 1)
    });
    binary("divided_by_a_size", all, |x, y| {
        let size = x.dims()[0] as f32;
        x.sum_dim(0) / size + y
    });
}
