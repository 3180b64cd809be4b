//! Operations on tensors of any kind.

use burn::tensor::{Bool, DType, IndexingUpdateOp, Int, Tensor, s};
use exporter::dims;
use tests::export::{integers, normal};

use crate::row::{Kind, Row, Start, bools, dims3, floats, ints, row};
use crate::{kinds, numbers};

/// ONNX Runtime chooses between neither of these.
const NO_CHOICE: [DType; 3] = [DType::I16, DType::U16, DType::U64];

fn start(name: &'static str, nodes: &'static str) -> Start {
    row("Base", name, nodes)
}

/// The same function of two tensors of floats, of integers and of booleans.
macro_rules! pairs {
    ($start:expr, |$x:ident, $y:ident| $body:expr) => {
        [
            $start.kind(Kind::Float).with(
                &[dims3(), dims3()],
                1,
                |n| (floats(n).round(), floats(n).round()),
                |($x, $y): (Tensor<3>, Tensor<3>)| $body,
            ),
            $start.kind(Kind::Int).with(
                &[dims3(), dims3()],
                1,
                |n| (ints(n), ints(n)),
                |($x, $y): (Tensor<3, Int>, Tensor<3, Int>)| $body,
            ),
            $start.kind(Kind::Bool).with(
                &[dims3(), dims3()],
                1,
                |n| (bools(n), bools(n)),
                |($x, $y): (Tensor<3, Bool>, Tensor<3, Bool>)| $body,
            ),
        ]
    };
}

/// A constant of indices, on the device of `$x`.
macro_rules! indices {
    ($x:expr, $values:expr) => {
        Tensor::<1, Int>::from_data($values, (&$x.device(), DType::I64))
    };
}

fn shapes() -> Vec<[Row; 3]> {
    vec![
        kinds!(start("Reshape", "Reshape"), |x| x.reshape([0, 2, 2, 6])),
        kinds!(start("SwapDims", "Transpose"), |x| x.swap_dims(1, 2)),
        kinds!(start("Permute", "Transpose"), |x| x.permute([2, 0, 1])),
        kinds!(start("Flip", "Slice"), |x| x.flip([0, 2])),
        kinds!(start("Expand", "Expand"), |x| {
            let [n, rows, columns] = x.dims();
            x.expand([3, n, rows, columns])
        }),
        kinds!(start("Unfold", "Gather"), |x| x.unfold::<4, _>(2, 4, 2)),
        kinds!(start("Slice", "Slice"), |x| x.slice(s![.., 1..3, 0..6;2])),
        kinds!(start("SliceAssign", "Slice Gather Gather Where | Slice Gather Gather Where | Slice Gather Gather And Not And Or").without(&NO_CHOICE), |x| {
            let value = x.clone().slice(s![.., 0..2, 0..3]);
            x.slice_assign(s![.., 2..4, 1..4], value)
        }),
        kinds!(start("RepeatDim", "Tile"), |x| x.repeat_dim(1, 3)),
        kinds!(start("Cat", "Slice Concat"), |x| Tensor::cat(vec![x.clone(), x.flip([1])], 1)),
        kinds!(start("Empty", "Shape Concat ConstantOfShape Equal Equal Or"), |x| x.empty_like().equal(x.clone()).bool_or(x.clone().equal(x))),
        kinds!(start("Ones", "Shape Concat ConstantOfShape Equal"), |x| x.ones_like().equal(x)),
        kinds!(start("Zeros", "Shape Concat ConstantOfShape Equal"), |x| x.zeros_like().equal(x)),
    ]
}

fn tests_of_elements() -> Vec<[Row; 3]> {
    vec![
        pairs!(start("Equal", "Equal"), |x, y| x.equal(y)),
        pairs!(start("NotEqual", "Equal Not"), |x, y| x.not_equal(y)),
        kinds!(start("EqualElem", "Equal"), |x| x.equal_scalar(1)),
        kinds!(start("NotEqualElem", "Equal Not"), |x| x
            .not_equal_scalar(1)),
        kinds!(
            start(
                "All",
                "Cast Cast ReduceMin Reshape Cast | Cast Cast ReduceMin Reshape Cast | Cast ReduceMin Reshape Cast"
            ),
            |x| x.all()
        ),
        kinds!(
            start(
                "Any",
                "Cast Cast ReduceMax Reshape Cast | Cast Cast ReduceMax Reshape Cast | Cast ReduceMax Reshape Cast"
            ),
            |x| x.any()
        ),
        kinds!(
            start(
                "AllDim",
                "Cast Cast ReduceMin Cast | Cast Cast ReduceMin Cast | Cast ReduceMin Cast"
            ),
            |x| x.all_dim(1)
        ),
        kinds!(
            start(
                "AnyDim",
                "Cast Cast ReduceMax Cast | Cast Cast ReduceMax Cast | Cast ReduceMax Cast"
            ),
            |x| x.any_dim(1)
        ),
    ]
}

