//! Functions of each element, and of pairs of elements.

use burn::nn::Relu;
use burn::tensor::{Bool, Tensor, activation};
use exporter::{Exporter, dims};

use crate::case::{case, normal, uniform};

fn unary(name: &str, (low, high): (f64, f64), forward: impl Fn(Tensor<2>) -> Tensor<2>) {
    case(name).of(dims!["n", 7], |n| uniform([n, 7], low, high), forward);
}

const ALL: (f64, f64) = (-4.0, 4.0);
const POSITIVE: (f64, f64) = (0.1, 4.0);
const UNIT: (f64, f64) = (-0.9, 0.9);

#[test]
fn activations_match_burn() {
    unary("relu", ALL, activation::relu);
    unary("leaky_relu", ALL, |x| activation::leaky_relu(x, 0.05));
    unary("gelu", ALL, activation::gelu);
    unary("gelu_approximate", ALL, activation::gelu_approximate);
    unary("sigmoid", ALL, activation::sigmoid);
    unary("hard_sigmoid", ALL, |x| {
        activation::hard_sigmoid(x, 0.2, 0.5)
    });
    unary("log_sigmoid", ALL, activation::log_sigmoid);
    unary("softmax", ALL, |x| activation::softmax(x, 1));
    unary("softmax_over_batch", ALL, |x| activation::softmax(x, 0));
    unary("log_softmax", ALL, |x| activation::log_softmax(x, 1));
    unary("softmin", ALL, |x| activation::softmin(x, 1));
    unary("quiet_softmax", ALL, |x| activation::quiet_softmax(x, 1));
    unary("silu", ALL, activation::silu);
    unary("mish", ALL, activation::mish);
    unary("softplus", ALL, |x| activation::softplus(x, 1.0));
    unary("hard_swish", ALL, activation::hard_swish);
    unary("tanh", ALL, activation::tanh);
}

#[test]
fn functions_match_burn() {
    unary("exp", ALL, Tensor::exp);
    unary("log", POSITIVE, Tensor::log);
    unary("log1p", UNIT, Tensor::log1p);
    unary("erf", ALL, Tensor::erf);
    unary("sqrt", POSITIVE, Tensor::sqrt);
    unary("cos", ALL, Tensor::cos);
    unary("cosh", ALL, Tensor::cosh);
    unary("sin", ALL, Tensor::sin);
    unary("sinh", ALL, Tensor::sinh);
    unary("tan", UNIT, Tensor::tan);
    unary("acos", UNIT, Tensor::acos);
    unary("acosh", (1.1, 4.0), Tensor::acosh);
    unary("asin", UNIT, Tensor::asin);
    unary("asinh", ALL, Tensor::asinh);
    unary("atan", ALL, Tensor::atan);
    unary("atanh", UNIT, Tensor::atanh);
    unary("round", ALL, Tensor::round);
    unary("round_half_to_even", ALL, |x| (x.round() + 0.5).round());
    unary("floor", ALL, Tensor::floor);
    unary("ceil", ALL, Tensor::ceil);
    unary("trunc", ALL, Tensor::trunc);
    unary("recip", POSITIVE, Tensor::recip);
    unary("abs", ALL, Tensor::abs);
    unary("neg", ALL, Tensor::neg);
    unary("sign", ALL, Tensor::sign);
    unary("square", ALL, |x| x.square());
    unary("powf_scalar", POSITIVE, |x| x.powf_scalar(1.7));
    unary("powi_scalar", ALL, |x| x.powi_scalar(3));
    unary("clamp", ALL, |x| x.clamp(-0.5, 0.3));
    unary("clamp_min", ALL, |x| x.clamp_min(-0.5));
    unary("clamp_max", ALL, |x| x.clamp_max(0.5));
    unary("scalars", ALL, |x| (x + 1.5 - 0.3) * 2.0 / 3.0);
    unary("remainder_scalar", ALL, |x| x.remainder_scalar(1.5));
}

