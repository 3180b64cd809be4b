//! Shapes, slices and indices.

use burn::nn::Relu;
use burn::tensor::ops::PadMode;
use burn::tensor::{Bool, IndexingUpdateOp, Int, Tensor, activation, s};
use exporter::{Dim, Exporter, dims};

use tests::export::{case, integers, normal};

fn dims4() -> Vec<Dim> {
    dims!["n", 3, 4, 5]
}

fn inputs(n: usize) -> Tensor<4> {
    normal([n, 3, 4, 5])
}

fn of4<const E: usize>(name: &str, forward: impl Fn(Tensor<4>) -> Tensor<E>) {
    case(name).of(dims4(), inputs, forward);
}

fn of3<const E: usize>(name: &str, forward: impl Fn(Tensor<3>) -> Tensor<E>) {
    case(name).of(dims!["n", "t", 12], |n| normal([n, n + 8, 12]), forward);
}

fn of2<const E: usize>(name: &str, forward: impl Fn(Tensor<2>) -> Tensor<E>) {
    case(name).of(dims!["n", 6], |n| normal([n, 6]), forward);
}

#[test]
fn reshapes_match_burn() {
    of4("flatten", |x| x.flatten::<2>(1, 3));
    of4("flatten to a vector", |x| x.flatten::<1>(0, 3));
    of4("flatten batch and channels", |x| x.flatten::<3>(0, 1));
    of4("unsqueeze", |x| x.unsqueeze_dim::<5>(2));
    of3("split heads", |x| {
        let [n, t, d] = x.dims();
        x.reshape([n, t, 3, d / 3]).swap_dims(1, 2)
    });
    of3("batch times sequence", |x| {
        let [n, t, d] = x.dims();
        x.reshape([n * t, d]).reshape([t, 2, n, d / 2])
    });
    of3("sequence times width", |x| {
        let [n, t, d] = x.dims();
        x.swap_dims(0, 1)
            .reshape([t, n * d])
            .reshape([t * 2, n, d / 2])
    });
    case("squeeze").of(
        dims!["n", 1, 4],
        |n| normal([n, 1, 4]),
        |x: Tensor<3>| x.squeeze_dim::<2>(1),
    );
}

#[test]
fn transposes_match_burn() {
    of4("permute", |x| x.permute([2, 0, 3, 1]));
    of4("swap_dims", |x| x.swap_dims(1, 3));
    of4("swapped twice", |x| {
        x.swap_dims(1, 3).permute([0, 3, 2, 1]) + 1.0
    });
    of4("movedim", |x| x.movedim(1, 3));
    of4("flip", |x| x.flip([1, 3]));
    of4("flip the batch", |x| x.flip([0]));
    of4("roll", |x| x.roll_dim(1, 2));
    of4("tril", |x| x.tril(0));
    of4("triu", |x| x.triu(1));
}

#[test]
fn expansions_match_burn() {
    of2("expand by the batch", |x| {
        let shape = x.dims();
        x.clone().mean_dim(0).expand(shape) * x
    });
    of2("expand in front", |x| {
        let [n, d] = x.dims();
        x.expand([3, n, d])
    });
    of4("repeat_dim", |x| x.repeat_dim(1, 3));
    of4("repeat", |x| x.repeat(&[1, 2, 1, 3]));
    case("repeat by the batch").of(
        dims!["n", 1, 4],
        |n| normal([n, 1, 4]),
        |x: Tensor<3>| {
            let times = x.dims()[0];
            x.repeat_dim(1, times)
        },
    );
    of4("zeros", |x| Tensor::<4>::zeros(x.dims(), &x.device()) + x);
    of4("full_like", |x| x.full_like(2.5) * x);
    of2("arange", |x| {
        let rows = x.dims()[0] as i64;
        let rows = Tensor::<1, Int>::arange_step(3..3 + 2 * rows, 2, &x.device());
        x + rows.float().unsqueeze_dim::<2>(1)
    });
}

