//! Named rules that make the nodes fewer and leave every result as it is.
//!
//! Burn records some layers as many operations. A pattern is found at its last
//! node, which is replaced; what nothing reads any more is removed afterwards.

mod activation;
mod attention;
mod batch_norm;
mod cleanup;
mod normalization;
mod pattern;
mod recurrent;

use crate::node::Program;
use crate::opset::Opset;
use pattern::{Editor, Rule};

/// Each is one pattern.
const PATTERNS: [Rule; 15] = [
    batch_norm::fold_into_convolution,
    normalization::instance_norm,
    normalization::instance_norm_of_image,
    normalization::group_norm,
    normalization::absorb_scale,
    normalization::absorb_bias,
    normalization::rms_norm,
    activation::tanh_gelu,
    activation::softplus,
    activation::log_sigmoid,
    activation::mish,
    activation::hard_swish,
    attention::scaled_dot_products,
    attention::multi_head,
    recurrent::stacked_states,
];

/// Applies the rules until none applies.
pub(crate) fn rewrite(program: &mut Program, opset: Opset) {
    loop {
        let cleaned = clean_once(program);
        // Every rule runs; `any` would stop at the first that applies.
        let matched = PATTERNS.map(|rule| Editor::new(program, opset).apply(rule));
        if !cleaned && !matched.contains(&true) {
            break;
        }
    }
}

/// Removes what is not needed, and looks for no patterns.
pub(crate) fn clean(program: &mut Program) {
    while clean_once(program) {}
}

fn clean_once(program: &mut Program) -> bool {
    let cleanups: [fn(&mut Program) -> bool; 8] = [
        cleanup::remove_dead_nodes,
        cleanup::remove_unread_results,
        cleanup::fold_reshaped_constants,
        cleanup::skip_nodes_without_effect,
        cleanup::return_directly,
        cleanup::merge_reshapes,
        cleanup::merge_transposes,
        cleanup::merge_equal_nodes,
    ];
    cleanups.map(|rule| rule(program)).contains(&true)
}
