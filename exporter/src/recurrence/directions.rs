//! Two layers that read one sequence from both ends are one.

use std::collections::BTreeMap;

use burn::backend::capture::TensorId;
use burn::backend::ir::{BaseOperationIr, CatOpIr, CustomOpIr, OperationIr};

use super::{Direction, Recurrence};

/// Joins the layers whose hidden states are put side by side.
pub(crate) fn join(
    mut operations: Vec<OperationIr>,
    outputs: &[TensorId],
    layers: &mut BTreeMap<String, Recurrence>,
) -> Vec<OperationIr> {
    while let Some(pair) = find(&operations, outputs, layers) {
        layers.insert(pair.op.id.clone(), pair.layer);
        operations[pair.forward] = OperationIr::Custom(pair.op);
        // The concatenation comes after the layer.
        operations.remove(pair.cat);
        operations.remove(pair.reverse);
    }
    operations
}

/// Two layers, by their positions, and the one that they are.
struct Pair {
    forward: usize,
    reverse: usize,
    cat: usize,
    layer: Recurrence,
    op: CustomOpIr,
}

fn find(
    operations: &[OperationIr],
    outputs: &[TensorId],
    layers: &BTreeMap<String, Recurrence>,
) -> Option<Pair> {
    let graph = View {
        operations,
        outputs,
        layers,
    };
    let mut cats = operations.iter().enumerate();
    cats.find_map(|(at, operation)| match operation {
        OperationIr::BaseFloat(BaseOperationIr::Cat(cat)) if cat.dim == 2 => graph.pair(at, cat),
        _ => None,
    })
}

struct View<'a> {
    operations: &'a [OperationIr],
    outputs: &'a [TensorId],
    layers: &'a BTreeMap<String, Recurrence>,
}

impl<'a> View<'a> {
    fn pair(&self, at: usize, cat: &CatOpIr) -> Option<Pair> {
        let [first, second] = &cat.tensors[..] else {
            return None;
        };
        let (forward, ahead, layer) = self.layer(first.id)?;
        let (reverse, back, other) = self.layer(second.id)?;
        let directions = (layer.direction, other.direction);
        let both = Recurrence {
            direction: Direction::Both,
            ..layer.clone()
        };
        let alike = Recurrence {
            direction: Direction::Both,
            ..other.clone()
        } == both;
        let opposite = directions == (Direction::Forward, Direction::Reverse);
        let sole = self.reads(first.id) == 1 && self.reads(second.id) == 1;
        // The joined layer stands where the first one does, or where both do.
        let ready = forward < reverse && back.inputs.iter().all(|x| self.exists(x.id, forward));
        let same = ahead.inputs[0].id == back.inputs[0].id;
        (alike && opposite && sole && ready && same).then(|| Pair {
            forward,
            reverse,
            cat: at,
            op: joined(&both, ahead, back, cat),
            layer: both,
        })
    }

    /// The layer whose hidden states these are, and its position.
    fn layer(&self, states: TensorId) -> Option<(usize, &'a CustomOpIr, &'a Recurrence)> {
        let mut operations = self.operations.iter().enumerate();
        operations.find_map(|(at, operation)| match operation {
            OperationIr::Custom(op) if op.outputs.first()?.id == states => {
                Some((at, op, self.layers.get(&op.id)?))
            }
            _ => None,
        })
    }

    fn reads(&self, id: TensorId) -> usize {
        let inputs = self.operations.iter().flat_map(OperationIr::inputs);
        let inputs = inputs.map(|tensor| tensor.id);
        let all = inputs.chain(self.outputs.iter().copied());
        all.filter(|read| *read == id).count()
    }

    /// Whether a tensor is there before the operation at a position.
    fn exists(&self, id: TensorId, position: usize) -> bool {
        let mut later = self.operations[position..].iter();
        !later.any(|operation| operation.outputs().any(|tensor| tensor.id == id))
    }
}

fn joined(both: &Recurrence, ahead: &CustomOpIr, back: &CustomOpIr, cat: &CatOpIr) -> CustomOpIr {
    let weights = 1 + both.gates() * both.operands_of_gate();
    let (x, own) = ahead.inputs[..weights].split_at(1);
    let sides = [own, &back.inputs[1..weights]];
    let states = [&ahead.inputs[weights..], &back.inputs[weights..]];
    let results = ahead.outputs[1..].iter().chain(&back.outputs[1..]);
    CustomOpIr {
        id: both.id(),
        inputs: [&[x, sides[0], sides[1]][..], &states[..]]
            .concat()
            .concat(),
        outputs: [&cat.out].into_iter().chain(results).cloned().collect(),
        scalars: Vec::new(),
    }
}