#[test]
fn slices_match_burn() {
    of4("slice", |x| x.slice([0..1, 1..3, 0..4, 2..5]));
    of4("slice the whole batch", |x| {
        let n = x.dims()[0];
        x.slice([0..n, 1..3])
    });
    of4("last of the batch", |x| {
        let n = x.dims()[0];
        x.slice(s![n - 1..n])
    });
    of3("difference of neighbours", |x| {
        let t = x.dims()[1];
        x.clone().slice(s![.., 1..t]) - x.slice(s![.., 0..t - 1])
    });
    of4("steps", |x| x.slice(s![.., .., 0..4;2, ..;-1]));
    of4("negative steps", |x| x.slice(s![.., .., 1..4;-2, 1..5;-1]));
    of4("reversed batch", |x| x.slice(s![..;-1, .., .., ..]));
    of4("narrow", |x| x.narrow(3, 1, 3));
    of4("chunk", |x| {
        let chunks = x.chunk(2, 2);
        chunks[0].clone() * chunks[1].clone()
    });
    of4("unfold", |x| x.unfold::<5, _>(3, 3, 1));
    of4("assign", |x| {
        let value = x.clone().slice(s![.., 0..1, 0..2, ..]) * 2.0;
        x.slice_assign(s![.., 1..2, 1..3, ..], value)
    });
    of4("assign in steps", |x| {
        let value = x.clone().slice(s![.., .., 0..2, ..]) * 2.0;
        x.slice_assign(s![.., .., 0..4;2, ..], value)
    });
    of4("assign backwards", |x| {
        let value = x.clone().slice(s![.., .., .., 0..3]) * 2.0;
        x.slice_assign(s![.., .., .., 1..4;-1], value)
    });
    case("reversed end of the batch")
        .at(&[2, 4, 9])
        .of(dims4(), inputs, |x| {
            let n = x.dims()[0];
            x.slice(s![n - 2..n;-1])
        });
    of4("reversed, from a start that may be 0", |x| {
        let n = x.dims()[0];
        Tensor::cat(vec![x.clone(), x * 2.0], 0).slice(s![n - 1..2 * n;-1])
    });
    case("at most 20").of(
        dims!["n", "t", 12],
        |n| normal([n, 6 * n + 8, 12]),
        |x: Tensor<3>| x.slice(s![.., ..20]),
    );
    of4("fill", |x| x.slice_fill(s![.., 1..2], 4.0));
}

#[test]
fn reshapes_of_nothing_match_burn() {
    let exporter = Exporter::new().input("x", dims4());
    let exporter = exporter.output("y").output("z");
    case("no rows").check(exporter, &Relu::new(), inputs, |_, x: Tensor<4>| {
        let none = x.clone().slice(s![.., .., 0..0]);
        (none.flatten::<2>(1, 3), x)
    });
}

#[test]
fn pads_and_concatenations_match_burn() {
    of4("pad", |x| x.pad((1, 2, 3, 4), PadMode::Constant(1.5)));
    of4("reflect", |x| x.pad((1, 2, 1, 1), PadMode::Reflect));
    of4("edge", |x| x.pad((1, 2, 1, 1), PadMode::Edge));
    of4("cat", |x| Tensor::cat(vec![x.clone(), x * 2.0], 1));
    of4("cat the batch", |x| {
        Tensor::cat(vec![x.clone(), x * 2.0], 0)
    });
    of4("stack", |x| Tensor::stack::<5>(vec![x.clone(), x * 2.0], 1));
}

#[test]
fn indices_match_burn() {
    let indices = |x: &Tensor<4>| Tensor::<1, Int>::from_data([2, 0], &x.device());
    of4("select", |x| {
        let indices = indices(&x);
        x.select(1, indices)
    });
    of4("select_assign", |x| {
        let indices = indices(&x);
        let value = x.clone().select(1, indices.clone());
        x.select_assign(1, indices, value, IndexingUpdateOp::Add)
    });
    let exporter = |width: usize| {
        let exporter = Exporter::new().input("x", dims!["n", 6]);
        exporter.input("i", dims!["n", width]).output("y")
    };
    let inputs = |n| (normal([n, 6]), integers([n, 4], 0.0, 6.0));
    let module = Relu::new();
    type Indexed = (Tensor<2>, Tensor<2, Int>);
    case("gather").check(exporter(4), &module, inputs, |_, (x, i): Indexed| {
        x.gather(1, i)
    });
    case("scatter").check(exporter(4), &module, inputs, |_, (x, i): Indexed| {
        let value = x.clone().slice(s![.., 0..4]);
        x.scatter(1, i, value, IndexingUpdateOp::Add)
    });
    let table = Exporter::new().input("x", dims![4, 6]);
    let table = table.input("i", dims!["n", 2]).output("y");
    let inputs = |n| (normal([4, 6]), integers([n, 2], 0.0, 4.0));
    case("gather_nd").check(table, &module, inputs, |_, (x, i): Indexed| {
        x.gather_nd::<2, 1>(i)
    });
}

#[test]
fn outputs_may_be_inputs_and_may_repeat() {
    of4("identity", |x| x);
    let exporter = Exporter::new().input("x", dims4());
    let exporter = exporter.output("a").output("b");
    case("twice").check(exporter, &Relu::new(), inputs, |_, x: Tensor<4>| {
        let y = activation::relu(x);
        (y.clone(), y)
    });
    let exporter = Exporter::new().input("x", dims!["n", 6]);
    let exporter = exporter.input("mask", dims!["n", 6]).output("y");
    let inputs = |n| (normal([n, 6]), normal([n, 6]).greater_scalar(0.0));
    case("boolean input").check(
        exporter,
        &Relu::new(),
        inputs,
        |_, (x, mask): (Tensor<2>, Tensor<2, Bool>)| x.mask_fill(mask, 0.5),
    );
}
