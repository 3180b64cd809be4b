//! Reductions and orders.

use burn::nn::Relu;
use burn::tensor::Tensor;
use exporter::{Exporter, dims};

use tests::export::{case, normal};

fn inputs(n: usize) -> Tensor<3> {
    normal([n, 5, 7])
}

fn distinct(n: usize) -> Tensor<3> {
    tests::export::distinct([n, 5, 7])
}

fn whole(name: &str, forward: fn(Tensor<3>) -> Tensor<1>) {
    case(name).of(dims!["n", 5, 7], inputs, forward);
}

fn along(name: &str, forward: impl Fn(Tensor<3>, usize) -> Tensor<3>) {
    for axis in 0..3 {
        let name = format!("{name} along {axis}");
        case(name).of(dims!["n", 5, 7], inputs, |x| forward(x, axis));
    }
}

#[test]
fn whole_reductions_match_burn() {
    whole("sum", Tensor::sum);
    whole("mean", Tensor::mean);
    whole("max", Tensor::max);
    whole("min", Tensor::min);
    whole("max_abs", Tensor::max_abs);
    case("prod").of(dims!["n", 3], |n| normal([n, 3]), |x: Tensor<2>| x.prod());
    case("sum of a vector").of(dims!["n"], |n| normal([n]), |x: Tensor<1>| x.sum());
}

#[test]
fn reductions_along_an_axis_match_burn() {
    along("sum_dim", Tensor::sum_dim);
    along("mean_dim", Tensor::mean_dim);
    along("prod_dim", Tensor::prod_dim);
    along("max_dim", Tensor::max_dim);
    along("min_dim", Tensor::min_dim);
    along("max_abs_dim", Tensor::max_abs_dim);
    along("cumsum", Tensor::cumsum);
    along("var", |x, axis| x.var_bias(axis));
    case("sum_dims").of(dims!["n", 5, 7], inputs, |x| x.sum_dims(&[1, 2]));
    case("mean_dims").of(dims!["n", 5, 7], inputs, |x| x.mean_dims(&[1, 2]));
    let squeezed = |x: Tensor<3>| x.sum_dims_squeeze::<1, isize>(&[1, 2]);
    case("sum_dims_squeeze").of(dims!["n", 5, 7], inputs, squeezed);
}

#[test]
fn truths_are_reduced_as_in_burn() {
    let dims = || dims!["n", 5, 7];
    case("all").of(dims(), inputs, |x| x.greater_scalar(-9.0).all());
    case("any").of(dims(), inputs, |x| x.greater_scalar(1.0).any());
    case("all of floats").of(dims(), inputs, |x: Tensor<3>| x.all());
    case("all_dim").of(dims(), inputs, |x| x.greater_scalar(-1.1).all_dim(1));
    case("any_dim").of(dims(), inputs, |x| x.greater_scalar(1.1).any_dim(2));
}

#[test]
fn positions_match_burn() {
    for axis in 0..3 {
        let dims = || dims!["n", 5, 7];
        let two = || Exporter::new().input("x", dims()).output("v").output("i");
        let module = Relu::new();
        case("argmax").of(dims(), distinct, |x| x.argmax(axis));
        case("argmin").of(dims(), distinct, |x| x.argmin(axis));
        // Of equal elements the first, in both.
        case("first of equals").of(dims(), |n| inputs(n).round(), |x| x.argmax(axis));
        case("sort").of(dims(), distinct, |x| x.sort(axis));
        case("sort_descending").of(dims(), distinct, |x| x.sort_descending(axis));
        case("argsort").of(dims(), distinct, |x| x.argsort(axis));
        case("argsort_descending").of(dims(), distinct, |x| x.argsort_descending(axis));
        case("sort_with_indices").check(two(), &module, distinct, |_, x: Tensor<3>| {
            x.sort_with_indices(axis)
        });
        case("max_dim_with_indices").check(two(), &module, distinct, |_, x: Tensor<3>| {
            x.max_dim_with_indices(axis)
        });
        case("min_dim_with_indices").check(two(), &module, distinct, |_, x: Tensor<3>| {
            x.min_dim_with_indices(axis)
        });
    }
    let dims = || dims!["n", 5, 7];
    let two = Exporter::new().input("x", dims()).output("v").output("i");
    case("topk").of(dims(), distinct, |x| x.topk(3, 2));
    case("argtopk").of(dims(), distinct, |x| x.argtopk(2, 1));
    case("topk_with_indices").check(two, &Relu::new(), distinct, |_, x: Tensor<3>| {
        x.topk_with_indices(2, 1)
    });
    case("median").of(dims(), distinct, |x| x.median(2));
}
