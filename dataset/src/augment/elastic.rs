//! Smooth random displacements.
//!
//! Simard, Steinkraus and Platt (2003) smooth a random number for each pixel
//! with a Gaussian. Here, random numbers on a coarse grid are joined by cubic
//! B-splines, which is white noise smoothed by a spline: with nodes √3·σ apart
//! the spline has the Gaussian's variance (h²/3) and nearly its shape (Unser,
//! 1999), at a small part of the cost.

use std::f32::consts::PI;

use super::Elastic;
use super::random::Random;

/// Displacements of each pixel in x and y, [height, width] each.
#[derive(Debug, Default)]
pub(super) struct Field {
    axes: [Vec<f32>; 2],
    nodes: Vec<f32>,
    rows: Vec<f32>,
}

/// ∫β² of the cubic B-spline: the part of the nodes' variance that is left in
/// one direction.
const VARIANCE: f32 = 151.0 / 315.0;

impl Field {
    /// Draws displacements for an image of [height, width].
    pub(super) fn draw(&mut self, elastic: Elastic, sides: [usize; 2], random: &mut Random) {
        let (alpha, sigma) = (elastic.alpha as f32, elastic.sigma as f32);
        let spacing = sigma * 3_f32.sqrt();
        // The Gaussian leaves 1 / (2σ√π) of the deviation, the spline VARIANCE.
        let most = alpha / (2.0 * sigma * PI.sqrt()) / VARIANCE;
        // Where the grid begins is random, too, so that no pixel stands out.
        let [down, across] = sides.map(|side| weights(side, spacing, random.between(0.0, 1.0)));
        let count = |weights: &[(usize, [f32; 4])]| weights.last().map_or(4, |(k, _)| k + 4);
        let (rows, columns) = (count(&down), count(&across));
        for axis in &mut self.axes {
            self.nodes.clear();
            self.nodes
                .extend((0..rows * columns).map(|_| random.either_way(most)));
            self.rows.clear();
            for nodes in self.nodes.chunks_exact(columns) {
                let joined = across.iter().map(|(k, w)| dot(w, &nodes[*k..k + 4]));
                self.rows.extend(joined);
            }
            let width = across.len();
            axis.resize(down.len() * width, 0.0);
            for (out, (k, [w0, w1, w2, w3])) in axis.chunks_exact_mut(width).zip(&down) {
                let row = |i: usize| &self.rows[(k + i) * width..][..width];
                let (r0, r1, r2, r3) = (row(0), row(1), row(2), row(3));
                for x in 0..out.len().min(width) {
                    out[x] = w0 * r0[x] + w1 * r1[x] + w2 * r2[x] + w3 * r3[x];
                }
            }
        }
    }

    /// Displacements in x and y of the pixels in row `y`.
    pub(super) fn row(&self, y: usize, width: usize) -> [&[f32]; 2] {
        let [x_axis, y_axis] = &self.axes;
        [&x_axis[y * width..][..width], &y_axis[y * width..][..width]]
    }
}

fn dot(weights: &[f32; 4], values: &[f32]) -> f32 {
    weights.iter().zip(values).map(|(w, v)| w * v).sum()
}

/// The first of the four nodes that each pixel of a side lies between, with
/// their weights.
fn weights(side: usize, spacing: f32, phase: f32) -> Vec<(usize, [f32; 4])> {
    let at = |pixel: usize| {
        let place = pixel as f32 / spacing + phase;
        (place as usize, b_spline(place.fract()))
    };
    (0..side).map(at).collect()
}

/// The four pieces of the uniform cubic B-spline at `t` in [0, 1).
fn b_spline(t: f32) -> [f32; 4] {
    let (t2, t3, s) = (t * t, t * t * t, 1.0 - t);
    [
        s * s * s / 6.0,
        (3.0 * t3 - 6.0 * t2 + 4.0) / 6.0,
        (-3.0 * t3 + 3.0 * t2 + 3.0 * t + 1.0) / 6.0,
        t3 / 6.0,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displacements_have_the_deviation_of_simards_and_are_smooth() {
        let mut field = Field::default();
        let (mut squares, mut steps) = (0.0, 0.0_f32);
        for index in 0..500 {
            let mut random = Random::of(1, 1, index);
            field.draw(Elastic::default(), [28, 28], &mut random);
            let [dx, _] = field.row(13, 28);
            squares += dx.iter().map(|d| d * d).sum::<f32>() / 28.0;
            steps = dx
                .windows(2)
                .map(|d| (d[1] - d[0]).abs())
                .fold(steps, f32::max);
        }
        // 34 / √3 / (2 · 4 · √π)
        let deviation = (squares / 500.0).sqrt();
        assert!((deviation - 1.384).abs() < 0.07, "{deviation}");
        assert!(steps < 2.0, "neighbours differ by {steps}");
    }

    #[test]
    fn pieces_of_the_spline_add_up_to_one() {
        for t in [0.0, 0.25, 0.9] {
            assert!((b_spline(t).iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
    }
}
