//! What surrounds recurrent operators.

use burn::tensor::TensorData;

use super::pattern::{Editor, input, integer};
use crate::graph::ValueId;
use crate::node::Node;

/// The last states of both directions, taken apart and stacked again.
pub(super) fn stacked_states(editor: &mut Editor, node: &Node) -> Option<Vec<Node>> {
    if node.op_type != "Concat" || node.inputs.len() != 2 || integer(node, "axis")? != 0 {
        return None;
    }
    let taken = |position: usize| -> Option<ValueId> {
        let reshape = editor.operand(node, position, "Reshape")?;
        let gather = editor.operand(&reshape, 0, "Gather")?;
        let index: &TensorData = editor.value(input(&gather, 1)?).data.as_ref()?;
        let own = index.as_slice::<i64>().ok()? == [position as i64];
        let outer = integer(&gather, "axis").unwrap_or(0) == 0;
        input(&gather, 0).filter(|_| own && outer)
    };
    let states = taken(0)?;
    let whole = taken(1)? == states && editor.shape(states)? == editor.shape(node.outputs[0])?;
    whole.then(|| vec![Node::new("Identity").input(states).output(node.outputs[0])])
}