#[test]
fn tests_of_elements_match_burn() {
    let predicate = |name: &str, forward: fn(Tensor<2>) -> Tensor<2, Bool>| {
        // Logarithms of both signs and of 0: numbers, NaN and -∞.
        let inputs = |n| (uniform([n, 7], -3.0, 3.0).round()).log();
        case(name).of(dims!["n", 7], inputs, forward);
    };
    predicate("is_nan", Tensor::is_nan);
    predicate("is_inf", Tensor::is_inf);
    predicate("is_finite", Tensor::is_finite);
    predicate("greater_scalar", |x| x.greater_scalar(0.1));
    predicate("greater_equal_scalar", |x| x.greater_equal_scalar(0.0));
    predicate("lower_scalar", |x| x.lower_scalar(0.1));
    predicate("lower_equal_scalar", |x| x.lower_equal_scalar(0.0));
    predicate("equal_scalar", |x| x.equal_scalar(0.0));
    predicate("not_equal_scalar", |x| x.not_equal_scalar(0.0));
    predicate("bool_not", |x| x.greater_scalar(0.1).bool_not());
    let cast = |n| normal([n, 7]);
    case("bool_into_float").of(dims!["n", 7], cast, |x| x.greater_scalar(0.1).float());
    case("bool_into_int").of(dims!["n", 7], cast, |x| x.greater_scalar(0.1).int());
    case("float_into_int").of(dims!["n", 7], cast, |x| (x * 5.0).int());
}

fn pair() -> Exporter {
    let exporter = Exporter::new().input("x", dims!["n", 7]);
    exporter.input("y", dims!["n", 7]).output("z")
}

fn binary(name: &str, (low, high): (f64, f64), forward: fn(Tensor<2>, Tensor<2>) -> Tensor<2>) {
    let inputs = |n| (normal([n, 7]) * 5.0, uniform([n, 7], low, high));
    let forward = |_: &Relu, (x, y): (Tensor<2>, Tensor<2>)| forward(x, y);
    case(name).check(pair(), &Relu::new(), inputs, forward);
}

#[test]
fn functions_of_pairs_match_burn() {
    binary("add", ALL, |x, y| x + y);
    binary("sub", ALL, |x, y| x - y);
    binary("mul", ALL, |x, y| x * y);
    binary("div", POSITIVE, |x, y| x / y);
    binary("remainder", POSITIVE, Tensor::remainder);
    binary("remainder_of_negative", (-2.0, -0.5), Tensor::remainder);
    binary("powf", ALL, |x, y| (x.abs() + 0.1).powf(y));
    binary("atan2", ALL, Tensor::atan2);
    binary("atan2_on_the_axes", ALL, |x, y| x.round().atan2(y.round()));
    binary("hypot", ALL, |x, y| x.round().hypot(y.round()));
    binary("max_pair", ALL, Tensor::max_pair);
    binary("min_pair", ALL, Tensor::min_pair);
    binary("mask_where", ALL, |x, y| {
        x.mask_where(y.clone().greater_scalar(0.0), y)
    });
    binary("mask_fill", ALL, |x, y| {
        x.mask_fill(y.greater_scalar(0.0), -3.5)
    });
    binary("masked_softmax", ALL, |x, y| {
        activation::softmax(x.mask_fill(y.greater_scalar(1.0), f32::NEG_INFINITY), 1)
    });
    binary("divided_by_a_size", ALL, |x, y| {
        let size = x.dims()[0] as f32;
        x.sum_dim(0) / size + y
    });
}

#[test]
fn comparisons_match_burn() {
    let compare = |name: &str, forward: fn(Tensor<2>, Tensor<2>) -> Tensor<2, Bool>| {
        let inputs = |n| (normal([n, 7]).round(), normal([n, 7]).round());
        let forward = |_: &Relu, (x, y): (Tensor<2>, Tensor<2>)| forward(x, y);
        case(name).check(pair(), &Relu::new(), inputs, forward);
    };
    compare("greater", Tensor::greater);
    compare("greater_equal", Tensor::greater_equal);
    compare("lower", Tensor::lower);
    compare("lower_equal", Tensor::lower_equal);
    compare("equal", Tensor::equal);
    compare("not_equal", Tensor::not_equal);
    compare("bool_and", |x, y| {
        x.greater_scalar(0.0).bool_and(y.greater_scalar(0.0))
    });
    compare("bool_or", |x, y| {
        x.greater_scalar(0.0).bool_or(y.greater_scalar(0.0))
    });
    compare("bool_xor", |x, y| {
        x.greater_scalar(0.0).bool_xor(y.greater_scalar(0.0))
    });
}

#[test]
fn products_match_burn() {
    binary("matmul", ALL, |x, y| {
        (x * 0.1).matmul(y.transpose()).sum_dim(1)
    });
    let exporter = Exporter::new().input("x", dims!["n", 3]);
    let exporter = exporter.input("y", dims!["n", 3]).output("z");
    let inputs = |n| (normal([n, 3]), normal([n, 3]));
    case("cross").check(
        exporter,
        &Relu::new(),
        inputs,
        |_, (x, y): (Tensor<2>, Tensor<2>)| x.cross(y, 1),
    );
}
