//! The cells of recurrent layers, as one step of a loop shows them.

use burn::backend::capture::TensorId;
use burn::backend::ir::TensorIr;

use super::producers::Producers;
use super::unrolled::position;

/// ONNX's recurrent operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CellKind {
    /// `h = f(W x + R h)`
    Rnn,
    /// `h = (1 - z) n + z h` with the gates `z`, `r` and `n`.
    Gru {
        /// Whether `r` scales the product with `h`, bias included, or `h`.
        reset_after: bool,
    },
    /// `c = f c + i g` and `h = o H(c)` with the gates `i`, `o`, `f` and `g`.
    Lstm {
        /// Whether `f = 1 - i`, so that there is no gate `f`.
        coupled: bool,
    },
}

/// An activation function that ONNX's recurrent operators have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Relu,
    Sigmoid,
    Tanh,
}

/// What is the same in all steps.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub kind: CellKind,
    pub functions: Vec<Function>,
    /// In ONNX's order.
    gates: Vec<Gate>,
}

/// The weights of `W x + b` and `R h + c`.
#[derive(Clone, Debug)]
struct Gate {
    input: Weights,
    recurrent: Weights,
}

#[derive(Clone, Debug)]
struct Weights {
    weight: TensorIr,
    bias: Option<TensorIr>,
}

impl Cell {
    /// The weights of all gates.
    pub fn operands(&self) -> Vec<&TensorIr> {
        let gates = self.gates.iter();
        let weights = gates.flat_map(|gate| [&gate.input, &gate.recurrent]);
        weights
            .flat_map(|weights| [Some(&weights.weight), weights.bias.as_ref()])
            .flatten()
            .collect()
    }

    /// Whether there are biases; nothing where only some gates have one.
    pub fn has_bias(&self) -> Option<bool> {
        let weights = 2 * self.gates.len();
        match self.operands().len() - weights {
            0 => Some(false),
            biases => (biases == weights).then_some(true),
        }
    }
}

impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        let ids = |cell: &Self| -> Vec<TensorId> {
            cell.operands().iter().map(|operand| operand.id).collect()
        };
        self.kind == other.kind && self.functions == other.functions && ids(self) == ids(other)
    }
}

/// One step of a loop.
pub(super) struct Step {
    pub cell: Cell,
    /// The whole sequence.
    pub x: TensorIr,
    /// Which position of the sequence the step reads.
    pub position: usize,
    /// The hidden state and, in an LSTM, the cell's.
    pub before: Vec<TensorIr>,
    pub after: Vec<TensorIr>,
}

/// The step that computes the hidden state `h`.
pub(super) fn step(producers: &Producers, h: &TensorIr) -> Option<Step> {
    lstm(producers, h)
        .or_else(|| gru(producers, h))
        .or_else(|| rnn(producers, h))
}

/// A gate before its activation function, and what it reads.
struct Sum<'a> {
    gate: Gate,
    x: &'a TensorIr,
    h: &'a TensorIr,
}

/// `W x + R h`
fn sum<'a>(producers: &Producers<'a>, id: TensorId) -> Option<Sum<'a>> {
    let [input, recurrent] = producers.sum(id)?;
    let (x, input) = weighted(producers, input.id)?;
    let (h, recurrent) = weighted(producers, recurrent.id)?;
    let gate = Gate { input, recurrent };
    Some(Sum { gate, x, h })
}

fn weighted<'a>(producers: &Producers<'a>, id: TensorId) -> Option<(&'a TensorIr, Weights)> {
    let linear = producers.linear(id)?;
    let weights = Weights {
        weight: linear.weight.clone(),
        bias: linear.bias.clone(),
    };
    Some((&linear.x, weights))
}

/// `f(W x + R h)`
fn gate<'a>(producers: &Producers<'a>, id: TensorId) -> Option<(Function, Sum<'a>)> {
    let (function, argument) = producers.activation(id)?;
    Some((function, sum(producers, argument.id)?))
}

/// The sequence and the position that a step reads, [batch, features].
fn input<'a>(producers: &Producers<'a>, x: &TensorIr) -> Option<(&'a TensorIr, usize)> {
    let slice = producers.slice(producers.reshaped(x.id)?.id)?;
    Some((&slice.tensor, position(&slice.tensor, &slice.ranges)?))
}

