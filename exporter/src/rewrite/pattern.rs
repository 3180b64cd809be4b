//! Looking at a program around a node, and replacing that node.

use std::collections::BTreeMap;

use burn::tensor::DType;

use crate::extent::Extent;
use crate::graph::{Value, ValueId};
use crate::node::{Attribute, Node, Program};
use crate::opset::Opset;
use crate::tensor;

/// Looks at the node that may end a pattern, and returns what replaces it.
pub(super) type Rule = fn(&mut Editor, &Node) -> Option<Vec<Node>>;

/// A program that is being rewritten by one rule.
pub(super) struct Editor<'a> {
    program: &'a mut Program,
    opset: Opset,
    /// By output: the node that makes it.
    producers: BTreeMap<ValueId, Node>,
    /// How often each value is read, or returned.
    uses: BTreeMap<ValueId, usize>,
}

impl<'a> Editor<'a> {
    pub fn new(program: &'a mut Program, opset: Opset) -> Self {
        let mut uses = BTreeMap::new();
        let reads = program.nodes.iter().flat_map(Node::reads);
        for id in reads.chain(program.outputs.iter().copied()) {
            *uses.entry(id).or_insert(0) += 1;
        }
        let producers = program.nodes.iter();
        let producers = producers
            .filter(|node| node.outputs.len() == 1)
            .map(|node| (node.outputs[0], node.clone()))
            .collect();
        Self {
            program,
            opset,
            producers,
            uses,
        }
    }

    /// Replaces every node at which the rule finds its pattern.
    pub fn apply(mut self, rule: Rule) -> bool {
        let nodes = std::mem::take(&mut self.program.nodes);
        let mut changed = false;
        for node in nodes {
            match rule(&mut self, &node) {
                Some(replacement) => {
                    changed = true;
                    let scoped = replacement.into_iter().map(|new| in_scope_of(new, &node));
                    self.program.nodes.extend(scoped);
                }
                None => self.program.nodes.push(node),
            }
        }
        changed
    }

    pub fn has(&self, version: u8) -> bool {
        self.opset.version() >= version
    }

    /// The node that makes an operand, if it is of this operator.
    pub fn operand(&self, node: &Node, position: usize, op_type: &str) -> Option<Node> {
        let producer = self.producers.get(&input(node, position)?)?;
        (producer.op_type == op_type).then(|| producer.clone())
    }

    /// As [`Self::operand`], where nothing else reads the operand.
    pub fn sole_operand(&self, node: &Node, position: usize, op_type: &str) -> Option<Node> {
        let sole = self.uses.get(&input(node, position)?) == Some(&1);
        self.operand(node, position, op_type).filter(|_| sole)
    }

    pub fn value(&self, id: ValueId) -> &Value {
        &self.program.values[id.0]
    }

    pub fn shape(&self, id: ValueId) -> Option<&[Extent]> {
        self.value(id).shape.as_deref()
    }

    /// The elements of a constant of floats.
    pub fn floats(&self, id: Option<ValueId>) -> Option<Vec<f64>> {
        let data = self.value(id?).data.clone()?;
        if !data.dtype().is_float() {
            return None;
        }
        let data = data.convert::<f64>();
        data.as_slice::<f64>().ok().map(<[f64]>::to_vec)
    }

    /// The only element of a constant of floats.
    pub fn scalar(&self, node: &Node, position: usize) -> Option<f64> {
        match self.floats(input(node, position))?[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Whether an operand is a constant of one element near `expected`: Burn
    /// rounds constants to the tensor's type.
    pub fn is_near(&self, node: &Node, position: usize, expected: f64) -> bool {
        let near = |found: f64| (found - expected).abs() <= 1e-3 * expected.abs();
        self.scalar(node, position).is_some_and(near)
    }

    /// The axes of a reduction, an attribute or a constant operand.
    pub fn axes(&self, node: &Node) -> Option<Vec<i64>> {
        let attribute = node
            .attributes
            .iter()
            .find_map(|(name, value)| match value {
                Attribute::Ints(axes) if *name == "axes" => Some(axes.clone()),
                _ => None,
            });
        attribute.or_else(|| {
            let data = self.value(input(node, 1)?).data.as_ref()?;
            data.as_slice::<i64>().ok().map(<[i64]>::to_vec)
        })
    }

    /// A new value of another's element type.
    pub fn fresh(&mut self, like: ValueId) -> ValueId {
        let dtype = self.value(like).dtype;
        self.program.values.push(Value {
            shape: None,
            dtype,
            data: None,
            name: None,
        });
        ValueId(self.program.values.len() - 1)
    }

    /// Lets go of a constant's elements, if the pattern at hand alone reads it
    /// and is about to be replaced.
    pub fn release(&mut self, id: ValueId) {
        if self.uses.get(&id) == Some(&1) {
            self.program.values[id.0].data = None;
        }
    }

    /// A new constant of floats.
    pub fn constant(
        &mut self,
        elements: impl IntoIterator<Item = f64>,
        shape: Vec<usize>,
        dtype: DType,
        name: Option<String>,
    ) -> ValueId {
        let data = tensor::shared(tensor::floats(elements.into_iter(), shape, dtype));
        self.program.values.push(Value {
            shape: None,
            dtype,
            data: Some(data),
            name,
        });
        ValueId(self.program.values.len() - 1)
    }
}

/// A new node belongs where the node that it replaces does.
fn in_scope_of(mut new: Node, replaced: &Node) -> Node {
    if new.scope.is_empty() {
        new.scope = replaced.scope.clone();
    }
    if new.origin.is_empty() {
        new.origin = replaced.origin.clone();
    }
    new
}

/// An operand that is there.
pub(super) fn input(node: &Node, position: usize) -> Option<ValueId> {
    node.inputs.get(position).copied().flatten()
}

/// The order of a transposition's axes.
pub(super) fn permutation(node: &Node) -> Option<&[i64]> {
    node.attributes
        .iter()
        .find_map(|(name, value)| match value {
            Attribute::Ints(order) if *name == "perm" => Some(order.as_slice()),
            _ => None,
        })
}

/// An integer attribute.
pub(super) fn integer(node: &Node, name: &str) -> Option<i64> {
    node.attributes
        .iter()
        .find_map(|(known, value)| match value {
            Attribute::Int(value) if *known == name => Some(*value),
            _ => None,
        })
}

/// A float attribute.
pub(super) fn float(node: &Node, name: &str) -> Option<f32> {
    node.attributes
        .iter()
        .find_map(|(known, value)| match value {
            Attribute::Float(value) if *known == name => Some(*value),
            _ => None,
        })
}