fn choices() -> Vec<[Row; 3]> {
    vec![
        kinds!(start("Select", "Gather Slice Equal"), |x| {
            let indices = indices!(x, [2, 0, 2]);
            let chosen = x.select(1, indices);
            chosen.clone().equal(chosen.flip([0]))
        }),
        kinds!(
            start("Gather", "Shape Concat Expand GatherElements Slice Equal"),
            |x| {
                let columns = indices!(x, [5, 0, 3]).reshape([1, 1, 3]);
                let [n, rows, _] = x.dims();
                let chosen = x.gather(2, columns.expand([n, rows, 3]));
                chosen.clone().equal(chosen.flip([0]))
            }
        ),
        pairs!(
            start(
                "MaskWhere",
                "Equal Where | Equal Where | Equal And Not And Or"
            )
            .without(&NO_CHOICE),
            |x, y| {
                let mask = x.clone().equal(y.clone());
                x.mask_where(mask, y)
            }
        ),
        kinds!(
            start(
                "MaskFill",
                "Slice Equal Where | Slice Equal Where | Slice Equal And Not And Or"
            )
            .without(&NO_CHOICE),
            |x| {
                let mask = x.clone().equal(x.clone().flip([2]));
                x.mask_fill(mask, 1)
            }
        ),
    ]
}

/// Burn has these for numbers only.
fn of_numbers() -> Vec<[Row; 2]> {
    vec![
        numbers!(start("GatherNd", "GatherND"), |x| {
            let places = indices!(x, [0, 3, 0, 1]).reshape([2, 2]);
            x.gather_nd::<2, 2>(places)
        }),
        numbers!(
            start(
                "SelectAssign",
                "Slice Reshape Shape Concat Expand ScatterElements"
            )
            .without(&[DType::F16]),
            |x| {
                let indices = indices!(x, [2, 0]);
                let value = x.clone().slice(s![.., 0..2, ..]);
                x.select_assign(1, indices, value, IndexingUpdateOp::Add)
            }
        ),
        numbers!(
            start("Scatter", "Slice Shape Concat Expand ScatterElements").without(&[DType::F16]),
            |x| {
                let columns = indices!(x, [5, 0, 3]).reshape([1, 1, 3]);
                let [n, rows, _] = x.dims();
                let value = x.clone().slice(s![.., .., 0..3]);
                let columns = columns.expand([n, rows, 3]);
                x.scatter(2, columns, value, IndexingUpdateOp::Add)
            }
        ),
        numbers!(
            start("ScatterNd", "Slice Reshape ScatterND").without(&[DType::F16]),
            |x| {
                let places = indices!(x, [0, 3, 0, 1]).reshape([2, 2]);
                let value = x.clone().slice(s![0..1, 0..2, ..]).reshape([2, 6]);
                x.scatter_nd(places, value, IndexingUpdateOp::Add)
            }
        ),
    ]
}

pub fn rows() -> Vec<Row> {
    let kinds = [shapes(), tests_of_elements(), choices()];
    let mut rows: Vec<Row> = kinds.into_iter().flatten().flatten().collect();
    rows.extend(of_numbers().into_iter().flatten());
    rows.extend([
        start("Cast", "Cast").of(
            dims!["n", 6],
            |n| normal([n, 6]),
            |x: Tensor<2>| x.cast(DType::F64),
        ),
        start("Cast", "Cast").of(
            dims!["n", 6],
            |n| integers([n, 6], -9.0, 9.0),
            |x: Tensor<2, Int>| x.cast(DType::I32),
        ),
    ]);
    rows
}