/// Puts a step together from gates that must read the same `x` and `h`.
fn assemble(
    producers: &Producers,
    (kind, functions): (CellKind, Vec<Function>),
    sums: Vec<Sum>,
    cell_state: Option<&TensorIr>,
    after: Vec<TensorIr>,
) -> Option<Step> {
    let (x, h) = (sums.first()?.x, sums.first()?.h);
    let same = sums.iter().all(|sum| (sum.x.id, sum.h.id) == (x.id, h.id));
    let (sequence, position) = input(producers, x).filter(|_| same)?;
    Some(Step {
        x: sequence.clone(),
        position,
        before: [h].into_iter().chain(cell_state).cloned().collect(),
        after,
        cell: Cell {
            kind,
            functions,
            gates: sums.into_iter().map(|sum| sum.gate).collect(),
        },
    })
}

/// `h = f(W x + R h)`
fn rnn(producers: &Producers, h: &TensorIr) -> Option<Step> {
    let (function, sum) = gate(producers, h.id)?;
    let cell = (CellKind::Rnn, vec![function]);
    assemble(producers, cell, vec![sum], None, vec![h.clone()])
}

/// `h = n (1 - z) + z h`
fn gru(producers: &Producers, out: &TensorIr) -> Option<Step> {
    let [new, old] = producers.sum(out.id)?;
    let [n, complement] = producers.product(new.id)?;
    let [z, h] = producers.product(old.id)?;
    if producers.complement(complement.id)?.id != z.id {
        return None;
    }
    let (f, update) = gate(producers, z.id)?;
    let (g, argument) = producers.activation(n.id)?;
    let (reset_after, r, candidate) = candidate(producers, argument, h)?;
    let (also_f, reset) = gate(producers, r.id)?;
    let kind = CellKind::Gru { reset_after };
    let fits = f == also_f && update.h.id == h.id;
    let sums = vec![update, reset, candidate];
    let step = assemble(producers, (kind, vec![f, g]), sums, None, vec![out.clone()]);
    step.filter(|_| fits)
}

/// `W x + r (R h)`, or `W x + R (h r)`, with `r`.
fn candidate<'a>(
    producers: &Producers<'a>,
    argument: &TensorIr,
    h: &'a TensorIr,
) -> Option<(bool, &'a TensorIr, Sum<'a>)> {
    let [input, recurrent] = producers.sum(argument.id)?;
    let (x, input) = weighted(producers, input.id)?;
    if let Some([r, product]) = producers.product(recurrent.id) {
        let (reset, recurrent) = weighted(producers, product.id)?;
        let gate = Gate { input, recurrent };
        return Some((true, r, Sum { gate, x, h: reset }));
    }
    let (reset, recurrent) = weighted(producers, recurrent.id)?;
    let [state, r] = producers.product(reset.id)?;
    let gate = Gate { input, recurrent };
    (state.id == h.id).then_some((false, r, Sum { gate, x, h }))
}

/// `c = f c + i g`, `h = o H(c)`
fn lstm(producers: &Producers, h: &TensorIr) -> Option<Step> {
    let [o, squashed] = producers.product(h.id)?;
    let (hidden_function, c) = producers.activation(squashed.id)?;
    let [kept, added] = producers.sum(c.id)?;
    let [f, before] = producers.product(kept.id)?;
    let [i, g] = producers.product(added.id)?;
    let (function, input) = gate(producers, i.id)?;
    let (o_function, output) = gate(producers, o.id)?;
    let (cell_function, cell) = gate(producers, g.id)?;
    let coupled = producers.complement(f.id).is_some_and(|x| x.id == i.id);
    let mut sums = vec![input, output];
    if !coupled {
        let (f_function, forget) = gate(producers, f.id)?;
        sums.push(forget);
        (f_function == function).then_some(())?;
    }
    sums.push(cell);
    (o_function == function).then_some(())?;
    let functions = vec![function, cell_function, hidden_function];
    let kind = CellKind::Lstm { coupled };
    let after = vec![h.clone(), c.clone()];
    assemble(producers, (kind, functions), sums, Some(before), after)
}
