//! Recurrent layers.

use burn::backend::ir::{CustomOpIr, TensorIr};
use burn::tensor::TensorData;

use super::context::{Context, Lowered};
use crate::graph::ValueId;
use crate::node::Node;
use crate::recurrence::{CellKind, Direction, Function, Recurrence};

/// ONNX keeps the sequence first and a dimension for the directions: X is
/// [length, batch, features], Y is [length, directions, batch, hidden], and the
/// states are [directions, batch, hidden].
pub(super) fn lower(cx: &mut Context, layer: &Recurrence, op: &CustomOpIr) -> Lowered {
    let operands = Operands::new(layer, op);
    let dtype = operands.x.dtype;
    let x = Node::new("Transpose").input(operands.x);
    let x = cx.compute(x.attr("perm", vec![1i64, 0, 2]), dtype);
    let weights = operands.stacked(cx, Part::Weight, "W");
    let recurrent = operands.stacked(cx, Part::Recurrent, "R");
    let bias = layer.bias.then(|| operands.stacked(cx, Part::Bias, "B"));
    let states = operands.initial_states(cx);
    let mut node = Node::new(layer.op_type())
        .inputs([x, weights, recurrent])
        .optional(bias)
        // All sequences have the same length.
        .optional(None::<ValueId>)
        .inputs(states)
        .attr("hidden_size", operands.hidden());
    let directions = operands.sides.len();
    let (sequence, last) = (&op.outputs[0], &op.outputs[1..]);
    let kinds = last.len() / directions;
    let mut results = vec![cx.fresh(dtype)];
    for state in &last[..kinds] {
        let shape = [vec![cx.constant_extent(directions as i64)], cx.shape(state)];
        results.push(cx.value(Some(shape.concat()), dtype, None));
    }
    for result in &results {
        node = node.output(*result);
    }
    cx.push(with_attributes(node, layer))?;
    hidden_states(cx, results[0], layer, sequence)?;
    for (position, out) in last.iter().enumerate() {
        let (direction, kind) = (position / kinds, position % kinds);
        last_state(cx, results[1 + kind], (layer, direction), out)?;
    }
    Ok(())
}

/// Y with the batch first and the directions side by side.
fn hidden_states(cx: &mut Context, y: ValueId, layer: &Recurrence, out: &TensorIr) -> Lowered {
    if layer.direction == Direction::Both {
        let turned = Node::new("Transpose").input(y);
        let turned = turned.attr("perm", vec![2i64, 0, 1, 3]);
        let turned = cx.compute(turned, out.dtype);
        let shape = cx.integers(&[0, 0, out.shape[2] as i64]);
        return cx.apply_to("Reshape", [turned, shape], out);
    }
    let axes = cx.integers(&[1]);
    let sequence = cx.apply("Squeeze", [y, axes]);
    super::base::transpose(cx, sequence, &[1, 0, 2], out)
}

fn last_state(
    cx: &mut Context,
    states: ValueId,
    (layer, direction): (&Recurrence, usize),
    out: &TensorIr,
) -> Lowered {
    if layer.direction == Direction::Both {
        let index = cx.integer(direction as i64);
        return cx.apply_to("Gather", [states, index], out);
    }
    let axes = cx.integers(&[0]);
    cx.apply_to("Squeeze", [states, axes], out)
}

fn with_attributes(node: Node, layer: &Recurrence) -> Node {
    let (direction, count) = match layer.direction {
        Direction::Forward => ("forward", 1),
        Direction::Reverse => ("reverse", 1),
        Direction::Both => ("bidirectional", 2),
    };
    let functions: Vec<&'static str> = layer.functions.iter().map(name).collect();
    let defaults = default_functions(layer.kind);
    let node = node
        .attr_unless(
            "activations",
            defaults.repeat(count),
            functions.repeat(count),
        )
        .attr_unless("direction", "forward", direction);
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
    /// One for each direction.
    sides: Vec<Side<'a>>,
    /// Which gate has no weights of its own, if any: ONNX wants some all the
    /// same.
    absent: Option<usize>,
}

struct Side<'a> {
    gates: Vec<Gate<'a>>,
    /// The hidden state at the start and, in an LSTM, the cell's.
    states: &'a [TensorIr],
}

