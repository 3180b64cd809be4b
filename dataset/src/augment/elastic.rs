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

/// Displacements. Nodes are joined across first, then down; what is joined at
/// once is contiguous.
#[derive(Debug, Default)]
pub(super) struct Field {
    /// Of the nodes for each row of pixels; none where nothing is displaced.
    down: Vec<Weights>,
    /// Of the nodes for each column of pixels.
    across: Vec<Weights>,
    /// [columns of nodes, rows of nodes, x and y].
    nodes: Vec<f32>,
    /// Joined across: [columns of pixels, rows of nodes, x and y].
    columns: Vec<f32>,
    /// The same as [rows of nodes, x and y, columns of pixels].
    rows: Vec<f32>,
    /// Joined down, for one row of pixels: [x and y, columns of pixels].
    row: Vec<f32>,
}

/// ∫β² of the cubic B-spline: the part of the nodes' variance that is left in
/// one direction.
const VARIANCE: f32 = 151.0 / 315.0;

impl Field {
    /// Draws displacements for an image of [height, width]; rows are filled up
    /// to `lanes`.
    pub(super) fn draw(
        &mut self,
        elastic: Elastic,
        [height, width]: [usize; 2],
        lanes: usize,
        random: &mut Random,
    ) {
        let (alpha, sigma) = (elastic.alpha as f32, elastic.sigma as f32);
        let spacing = sigma * 3_f32.sqrt();
        // The Gaussian leaves 1 / (2σ√π) of the deviation, the spline VARIANCE.
        let most = alpha / (2.0 * sigma * PI.sqrt()) / VARIANCE;
        // Where the grid begins is random, too, so that no pixel stands out.
        let rows = weights(height, spacing, random.between(0.0, 1.0), &mut self.down);
        let columns = weights(width, spacing, random.between(0.0, 1.0), &mut self.across);
        let column = 2 * rows;
        self.nodes.clear();
        let nodes = (0..columns * column).map(|_| random.either_way(most));
        self.nodes.extend(nodes);
        self.columns.resize(width * column, 0.0);
        for (out, weights) in self.columns.chunks_exact_mut(column).zip(&self.across) {
            weights.join(&self.nodes, out);
        }
        self.rows.resize(column * lanes, 0.0);
        for (index, row) in self.rows.chunks_exact_mut(lanes).enumerate() {
            for (out, column) in row.iter_mut().zip(self.columns.chunks_exact(column)) {
                *out = column[index];
            }
        }
        self.row.resize(2 * lanes, 0.0);
    }

    /// Draws nothing and displaces nothing.
    pub(super) fn clear(&mut self, lanes: usize) {
        self.down.clear();
        self.row.clear();
        self.row.resize(2 * lanes, 0.0);
    }

    /// Displacements in x and y of the pixels in row `y`.
    pub(super) fn row(&mut self, y: usize) -> [&[f32]; 2] {
        if let Some(weights) = self.down.get(y) {
            weights.join(&self.rows, &mut self.row);
        }
        let (dx, dy) = self.row.split_at(self.row.len() / 2);
        [dx, dy]
    }
}

/// The first of the four nodes that a pixel lies between, and their weights.
#[derive(Debug)]
struct Weights {
    first: usize,
    weights: [f32; 4],
}

impl Weights {
    /// Joins four of `nodes`, each of which has as many numbers as `out`.
    fn join(&self, nodes: &[f32], out: &mut [f32]) {
        let length = out.len();
        let node = |index| &nodes[(self.first + index) * length..][..length];
        let (a, b, c, d) = (node(0), node(1), node(2), node(3));
        let [wa, wb, wc, wd] = self.weights;
        for i in 0..length {
            out[i] = wa * a[i] + wb * b[i] + wc * c[i] + wd * d[i];
        }
    }
}

/// The weights for each pixel of a side. Returns the number of nodes.
fn weights(side: usize, spacing: f32, phase: f32, weights: &mut Vec<Weights>) -> usize {
    let per_pixel = 1.0 / spacing;
    let at = |pixel: usize| {
        let place = pixel as f32 * per_pixel + phase;
        let first = place as u32;
        Weights {
            first: first as usize,
            weights: b_spline(place - first as f32),
        }
    };
    weights.clear();
    weights.extend((0..side).map(at));
    weights.last().map_or(4, |last| last.first + 4)
}

/// The four pieces of the uniform cubic B-spline at `t` in [0, 1).
fn b_spline(t: f32) -> [f32; 4] {
    let (t2, t3, s) = (t * t, t * t * t, 1.0 - t);
    [
        s * s * s,
        3.0 * t3 - 6.0 * t2 + 4.0,
        -3.0 * t3 + 3.0 * t2 + 3.0 * t + 1.0,
        t3,
    ]
    .map(|piece| piece * (1.0 / 6.0))
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
            field.draw(Elastic::default(), [28, 28], 28, &mut random);
            let [dx, _] = field.row(13);
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
