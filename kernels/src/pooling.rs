//! Pooling by itself: the largest value or the mean of windows of any size, and their gradients.
//!
//! Planes are computed in parallel, each row of the result over all taps of its windows. Padding
//! is never picked and never counted.

use std::ops::Range;

use rayon::prelude::*;

use crate::isa::{Isa, per_isa};

/// Values that make a task: fewer would not be worth handing to another thread.
const TASK_VALUES: usize = 1 << 14;

/// No place of a plane.
const NOWHERE: u32 = u32::MAX;

/// Windows that slide over feature maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolWindow {
    /// Height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Padding at the top and bottom, and at the left and right.
    pub padding: [usize; 2],
}

/// Planes that are pooled, `[planes, height, width]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planes {
    size: [usize; 2],
    output: [usize; 2],
    window: PoolWindow,
}

impl Planes {
    /// `None` where a window is empty, does not fit or may lie in the padding alone, where the
    /// places of a plane can't be numbered, or where rows of few results, each of many columns,
    /// would be slow.
    pub(crate) fn new(size: [usize; 2], window: PoolWindow) -> Option<Planes> {
        let PoolWindow {
            kernel,
            stride,
            padding,
        } = window;
        let output = |axis: usize| {
            let room = (size[axis] + 2 * padding[axis]).checked_sub(kernel[axis])?;
            let fits = stride[axis] > 0 && size[axis] > 0 && 2 * padding[axis] <= kernel[axis];
            (fits && kernel[axis] > 0).then(|| room / stride[axis] + 1)
        };
        let output = [output(0)?, output(1)?];
        u32::try_from(size[0] * size[1]).ok()?;
        let short = kernel[1] > 2 * output[1];
        (!short).then_some(Planes {
            size,
            output,
            window,
        })
    }

    /// Height and width of the result.
    pub(crate) fn output(&self) -> [usize; 2] {
        self.output
    }

