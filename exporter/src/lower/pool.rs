//! Pooling.

use burn::backend::ir::TensorIr;
use burn::tensor::TensorData;

use super::context::{Context, Lowered, Refusal, refuse};
use super::convolution::{pads, symmetric};
use crate::graph::ValueId;
use crate::node::Node;

/// A pooling window, in the order of the spatial axes.
pub(super) struct Window<'a> {
    pub kernel: &'a [usize],
    pub strides: &'a [usize],
    /// At the begin and the end of each axis.
    pub padding: &'a [usize],
    pub dilations: &'a [usize],
    pub ceil_mode: bool,
}

/// The first opset that leaves out a window that starts in the padding, as Burn
/// does.
const CEIL_WITHOUT_PADDING: u8 = 22;

impl Window<'_> {
    /// A pool from `x` to `out`; `counts_padding` when padding changes results.
    fn node(
        &self,
        cx: &Context,
        op_type: &'static str,
        (x, out): (&TensorIr, &TensorIr),
        counts_padding: bool,
    ) -> Result<Node, Refusal> {
        let (padding, ceil_mode) = self.ends(cx, (x, out), counts_padding)?;
        Ok(Node::new(op_type)
            .input(x)
            .attr("kernel_shape", self.kernel)
            .attr("strides", self.strides)
            .attr("pads", pads(&padding))
            .attr_unless("ceil_mode", false, ceil_mode))
    }

    /// Begins and ends, and whether a last window that is cut off is left to
    /// `ceil_mode`. Where sizes are fixed, it is padded to its whole instead,
    /// unless that would count as padding.
    fn ends(
        &self,
        cx: &Context,
        (x, out): (&TensorIr, &TensorIr),
        counts_padding: bool,
    ) -> Result<(Vec<(usize, usize)>, bool), Refusal> {
        if !self.ceil_mode {
            return Ok((symmetric(self.padding), false));
        }
        let (from, to) = (cx.shape(x)[2..].to_vec(), cx.shape(out)[2..].to_vec());
        let fixed = from.iter().zip(&to);
        let fixed: Option<Vec<(i64, i64)>> = fixed
            .map(|(from, to)| Some((from.fixed()?, to.fixed()?)))
            .collect();
        let Some(sizes) = fixed else {
            return self.open_ends(cx);
        };
        let rest: Vec<i64> = sizes
            .iter()
            .enumerate()
            .map(|(axis, (from, to))| self.rest(axis, *from, *to))
            .collect();
        // ONNX allows no padding of a whole kernel, but where it is dilated, a
        // window may reach as far.
        let too_far = |axis: usize| rest[axis] >= self.kernel[axis] as i64;
        if (0..rest.len()).any(too_far) {
            return self.open_ends(cx);
        }
        let cut_off = |axis: usize| rest[axis] > self.padding[axis] as i64;
        let ceil_mode = counts_padding && (0..rest.len()).any(cut_off);
        let ends = rest.iter().enumerate().map(|(axis, rest)| {
            let end = if ceil_mode && cut_off(axis) {
                self.padding[axis]
            } else {
                (*rest).max(0) as usize
            };
            (self.padding[axis], end)
        });
        if ceil_mode && rest.iter().any(|rest| *rest < 0) {
            return self.native_ends(cx);
        }
        Ok((ends.collect(), ceil_mode))
    }

    /// How far the last window reaches beyond the input.
    fn rest(&self, axis: usize, from: i64, to: i64) -> i64 {
        let (kernel, stride) = (self.kernel[axis] as i64, self.strides[axis] as i64);
        let reach = (kernel - 1) * self.dilations[axis] as i64 + 1;
        (to - 1) * stride + reach - from - self.padding[axis] as i64
    }

    /// As [`Self::ends`], where a last window that is cut off stays so.
    fn open_ends(&self, cx: &Context) -> Result<(Vec<(usize, usize)>, bool), Refusal> {
        if self.padding.iter().all(|padding| *padding == 0) {
            return Ok((symmetric(self.padding), true));
        }
        self.native_ends(cx)
    }

    fn native_ends(&self, cx: &Context) -> Result<(Vec<(usize, usize)>, bool), Refusal> {
        if cx.has(CEIL_WITHOUT_PADDING) {
            return Ok((symmetric(self.padding), true));
        }
        refuse(format!(
            "this padding with `ceil_mode` needs opset {CEIL_WITHOUT_PADDING} or a newer one"
        ))
    }
}

