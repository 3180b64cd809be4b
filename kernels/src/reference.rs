//! The same block written as its formula, in `f64`: what the kernels are tested against.

use crate::geometry::Geometry;

/// Gradients of a block.
pub(crate) struct Gradients {
    /// `[batch, in_channels, height, width]`
    pub input: Vec<f64>,
    /// `[out_channels, in_channels, kernel_height, kernel_width]`
    pub weight: Vec<f64>,
    /// `[out_channels]`
    pub bias: Vec<f64>,
}

/// Calls `visit(output, input, weight)` with the flat indices of every product in the
/// convolution's sum.
fn for_each_product(g: &Geometry, full: [usize; 2], mut visit: impl FnMut(usize, usize, usize)) {
    let [kh, kw] = g.kernel;
    let inside = |at: usize, tap: usize, axis: usize| {
        let place = (at * g.stride[axis] + tap).checked_sub(g.padding[axis])?;
        (place < g.input[axis]).then_some(place)
    };
    for n in 0..g.batch {
        for o in 0..g.out_channels {
            for y in 0..full[0] {
                for x in 0..full[1] {
                    let output = ((n * g.out_channels + o) * full[0] + y) * full[1] + x;
                    for c in 0..g.in_channels {
                        for ky in 0..kh {
                            for kx in 0..kw {
                                let (Some(iy), Some(ix)) = (inside(y, ky, 0), inside(x, kx, 1))
                                else {
                                    continue;
                                };
                                let input =
                                    ((n * g.in_channels + c) * g.input[0] + iy) * g.input[1] + ix;
                                let weight = ((o * g.in_channels + c) * kh + ky) * kw + kx;
                                visit(output, input, weight);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Whether no choice, of a largest value or by ReLU, is so close that rounding may decide it: then
/// a gradient takes another way. Ties are no such choices: what is equal here is exact.
pub(crate) fn is_decided(g: &Geometry, x: &[f32], w: &[f32], bias: &[f32]) -> bool {
    let (sums, _) = evaluate(g, x, w, bias);
    let scale = sums
        .iter()
        .filter(|sum| sum.is_finite())
        .fold(1.0_f64, |most, sum| most.max(sum.abs()));
    let close = |difference: f64| difference != 0.0 && difference.abs() < 2e-6 * scale;
    let full = Geometry { pool: false, ..*g }.output();
    let is_decided = |window: &[f64; 4]| {
        let pairs = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]];
        pairs
            .into_iter()
            .all(|[a, b]| !close(window[a] - window[b]))
    };
    let windows = sums.chunks_exact(full[0] * full[1]).flat_map(|plane| {
        let starts =
            (0..full[0] / 2).flat_map(|y| (0..full[1] / 2).map(move |x| 2 * (y * full[1] + x)));
        starts.map(move |at| {
            [
                plane[at],
                plane[at + 1],
                plane[at + full[1]],
                plane[at + full[1] + 1],
            ]
        })
    });
    let by_pooling = !g.pool || windows.into_iter().all(|window| is_decided(&window));
    let by_relu = !g.relu || sums.iter().all(|&sum| !close(sum));
    by_pooling && by_relu
}

/// The convolution's result, and for each output the place in it that it comes from, unless
/// ReLU made it zero.
fn evaluate(g: &Geometry, x: &[f32], w: &[f32], bias: &[f32]) -> (Vec<f64>, Vec<Option<usize>>) {
    let full = Geometry { pool: false, ..*g }.output();
    let area = full[0] * full[1];
    let mut sums: Vec<f64> = (0..g.batch * g.out_channels * area)
        .map(|i| f64::from(bias[i / area % g.out_channels]))
        .collect();
    for_each_product(g, full, |output, input, weight| {
        sums[output] += f64::from(x[input]) * f64::from(w[weight]);
    });
    let [oh, ow] = g.output();
    let sources = (0..g.batch * g.output_len())
        .map(|i| {
            let (plane, y, x) = (i / (oh * ow), i / ow % oh, i % ow);
            let at = |y: usize, x: usize| plane * area + y * full[1] + x;
            let places = if g.pool {
                vec![
                    at(2 * y, 2 * x),
                    at(2 * y, 2 * x + 1),
                    at(2 * y + 1, 2 * x),
                    at(2 * y + 1, 2 * x + 1),
                ]
            } else {
                vec![at(y, x)]
            };
            let best = places.into_iter().reduce(|best, place| {
                if sums[place] > sums[best] || sums[place].is_nan() {
                    place
                } else {
                    best
                }
            })?;
            let dead = g.relu && sums[best] <= 0.0;
            (!dead).then_some(best)
        })
        .collect();
    (sums, sources)
}

/// The block's output, `[batch, out_channels, height, width]`.
pub(crate) fn forward(g: &Geometry, x: &[f32], w: &[f32], bias: &[f32]) -> Vec<f64> {
    let (sums, sources) = evaluate(g, x, w, bias);
    sources
        .into_iter()
        .map(|source| source.map_or(0.0, |place| sums[place]))
        .collect()
}

/// The block's gradients for the output gradient `grad`.
pub(crate) fn backward(
    g: &Geometry,
    x: &[f32],
    w: &[f32],
    bias: &[f32],
    grad: &[f32],
) -> Gradients {
    let full = Geometry { pool: false, ..*g }.output();
    let (sums, sources) = evaluate(g, x, w, bias);
    let mut dy = vec![0.0; sums.len()];
    for (source, &value) in sources.iter().zip(grad) {
        if let Some(place) = source {
            dy[*place] += f64::from(value);
        }
    }
    let mut gradients = Gradients {
        input: vec![0.0; x.len()],
        weight: vec![0.0; w.len()],
        bias: vec![0.0; g.out_channels],
    };
    for_each_product(g, full, |output, input, weight| {
        gradients.input[input] += dy[output] * f64::from(w[weight]);
        gradients.weight[weight] += dy[output] * f64::from(x[input]);
    });
    for (i, value) in dy.iter().enumerate() {
        gradients.bias[i / (full[0] * full[1]) % g.out_channels] += value;
    }
    gradients
}