struct Gate<'a> {
    weight: &'a TensorIr,
    bias: Option<&'a TensorIr>,
    recurrent: &'a TensorIr,
    recurrent_bias: Option<&'a TensorIr>,
}

/// What is stacked gate by gate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Weight,
    Recurrent,
    Bias,
}

impl<'a> Operands<'a> {
    fn new(layer: &Recurrence, op: &'a CustomOpIr) -> Self {
        let directions = match layer.direction {
            Direction::Forward | Direction::Reverse => 1,
            Direction::Both => 2,
        };
        let size = layer.operands_of_gate();
        let weights = layer.gates() * size;
        let (weights, states) = op.inputs[1..].split_at(directions * weights);
        let weights = weights.chunks(weights.len() / directions);
        let states = states.len() / directions;
        let first_state = op.inputs.len() - directions * states;
        let sides = weights.enumerate().map(|(direction, weights)| Side {
            gates: weights.chunks(size).map(gate).collect(),
            states: &op.inputs[first_state + direction * states..][..states],
        });
        Self {
            x: &op.inputs[0],
            sides: sides.collect(),
            absent: (layer.kind == CellKind::Lstm { coupled: true }).then_some(2),
        }
    }

    fn hidden(&self) -> usize {
        self.sides[0].gates[0].recurrent.shape[0]
    }

    /// The states at the start, [directions, batch, hidden] each.
    fn initial_states(&self, cx: &mut Context) -> Vec<ValueId> {
        let kinds = 0..self.sides[0].states.len();
        kinds
            .map(|kind| {
                let states = self.sides.iter().map(|side| (&side.states[kind]).into());
                let states: Vec<ValueId> = states.map(|state| with_axis(cx, state)).collect();
                match states[..] {
                    [only] => only,
                    _ => {
                        let concat = Node::new("Concat").inputs(states).attr("axis", 0i64);
                        cx.compute(concat, self.x.dtype)
                    }
                }
            })
            .collect()
    }

    /// A constant of all gates: [directions, gates · hidden, features], or
    /// [directions, 2 · gates · hidden] for the biases.
    fn stacked(&self, cx: &mut Context, part: Part, name: &str) -> ValueId {
        let sides = self.sides.iter();
        let bytes: Vec<u8> = sides.flat_map(|side| self.side(cx, side, part)).collect();
        let gates = self.sides[0].gates.len() + usize::from(self.absent.is_some());
        let rows = gates * self.hidden();
        let directions = self.sides.len();
        let shape = match part {
            Part::Weight => vec![directions, rows, self.sides[0].gates[0].weight.shape[0]],
            Part::Recurrent => vec![directions, rows, self.hidden()],
            Part::Bias => vec![directions, 2 * rows],
        };
        cx.named_constant(TensorData::from_bytes_vec(bytes, shape, self.x.dtype), name)
    }

    /// The elements of one direction.
    fn side(&self, cx: &Context, side: &Side, part: Part) -> Vec<u8> {
        let gates = side.gates.iter();
        let halves: Vec<Vec<&TensorIr>> = match part {
            Part::Weight => vec![gates.map(|gate| gate.weight).collect()],
            Part::Recurrent => vec![gates.map(|gate| gate.recurrent).collect()],
            Part::Bias => vec![
                gates.clone().filter_map(|gate| gate.bias).collect(),
                gates.filter_map(|gate| gate.recurrent_bias).collect(),
            ],
        };
        let mut bytes = Vec::new();
        for (position, tensor) in halves.iter().flat_map(|half| half.iter().enumerate()) {
            let own = transposed(cx, tensor);
            if self.absent == Some(position) {
                bytes.resize(bytes.len() + own.len(), 0);
            }
            bytes.extend(own);
        }
        bytes
    }
}

fn gate(operands: &[TensorIr]) -> Gate<'_> {
    match operands {
        [weight, bias, recurrent, recurrent_bias] => Gate {
            weight,
            bias: Some(bias),
            recurrent,
            recurrent_bias: Some(recurrent_bias),
        },
        _ => Gate {
            weight: &operands[0],
            bias: None,
            recurrent: &operands[1],
            recurrent_bias: None,
        },
    }
}

fn with_axis(cx: &mut Context, state: ValueId) -> ValueId {
    let axes = cx.integers(&[0]);
    cx.apply("Unsqueeze", [state, axes])
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
