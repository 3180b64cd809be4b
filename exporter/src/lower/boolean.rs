//! Operations on booleans.

use burn::backend::ir::BoolOperationIr;

use super::context::{Context, Lowered};
use crate::node::Node;

pub(super) fn lower(cx: &mut Context, op: &BoolOperationIr) -> Lowered {
    use BoolOperationIr as B;
    match op {
        B::IntoFloat(op) | B::IntoInt(op) => cx.cast_to((&op.input).into(), &op.out),
        B::Not(op) => cx.push(Node::new("Not").input(&op.input).output(&op.out)),
        B::And(op) => cx.apply_to("And", [(&op.lhs).into(), (&op.rhs).into()], &op.out),
        B::Or(op) => cx.apply_to("Or", [(&op.lhs).into(), (&op.rhs).into()], &op.out),
        B::Xor(op) => cx.apply_to("Xor", [(&op.lhs).into(), (&op.rhs).into()], &op.out),
    }
}