pub(super) fn max(cx: &mut Context, x: &TensorIr, window: Window, out: &TensorIr) -> Lowered {
    let none = vec![1i64; window.dilations.len()];
    let node = window.node(cx, "MaxPool", (x, out), false)?;
    cx.push(
        node.attr_unless("dilations", none, window.dilations)
            .output(out),
    )
}

pub(super) fn average(
    cx: &mut Context,
    x: &TensorIr,
    window: Window,
    count_include_pad: bool,
    out: &TensorIr,
) -> Lowered {
    let node = window.node(cx, "AveragePool", (x, out), count_include_pad)?;
    let node = node.attr_unless("count_include_pad", false, count_include_pad);
    cx.push(node.output(out))
}

/// Bins of equal width are an average pool, and a single bin a global one.
/// Others are the product with a constant matrix for each spatial axis.
pub(super) fn adaptive_average(cx: &mut Context, x: &TensorIr, out: &TensorIr) -> Lowered {
    let (from, to) = (cx.shape(x), cx.shape(out));
    if to[2..].iter().all(|size| size.is(1)) {
        return cx.push(Node::new("GlobalAveragePool").input(x).output(out));
    }
    let sizes = |extents: &[crate::extent::Extent]| -> Result<Vec<usize>, Refusal> {
        let extents = extents[2..].iter();
        let sizes = extents.map(|extent| cx.fixed(extent, "a pooled dimension"));
        sizes.map(|size| size.map(|size| size as usize)).collect()
    };
    let (from, to) = (sizes(&from)?, sizes(&to)?);
    if from.iter().zip(&to).all(|(from, to)| from % to == 0) {
        let kernel: Vec<usize> = from.iter().zip(&to).map(|(from, to)| from / to).collect();
        let window = Window {
            kernel: &kernel,
            strides: &kernel,
            padding: &vec![0; kernel.len()],
            dilations: &vec![1; kernel.len()],
            ceil_mode: false,
        };
        return average(cx, x, window, false, out);
    }
    uneven(cx, x, &from, &to, out)
}

/// Averages each spatial axis by a matrix, moved to the end for the product.
fn uneven(cx: &mut Context, x: &TensorIr, from: &[usize], to: &[usize], out: &TensorIr) -> Lowered {
    let spatial = from.len();
    let mut value = ValueId::from(x);
    for axis in 0..spatial {
        let weights = bins(from[axis], to[axis]);
        let weights = TensorData::new(weights, [from[axis], to[axis]]);
        let weights = cx.constant(weights.convert_dtype(x.dtype));
        let mut order: Vec<usize> = (0..spatial + 2).collect();
        order.swap(axis + 2, spatial + 1);
        let last = cx.compute(
            Node::new("Transpose").input(value).attr("perm", &order[..]),
            x.dtype,
        );
        let pooled = cx.apply("MatMul", [last, weights]);
        value = cx.compute(
            Node::new("Transpose")
                .input(pooled)
                .attr("perm", &order[..]),
            x.dtype,
        );
    }
    cx.rename(value, out)
}

/// Column `j` averages from `⌊j n / m⌋` to `⌈(j + 1) n / m⌉`.
fn bins(from: usize, to: usize) -> Vec<f64> {
    let mut weights = vec![0.0; from * to];
    for bin in 0..to {
        let (start, end) = (bin * from / to, ((bin + 1) * from).div_ceil(to));
        for row in start..end {
            weights[row * to + bin] = 1.0 / (end - start) as f64;
        }
    }
    weights
}

/// Pooling with positions: Burn counts within a channel, ONNX over the whole
/// tensor, so that the remainder by the channel's size is Burn's.
pub(super) fn max_with_positions(
    cx: &mut Context,
    x: &TensorIr,
    window: Window,
    (out, positions): (&TensorIr, &TensorIr),
) -> Lowered {
    let spatial = cx.shape(x)[2..].to_vec();
    let mut channel = cx.integers(&[1]);
    for extent in &spatial {
        let size = cx.extent(extent)?;
        channel = cx.apply("Mul", [channel, size]);
    }
    let none = vec![1i64; window.dilations.len()];
    let node = window.node(cx, "MaxPool", (x, out), false)?;
    let node = node.attr_unless("dilations", none, window.dilations);
    let absolute = cx.fresh(burn::tensor::DType::I64);
    cx.push(node.output(out).output(absolute))?;
    let relative = Node::new("Mod").inputs([absolute, channel]);
    cx.finish_as(relative, burn::tensor::DType::I64, positions)
}
