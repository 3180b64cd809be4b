//! Scaled dot-product attention.

use burn::backend::ir::{AttentionOpIr, ScalarIr, TensorIr};
use burn::tensor::{BoolStore, DType};

use super::context::{Context, Lowered, Refusal};
use crate::extent::Extent;
use crate::graph::ValueId;
use crate::node::Node;

/// The first opset with `Attention`.
const ATTENTION: u8 = 23;

const BOOL: DType = DType::Bool(BoolStore::Native);

/// `softmax(cap(Q Kᵀ · scale) masked + bias) V`, where `cap(x)` is
/// `c tanh(x / c)` and a mask is true where attention is not allowed; a row
/// without any allowed position gives 0.
///
/// Q is [batch, heads, queries, d], K and V are [batch, heads, keys, d], or have
/// fewer heads, each of which serves as many of Q's.
pub(super) fn attention(cx: &mut Context, op: &AttentionOpIr) -> Lowered {
    cx.require_fixed_scalars()?;
    if cx.has(ATTENTION) && is_native(cx, op) {
        return native(cx, op);
    }
    let dtype = op.query.dtype;
    let mut scores = scores(cx, op)?;
    if let Some(cap) = op.options.softcap {
        let cap = cx.scalar(cap, dtype);
        let ratio = cx.apply("Div", [scores, cap]);
        let bounded = cx.apply("Tanh", [ratio]);
        scores = cx.apply("Mul", [bounded, cap]);
    }
    if let Some(mask) = &op.mask {
        scores = hide(cx, scores, mask.into(), dtype);
    }
    if op.options.is_causal {
        let future = future(cx, op)?;
        scores = hide(cx, scores, future, dtype);
    }
    if let Some(bias) = &op.attn_bias {
        scores = cx.apply("Add", [scores, bias.into()]);
    }
    let softmax = Node::new("Softmax").input(scores).attr("axis", -1i64);
    let mut weights = cx.compute(softmax, dtype);
    // The first queries see no key where there are more of them than keys.
    let more_queries = ahead(cx, op).fixed().is_none_or(|ahead| ahead < 0);
    let first_see_none = op.options.is_causal && more_queries;
    if op.mask.is_some() || op.attn_bias.is_some() || first_see_none {
        weights = zero_where_nan(cx, weights, dtype);
    }
    let value = for_each_head(cx, op, &op.value)?;
    cx.apply_to("MatMul", [weights, value], &op.out)
}

/// Whether ONNX's operator gives the same. With a mask or a bias, rows without
/// any allowed position differ; its causal mask lets the first query stand at
/// the first key, and comes before the cap in some of its versions. ONNX Runtime
/// takes no scale but a positive one.
fn is_native(cx: &Context, op: &AttentionOpIr) -> bool {
    let (same_length, scale) = (ahead(cx, op).is(0), op.options.scale);
    let causal = !op.options.is_causal || (same_length && op.options.softcap.is_none());
    let scale = scale.is_none_or(|scale| scale.elem::<f64>() > 0.0);
    op.mask.is_none() && op.attn_bias.is_none() && causal && scale
}

/// How many keys more than queries there are.
fn ahead(cx: &Context, op: &AttentionOpIr) -> Extent {
    cx.shape(&op.key)[2].minus(&cx.shape(&op.query)[2])
}

fn native(cx: &mut Context, op: &AttentionOpIr) -> Lowered {
    let operands = [(&op.query).into(), (&op.key).into(), (&op.value).into()];
    let node = Node::new("Attention").inputs(operands).output(&op.out);
    let node = node.attr_unless("is_causal", false, op.options.is_causal);
    let cap = op.options.softcap.map_or(0.0, |cap| cap.elem());
    let node = node.attr_unless("softcap", 0.0, cap);
    // ONNX's default is Burn's, 1 / √d.
    cx.push(match op.options.scale {
        Some(scale) => node.attr("scale", scale.elem::<f64>()),
        None => node,
    })
}

/// `Q Kᵀ · scale`, [batch, heads, queries, keys]
fn scores(cx: &mut Context, op: &AttentionOpIr) -> Result<ValueId, Refusal> {
    let dtype = op.query.dtype;
    let size = cx.shape(&op.query)[3].clone();
    let scale = match op.options.scale {
        Some(scale) => scale.elem(),
        None => 1.0 / (cx.fixed(&size, "the size of a head")? as f64).sqrt(),
    };
    let key = for_each_head(cx, op, &op.key)?;
    let transposed = Node::new("Transpose").input(key);
    let transposed = cx.compute(transposed.attr("perm", vec![0i64, 1, 3, 2]), dtype);
    let products = cx.apply("MatMul", [(&op.query).into(), transposed]);
    let scale = cx.number(scale, dtype);
    Ok(cx.apply("Mul", [products, scale]))
}

/// K or V with a head for each of Q's, the one at `⌊head · shared / heads⌋`; a
/// product takes a single head for all by itself.
fn for_each_head(
    cx: &mut Context,
    op: &AttentionOpIr,
    tensor: &TensorIr,
) -> Result<ValueId, Refusal> {
    let (heads, shared) = (cx.shape(&op.query)[1].clone(), cx.shape(tensor)[1].clone());
    if shared == heads || shared.is(1) {
        return Ok(tensor.into());
    }
    let [heads, shared] = [heads, shared].map(|count| cx.fixed(&count, "the number of heads"));
    let (heads, shared) = (heads?, shared?);
    let sources: Vec<i64> = (0..heads).map(|head| head * shared / heads).collect();
    let sources = cx.integers(&sources);
    let gather = Node::new("Gather").inputs([tensor.into(), sources]);
    Ok(cx.compute(gather.attr("axis", 1i64), tensor.dtype))
}

fn hide(cx: &mut Context, scores: ValueId, mask: ValueId, dtype: DType) -> ValueId {
    let lowest = cx.scalar(ScalarIr::Float(f64::NEG_INFINITY), dtype);
    cx.compute(Node::new("Where").inputs([mask, lowest, scores]), dtype)
}

/// True where a key comes after its query, [queries, keys]; the last query
/// stands at the last key.
fn future(cx: &mut Context, op: &AttentionOpIr) -> Result<ValueId, Refusal> {
    let (queries, keys) = (cx.shape(&op.query)[2].clone(), cx.shape(&op.key)[2].clone());
    let ahead = cx.extent(&ahead(cx, op))?;
    let query = cx.positions(&queries)?;
    let query = cx.apply("Add", [query, ahead]);
    let column = cx.integers(&[-1, 1]);
    let query = cx.apply("Reshape", [query, column]);
    let key = cx.positions(&keys)?;
    Ok(cx.compute(Node::new("Greater").inputs([key, query]), BOOL))
}

/// The softmax of nothing but -∞ is NaN.
fn zero_where_nan(cx: &mut Context, weights: ValueId, dtype: DType) -> ValueId {
    let undefined = cx.compute(Node::new("IsNaN").input(weights), BOOL);
    let zero = cx.number(0.0, dtype);
    cx.compute(Node::new("Where").inputs([undefined, zero, weights]), dtype)
}
