//! Recurrent layers, found again in what Burn records.
//!
//! Burn runs its recurrent layers as a loop over the positions of a sequence,
//! and records every step. A loop whose steps all are the same cell becomes one
//! operation, which ONNX has for sequences of any length.

mod cell;
mod directions;
mod producers;
mod unrolled;

use std::collections::{BTreeMap, BTreeSet};

use burn::backend::capture::TensorId;
use burn::backend::ir::{CustomOpIr, OperationIr};

use cell::Step;
pub(crate) use cell::{CellKind, Function};
pub(crate) use directions::join;
use producers::Producers;
use unrolled::{Unrolled, unrolled};

/// A recurrent layer: an operation of the exporter's own.
///
/// Its operands are the sequence [batch, length, features]; for each of the
/// cell's gates the weights [features, hidden], with `bias` the bias [hidden],
/// the recurrent weights [hidden, hidden] and their bias; and with `initial`
/// the states [batch, hidden] at the start. Its results are the hidden states
/// [batch, length, hidden] and the states [batch, hidden] at the end.
///
/// In both directions, the weights and states of the second follow those of the
/// first, and the hidden states are [batch, length, 2 · hidden].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recurrence {
    pub kind: CellKind,
    /// In the order of ONNX's `activations`.
    pub functions: Vec<Function>,
    pub direction: Direction,
    pub bias: bool,
    pub initial: bool,
}

/// How a sequence is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Forward,
    Reverse,
    Both,
}

impl Recurrence {
    /// ONNX's name.
    pub fn op_type(&self) -> &'static str {
        match self.kind {
            CellKind::Rnn => "RNN",
            CellKind::Gru { .. } => "GRU",
            CellKind::Lstm { .. } => "LSTM",
        }
    }

    /// How many operands each of the cell's gates has.
    pub fn operands_of_gate(&self) -> usize {
        if self.bias { 4 } else { 2 }
    }

    /// How many gates have weights, in each direction.
    pub fn gates(&self) -> usize {
        match self.kind {
            CellKind::Rnn => 1,
            CellKind::Gru { .. } | CellKind::Lstm { coupled: true } => 3,
            CellKind::Lstm { coupled: false } => 4,
        }
    }

    /// Starts with the operator's name, and is equal for equal layers.
    fn id(&self) -> String {
        format!("{} {self:?}", self.op_type())
    }
}

/// A loop that stays as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loop {
    /// What the last step computes.
    pub last: TensorId,
    pub steps: usize,
}

/// What [`fold`] found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The layers by their operations' `id`.
    pub layers: BTreeMap<String, Recurrence>,
    pub loops: Vec<Loop>,
}

/// Replaces the loops of recurrent layers; what is left unused is removed by
/// [`crate::dead::remove`].
pub(crate) fn fold(
    operations: Vec<OperationIr>,
    is_constant: impl Fn(TensorId) -> bool,
) -> (Vec<OperationIr>, Found) {
    let mut found = Found::default();
    let mut layers = Vec::new();
    let producers = Producers::new(&operations);
    for candidate in unrolled(&producers, &operations) {
        match layer(&producers, &candidate, &is_constant) {
            Some((recurrence, op)) => {
                found.layers.insert(recurrence.id(), recurrence);
                layers.push(op);
            }
            None => found.loops.push(Loop {
                last: candidate.last().id,
                steps: candidate.states.len(),
            }),
        }
    }
    (replace(operations, layers), found)
}

/// The loop as one operation, if its steps are those of one cell.
fn layer(
    producers: &Producers,
    candidate: &Unrolled,
    is_constant: &impl Fn(TensorId) -> bool,
) -> Option<(Recurrence, CustomOpIr)> {
    let states = candidate.states.iter();
    let steps: Vec<Step> = states
        .map(|state| cell::step(producers, state))
        .collect::<Option<_>>()?;
    let (first, last) = (steps.first()?, steps.last()?);
    let reverse = candidate.reverse;
    let length = steps.len();
    let position = |step: usize| if reverse { length - 1 - step } else { step };
    let uniform = steps.iter().enumerate().all(|(at, step)| {
        step.cell == first.cell && step.x.id == first.x.id && step.position == position(at)
    });
    let connected = steps.windows(2).all(|pair| {
        let after = pair[0].after.iter().map(|state| state.id);
        after.eq(pair[1].before.iter().map(|state| state.id))
    });
    let covers = first.x.shape.num_dims() == 3 && first.x.shape[1] == length;
    let weights = first.cell.operands();
    let constant = weights.iter().all(|weight| is_constant(weight.id));
    if !(uniform && connected && covers && constant) {
        return None;
    }
    let initial = !first
        .before
        .iter()
        .all(|state| producers.is_zeros(state.id));
    let recurrence = Recurrence {
        kind: first.cell.kind,
        functions: first.cell.functions.clone(),
        direction: match reverse {
            false => Direction::Forward,
            true => Direction::Reverse,
        },
        bias: first.cell.has_bias()?,
        initial,
    };
    let before = initial.then_some(&first.before).into_iter().flatten();
    let op = CustomOpIr {
        id: recurrence.id(),
        inputs: [&first.x]
            .into_iter()
            .chain(weights)
            .chain(before)
            .cloned()
            .collect(),
        outputs: [&candidate.out]
            .into_iter()
            .chain(&last.after)
            .cloned()
            .collect(),
        scalars: Vec::new(),
    };
    Some((recurrence, op))
}

/// Puts each layer where the first of its results was computed: what it reads
/// was there before its loop began.
fn replace(operations: Vec<OperationIr>, layers: Vec<CustomOpIr>) -> Vec<OperationIr> {
    let mut owners: BTreeMap<TensorId, usize> = BTreeMap::new();
    for (layer, op) in layers.iter().enumerate() {
        owners.extend(op.outputs.iter().map(|tensor| (tensor.id, layer)));
    }
    let mut placed = BTreeSet::new();
    let mut replaced = Vec::with_capacity(operations.len());
    for operation in operations {
        let owner = operation
            .outputs()
            .find_map(|tensor| owners.get(&tensor.id));
        match owner {
            Some(layer) if placed.insert(*layer) => {
                replaced.push(OperationIr::Custom(layers[*layer].clone()));
            }
            Some(_) => {}
            None => replaced.push(operation),
        }
    }
    replaced
}