    /// Values of a plane.
    fn area(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Values of a plane of the result.
    fn output_area(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Planes that make a task.
    fn task(&self) -> usize {
        TASK_VALUES.div_ceil(self.area())
    }

    /// The places of the image, along one axis, that a window sees.
    fn seen(&self, axis: usize, output: usize) -> Range<usize> {
        let start = output * self.window.stride[axis];
        let padding = self.window.padding[axis];
        let end = (start + self.window.kernel[axis]).saturating_sub(padding);
        start.saturating_sub(padding)..end.min(self.size[axis])
    }

    /// How many columns of the image each window sees.
    fn seen_columns(&self) -> Vec<f32> {
        let seen = |output| self.seen(1, output).len() as f32;
        (0..self.output[1]).map(seen).collect()
    }

    /// The horizontal taps that some window has on the image.
    fn taps(&self) -> Vec<Tap> {
        let [_, stride] = self.window.stride;
        let [_, padding] = self.window.padding;
        let [_, width] = self.size;
        let tap = |tap: usize| {
            let first = padding.saturating_sub(tap).div_ceil(stride);
            let end = (width + padding).saturating_sub(tap).div_ceil(stride);
            Tap {
                outputs: first..end.min(self.output[1]),
                column: (first * stride + tap).saturating_sub(padding),
            }
        };
        let taps = (0..self.window.kernel[1]).map(tap);
        taps.filter(|tap| !tap.outputs.is_empty()).collect()
    }
}

/// A horizontal tap of the windows of a row.
pub(crate) struct Tap {
    /// The results whose windows have it on the image.
    outputs: Range<usize>,
    /// Where the first of them has it.
    column: usize,
}

/// Writes the largest value of each window, and its place in the plane: the first of equal ones,
/// the last NaN.
pub(crate) fn max(isa: Isa, planes: &Planes, x: &[f32], out: &mut [f32], places: &mut [u32]) {
    let taps = planes.taps();
    let task = planes.task();
    let out = out.par_chunks_mut(task * planes.output_area());
    let places = places.par_chunks_mut(task * planes.output_area());
    let x = x.par_chunks(task * planes.area());
    x.zip(out.zip(places)).for_each(|(x, (out, places))| {
        max_planes(isa, planes, &taps, x, out, places);
    });
}

/// Writes the gradient of the planes: those of the results, at their places.
pub(crate) fn max_gradient(planes: &Planes, places: &[u32], grad: &[f32], input: &mut [f32]) {
    let task = planes.task();
    let input = input.par_chunks_mut(task * planes.area());
    let grad = grad.par_chunks(task * planes.output_area());
    let places = places.par_chunks(task * planes.output_area());
    input
        .zip(grad.zip(places))
        .for_each(|(input, (grad, places))| {
            input.fill(0.0);
            let grad = grad.chunks_exact(planes.output_area());
            let places = places.chunks_exact(planes.output_area());
            let picked = grad.zip(places);
            for (input, (grad, places)) in input.chunks_exact_mut(planes.area()).zip(picked) {
                for (&value, &place) in grad.iter().zip(places) {
                    input[place as usize] += value;
                }
            }
        });
}

/// Writes the mean of each window.
pub(crate) fn mean(isa: Isa, planes: &Planes, x: &[f32], out: &mut [f32]) {
    let (taps, seen) = (planes.taps(), planes.seen_columns());
    let task = planes.task();
    let out = out.par_chunks_mut(task * planes.output_area());
    let x = x.par_chunks(task * planes.area());
    x.zip(out)
        .for_each(|(x, out)| mean_planes(isa, planes, &taps, &seen, x, out));
}

/// Writes the gradient of the planes: that of each result, in equal parts.
pub(crate) fn mean_gradient(isa: Isa, planes: &Planes, grad: &[f32], input: &mut [f32]) {
    let (taps, seen) = (planes.taps(), planes.seen_columns());
    let task = planes.task();
    let input = input.par_chunks_mut(task * planes.area());
    let grad = grad.par_chunks(task * planes.output_area());
    input
        .zip(grad)
        .for_each(|(input, grad)| spread_planes(isa, planes, &taps, &seen, grad, input));
}

per_isa! {
    /// See [`max`].
    fn max_planes(planes: &Planes, taps: &[Tap], x: &[f32], out: &mut [f32], places: &mut [u32]) = max_body
}

#[inline(always)]
fn max_body(planes: &Planes, taps: &[Tap], x: &[f32], out: &mut [f32], places: &mut [u32]) {
    let [_, width] = planes.output;
    let mut columns = Columns::new(planes);
    out.fill(f32::NEG_INFINITY);
    places.fill(NOWHERE);
    let outputs = out.chunks_exact_mut(planes.output_area());
    let outputs = outputs.zip(places.chunks_exact_mut(planes.output_area()));
    for (x, (out, places)) in x.chunks_exact(planes.area()).zip(outputs) {
        let rows = out
            .chunks_exact_mut(width)
            .zip(places.chunks_exact_mut(width));
        for (y, (out, places)) in rows.enumerate() {
            for row in planes.seen(0, y) {
                let start = row * planes.size[1];
                columns.read(&x[start..][..planes.size[1]]);
                for tap in taps {
                    let first = (start + tap.column) as u32;
                    let out = &mut out[tap.outputs.clone()];
                    let places = &mut places[tap.outputs.clone()];
                    pick(
                        columns.from(tap),
                        [first, columns.stride as u32],
                        out,
                        places,
                    );
                }
            }
        }
    }
}

/// Replaces results by larger values of one tap, whose places begin at `first`.
#[inline(always)]
fn pick(values: &[f32], [first, stride]: [u32; 2], out: &mut [f32], places: &mut [u32]) {
    let results = out.iter_mut().zip(places).zip(values);
    for (i, ((out, place), &value)) in (0_u32..).zip(results) {
        // Without branches, so that the compiler makes vectors of it.
        let better = (value > *out) | value.is_nan() | (*place == NOWHERE);
        *out = if better { value } else { *out };
        *place = if better { first + i * stride } else { *place };
    }
}

/// A row of an image, sorted by the columns' remainders by the stride: what one tap of all windows
/// sees lies side by side.
struct Columns {
    stride: usize,
    /// Columns of each remainder, at most.
    count: usize,
    values: Vec<f32>,
}

impl Columns {
    fn new(planes: &Planes) -> Columns {
        // A larger one has one result, whose taps all lie within the row.
        let stride = planes.window.stride[1].min(planes.size[1]);
        let count = planes.size[1].div_ceil(stride);
        Columns {
            stride,
            count,
            values: vec![0.0; stride * count],
        }
    }

    #[inline(always)]
    fn read(&mut self, row: &[f32]) {
        match self.stride {
            1 => self.values.copy_from_slice(row),
            2 => {
                let (even, odd) = self.values.split_at_mut(self.count);
                let (pairs, last) = row.as_chunks::<2>();
                for ((even, odd), pair) in even.iter_mut().zip(odd).zip(pairs) {
                    (*even, *odd) = (pair[0], pair[1]);
                }
                if let [last] = last {
                    even[pairs.len()] = *last;
                }
            }
            stride => {
                for (i, &value) in row.iter().enumerate() {
                    self.values[i % stride * self.count + i / stride] = value;
                }
            }
        }
    }

    /// What a tap sees at its first result and the following.
    #[inline(always)]
    fn from(&self, tap: &Tap) -> &[f32] {
        let (remainder, place) = (tap.column % self.stride, tap.column / self.stride);
        &self.values[remainder * self.count..][place..self.count]
    }
}

per_isa! {
    /// See [`mean`].
    fn mean_planes(planes: &Planes, taps: &[Tap], seen: &[f32], x: &[f32], out: &mut [f32]) = mean_body
}

#[inline(always)]
fn mean_body(planes: &Planes, taps: &[Tap], seen: &[f32], x: &[f32], out: &mut [f32]) {
    let [_, width] = planes.output;
    let mut columns = Columns::new(planes);
    out.fill(0.0);
    let outputs = out.chunks_exact_mut(planes.output_area());
    for (x, out) in x.chunks_exact(planes.area()).zip(outputs) {
        for (y, out) in out.chunks_exact_mut(width).enumerate() {
            let rows = planes.seen(0, y);
            let height = rows.len() as f32;
            for row in rows {
                columns.read(&x[row * planes.size[1]..][..planes.size[1]]);
                for tap in taps {
                    let out = out[tap.outputs.clone()].iter_mut();
                    for (out, value) in out.zip(columns.from(tap)) {
                        *out += value;
                    }
                }
            }
            for (out, seen) in out.iter_mut().zip(seen) {
                *out /= height * seen;
            }
        }
    }
}

per_isa! {
    /// See [`mean_gradient`].
    fn spread_planes(planes: &Planes, taps: &[Tap], seen: &[f32], grad: &[f32], input: &mut [f32]) = spread_body
}

#[inline(always)]
fn spread_body(planes: &Planes, taps: &[Tap], seen: &[f32], grad: &[f32], input: &mut [f32]) {
    let ([_, width], stride) = (planes.output, planes.window.stride[1]);
    let mut part = vec![0.0; width];
    input.fill(0.0);
    let grads = grad.chunks_exact(planes.output_area());
    for (input, grad) in input.chunks_exact_mut(planes.area()).zip(grads) {
        for (y, grad) in grad.chunks_exact(width).enumerate() {
            let rows = planes.seen(0, y);
            let height = rows.len() as f32;
            for ((part, grad), seen) in part.iter_mut().zip(grad).zip(seen) {
                *part = grad / (height * seen);
            }
            for row in rows {
                for tap in taps {
                    let input = &mut input[row * planes.size[1] + tap.column..];
                    let part = &part[tap.outputs.clone()];
                    for (input, part) in input.iter_mut().step_by(stride).zip(part) {
                        *input += part;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::{cases, values};

    /// Planes and the gradient of their pooled values.
    #[derive(Debug)]
    struct Case {
        planes: Planes,
        count: usize,
        x: Vec<f32>,
        grad: Vec<f32>,
    }

    fn case() -> impl Strategy<Value = Case> {
        let sizes = (1_usize..4, 1_usize..20, 1_usize..20);
        let window = (
            1_usize..5,
            1_usize..5,
            1_usize..4,
            1_usize..4,
            0_usize..3,
            0_usize..3,
        );
        (sizes, window, any::<u64>()).prop_filter_map(
            "no window fits",
            |((count, height, width), (kh, kw, sy, sx, py, px), mut seed)| {
                let window = PoolWindow {
                    kernel: [kh, kw],
                    stride: [sy, sx],
                    padding: [py, px],
                };
                let planes = Planes::new([height, width], window)?;
                let mut x = values(&mut seed, count * planes.area());
                // Ties are frequent.
                x.iter_mut().for_each(|x| *x = (*x * 4.0).round());
                let grad = values(&mut seed, count * planes.output_area());
                Some(Case {
                    planes,
                    count,
                    x,
                    grad,
                })
            },
        )
    }

    impl Case {
        /// For each result, the places that its window sees, row by row.
        fn windows(&self) -> Vec<Vec<usize>> {
            let Planes {
                size,
                output,
                window,
            } = self.planes;
            let places = |plane: usize, y: usize, x: usize| {
                let taps = (0..window.kernel[0])
                    .flat_map(|ky| (0..window.kernel[1]).map(move |kx| (ky, kx)));
                let place = |(ky, kx): (usize, usize)| {
                    let row = (y * window.stride[0] + ky).checked_sub(window.padding[0])?;
                    let column = (x * window.stride[1] + kx).checked_sub(window.padding[1])?;
                    let inside = row < size[0] && column < size[1];
                    inside.then(|| (plane * size[0] + row) * size[1] + column)
                };
                taps.filter_map(place).collect()
            };
            let mut windows = Vec::new();
            for plane in 0..self.count {
                for y in 0..output[0] {
                    windows.extend((0..output[1]).map(|x| places(plane, y, x)));
                }
            }
            windows
        }

        fn check_max(&self, isa: Isa) {
            let mut out = vec![f32::NAN; self.grad.len()];
            let mut places = vec![0; self.grad.len()];
            max(isa, &self.planes, &self.x, &mut out, &mut places);
            let mut input = vec![f32::NAN; self.x.len()];
            max_gradient(&self.planes, &places, &self.grad, &mut input);

            let mut expected = vec![0.0; self.x.len()];
            for (i, window) in self.windows().iter().enumerate() {
                let largest = |a: usize, b: usize| {
                    let better = self.x[b] > self.x[a] || self.x[b].is_nan();
                    if better { b } else { a }
                };
                let place = window.iter().copied().reduce(largest).unwrap();
                let found = [out[i], self.x[place]].map(f32::to_bits);
                assert_eq!(found[0], found[1], "{:?}", self.planes);
                expected[place] += self.grad[i];
            }
            assert_eq!(input, expected, "{:?}", self.planes);
        }

        fn check_mean(&self, isa: Isa) {
            let mut out = vec![f32::NAN; self.grad.len()];
            mean(isa, &self.planes, &self.x, &mut out);
            let mut input = vec![f32::NAN; self.x.len()];
            mean_gradient(isa, &self.planes, &self.grad, &mut input);

            let mut expected = vec![0.0; self.x.len()];
            for (i, window) in self.windows().iter().enumerate() {
                let sum: f32 = window.iter().map(|&place| self.x[place]).sum();
                assert!(
                    (out[i] - sum / window.len() as f32).abs() < 1e-5,
                    "{:?}",
                    self.planes
                );
                for &place in window {
                    expected[place] += self.grad[i] / window.len() as f32;
                }
            }
            for (found, expected) in input.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-5, "{:?}", self.planes);
            }
        }
    }

    proptest! {
        #![proptest_config(cases(300))]

        #[test]
        fn every_instruction_set_pools_as_the_formula_says(case in case()) {
            for isa in Isa::available() {
                case.check_max(isa);
                case.check_mean(isa);
            }
        }
    }

    #[test]
    fn stride_beyond_the_image_takes_no_memory() {
        let window = PoolWindow {
            kernel: [2, 2],
            stride: [usize::MAX, usize::MAX],
            padding: [1, 1],
        };
        let planes = Planes::new([4, 8], window).unwrap();
        let case = Case {
            planes,
            count: 1,
            x: (0..32).map(|i| i as f32).collect(),
            grad: vec![1.0],
        };
        for isa in Isa::available() {
            case.check_max(isa);
            case.check_mean(isa);
        }
    }

    #[test]
    fn nan_and_infinities_are_picked_as_the_formula_says() {
        let window = PoolWindow {
            kernel: [2, 3],
            stride: [2, 2],
            padding: [0, 1],
        };
        let planes = Planes::new([4, 8], window).unwrap();
        let mut x = vec![f32::NEG_INFINITY; planes.area()];
        (x[3], x[11], x[20], x[30]) = (f32::NAN, f32::NAN, f32::INFINITY, 1.0);
        let grad = vec![1.0; planes.output_area()];
        let case = Case {
            planes,
            count: 1,
            x,
            grad,
        };
        Isa::available()
            .into_iter()
            .for_each(|isa| case.check_max(isa));
    }
}
