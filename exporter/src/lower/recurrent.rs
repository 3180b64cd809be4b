//! Recurrent layers.

use burn::backend::ir::{CustomOpIr, TensorIr};
use burn::tensor::TensorData;

use super::context::{Context, Lowered};
use crate::graph::ValueId;
use crate::node::Node;
use crate::recurrence::{CellKind, Function, Recurrence};

/// ONNX keeps the sequence first and a dimension for the directions: X is
/// [length, batch, features], Y is [length, 1, batch, hidden], and the states
/// are [1, batch, hidden].
pub(super) fn lower(cx: &mut Context, layer: &Recurrence, op: &CustomOpIr) -> Lowered {
    let operands = Operands::new(layer, op);
    let dtype = operands.x.dtype;
    let x = Node::new("Transpose").input(operands.x);
    let x = cx.compute(x.attr("perm", vec![1i64, 0, 2]), dtype);
    let weights = operands.stacked(cx, Part::Weight, "W");
    let recurrent = operands.stacked(cx, Part::Recurrent, "R");
    let bias = layer.bias.then(|| operands.stacked(cx, Part::Bias, "B"));
    let states: Vec<ValueId> = operands
        .states
        .iter()
        .map(|state| with_axis(cx, state.into()))
        .collect();
    let mut node = Node::new(layer.op_type())
        .inputs([x, weights, recurrent])
        .optional(bias)
        // All sequences have the same length.
        .optional(None::<ValueId>)
        .inputs(states)
        .attr("hidden_size", op.outputs[0].shape[2]);
    let results: Vec<ValueId> = op.outputs.iter().map(|_| cx.fresh(dtype)).collect();
    for result in &results {
        node = node.output(*result);
    }
    cx.push(with_attributes(node, layer))?;
    let sequence = without_axis(cx, results[0], 1);
    let order = [1, 0, 2];
    super::base::transpose(cx, sequence, &order, &op.outputs[0])?;
    for (result, out) in results[1..].iter().zip(&op.outputs[1..]) {
        let axes = cx.integers(&[0]);
        cx.apply_to("Squeeze", [*result, axes], out)?;
    }
    Ok(())
}

fn with_axis(cx: &mut Context, state: ValueId) -> ValueId {
    let axes = cx.integers(&[0]);
    cx.apply("Unsqueeze", [state, axes])
}

fn without_axis(cx: &mut Context, value: ValueId, axis: i64) -> ValueId {
    let axes = cx.integers(&[axis]);
    cx.apply("Squeeze", [value, axes])
}

fn with_attributes(node: Node, layer: &Recurrence) -> Node {
    let functions: Vec<&'static str> = layer.functions.iter().map(name).collect();
    let node = node.attr_unless("activations", default_functions(layer.kind), functions);
    let node = if layer.reverse {
        node.attr("direction", "reverse")
    } else {
        node
    };
    match layer.kind {
        CellKind::Rnn => node,
        CellKind::Gru { reset_after } => {
            node.attr_unless("linear_before_reset", false, reset_after)
        }
        CellKind::Lstm { coupled } => node.attr_unless("input_forget", false, coupled),
    }
}

fn name(function: &Function) -> &'static str {
    match function {
        Function::Relu => "Relu",
        Function::Sigmoid => "Sigmoid",
        Function::Tanh => "Tanh",
    }
}

fn default_functions(kind: CellKind) -> Vec<&'static str> {
    match kind {
        CellKind::Rnn => vec!["Tanh"],
        CellKind::Gru { .. } => vec!["Sigmoid", "Tanh"],
        CellKind::Lstm { .. } => vec!["Sigmoid", "Tanh", "Tanh"],
    }
}

/// The operation's operands, named.
struct Operands<'a> {
    x: &'a TensorIr,
    gates: Vec<Gate<'a>>,
    /// Which gate has no weights of its own, if any: ONNX wants some all the
    /// same.
    absent: Option<usize>,
    states: &'a [TensorIr],
}

struct Gate<'a> {
    weight: &'a TensorIr,
    bias: Option<&'a TensorIr>,
    recurrent: &'a TensorIr,
    recurrent_bias: Option<&'a TensorIr>,
}

/// What is stacked gate by gate.
#[derive(Clone, Copy)]
enum Part {
    Weight,
    Recurrent,
    Bias,
}

impl<'a> Operands<'a> {
    fn new(layer: &Recurrence, op: &'a CustomOpIr) -> Self {
        let (gates, absent) = match layer.kind {
            CellKind::Rnn => (1, None),
            CellKind::Gru { .. } => (3, None),
            CellKind::Lstm { coupled: false } => (4, None),
            CellKind::Lstm { coupled: true } => (3, Some(2)),
        };
        let size = if layer.bias { 4 } else { 2 };
        let (weights, states) = op.inputs[1..].split_at(gates * size);
        let gates = weights.chunks(size).map(|gate| match gate {
            [weight, bias, recurrent, recurrent_bias] => Gate {
                weight,
                bias: Some(bias),
                recurrent,
                recurrent_bias: Some(recurrent_bias),
            },
            _ => Gate {
                weight: &gate[0],
                bias: None,
                recurrent: &gate[1],
                recurrent_bias: None,
            },
        });
        Self {
            x: &op.inputs[0],
            gates: gates.collect(),
            absent,
            states,
        }
    }

    /// A constant of all gates: [1, gates · hidden, features], or
    /// [1, 2 · gates · hidden] for the biases.
    fn stacked(&self, cx: &mut Context, part: Part, name: &str) -> ValueId {
        let halves: Vec<Vec<&TensorIr>> = match part {
            Part::Weight => vec![self.gates.iter().map(|gate| gate.weight).collect()],
            Part::Recurrent => vec![self.gates.iter().map(|gate| gate.recurrent).collect()],
            Part::Bias => vec![
                self.gates.iter().filter_map(|gate| gate.bias).collect(),
                self.gates
                    .iter()
                    .filter_map(|gate| gate.recurrent_bias)
                    .collect(),
            ],
        };
        let mut bytes = Vec::new();
        for half in &halves {
            for (position, tensor) in half.iter().enumerate() {
                let own = transposed(cx, tensor);
                if self.absent == Some(position) {
                    bytes.resize(bytes.len() + own.len(), 0);
                }
                bytes.extend(own);
            }
        }
        let gates = self.gates.len() + usize::from(self.absent.is_some());
        let last = halves[0][0];
        let hidden = last.shape[last.shape.num_dims() - 1];
        let shape = match part {
            Part::Bias => vec![1, 2 * gates * hidden],
            Part::Weight | Part::Recurrent => vec![1, gates * hidden, last.shape[0]],
        };
        cx.named_constant(TensorData::from_bytes_vec(bytes, shape, last.dtype), name)
    }
}

/// The elements of a constant [in, out] as [out, in]; a vector stays.
fn transposed(cx: &Context, tensor: &TensorIr) -> Vec<u8> {
    let Some(data) = cx.data(tensor) else {
        return Vec::new();
    };
    let bytes = data.as_bytes();
    let [rows, columns] = tensor.shape[..] else {
        return bytes.to_vec();
    };
    let size = tensor.dtype.size();
    let mut turned = Vec::with_capacity(bytes.len());
    for column in 0..columns {
        for row in 0..rows {
            let start = (row * columns + column) * size;
            turned.extend_from_slice(&bytes[start..start + size]);
        }
    }
    turned
}
