//! Inputs that the export did not see.

use std::collections::BTreeMap;

use burn::tensor::TensorData;

use crate::sample::{self, Distribution};
use crate::spec::{Dim, Interface};

/// Sizes of symbols for which none were chosen: the smallest, and such as no
/// export records.
const UNSEEN: [usize; 6] = [1, 4, 6, 9, 12, 16];

/// The inputs that a model is verified with: for each seed one set of random
/// tensors, at sizes that were never recorded.
#[derive(Clone, Debug)]
pub struct Samples {
    seeds: Vec<u64>,
    tolerance: f64,
    sizes: BTreeMap<String, Vec<usize>>,
    ranges: BTreeMap<String, (f64, f64)>,
}

impl Default for Samples {
    /// Three seeds, and a tolerance of 1e-5.
    fn default() -> Self {
        Self {
            seeds: vec![0, 1, 2],
            tolerance: 1e-5,
            sizes: BTreeMap::new(),
            ranges: BTreeMap::new(),
        }
    }
}

impl Samples {
    /// Three seeds, and a tolerance of 1e-5.
    pub fn new() -> Self {
        Self::default()
    }

    /// Chooses the seeds.
    pub fn seeds(mut self, seeds: impl IntoIterator<Item = u64>) -> Self {
        self.seeds = seeds.into_iter().collect();
        self
    }

    /// Chooses how far an element may be off: absolutely, and relative to its
    /// value where that is larger than 1.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Chooses the sizes of a symbol, which the seeds take in turn. Without,
    /// they are 1 and others that were not recorded; or, where the export's
    /// were chosen, others of that kind: between and beyond them, with the same
    /// common divisor.
    pub fn sizes(
        mut self,
        symbol: impl Into<String>,
        sizes: impl IntoIterator<Item = usize>,
    ) -> Self {
        self.sizes
            .insert(symbol.into(), sizes.into_iter().collect());
        self
    }

    /// Draws an input's elements from `low` to below `high`, as indices of a
    /// table need it. Without, floats are normal and integers are 0 or 1.
    pub fn range(mut self, input: impl Into<String>, low: f64, high: f64) -> Self {
        self.ranges.insert(input.into(), (low, high));
        self
    }

    pub(super) fn allowed(&self) -> f64 {
        self.tolerance
    }

    /// One set of inputs for each seed, with the sizes that it has.
    pub(super) fn draw(&self, interface: &Interface) -> Vec<Sample> {
        let seeds = self.seeds.iter().enumerate();
        seeds
            .map(|(turn, seed)| self.sample(interface, turn, *seed))
            .collect()
    }

    fn sample(&self, interface: &Interface, turn: usize, seed: u64) -> Sample {
        let sizes: BTreeMap<&str, usize> = interface
            .symbols
            .iter()
            .enumerate()
            .map(|(position, (symbol, recorded))| {
                let known = self.sizes.get(symbol).filter(|sizes| !sizes.is_empty());
                let sizes = known.cloned();
                let sizes = sizes.unwrap_or_else(|| match recorded {
                    Some(recorded) => between(recorded),
                    None => rotated(&UNSEEN, position),
                });
                (symbol.as_str(), sizes[turn % sizes.len()])
            })
            .collect();
        let inputs = interface.inputs.iter().enumerate();
        let data = inputs.map(|(position, input)| {
            let shape = input.dims.iter().map(|dim| match dim {
                Dim::Fixed(size) => *size,
                Dim::Symbol(symbol) => sizes[symbol.as_str()],
            });
            let seed = (seed << 8) + position as u64;
            let distribution = match self.ranges.get(&input.name) {
                Some((low, high)) => Distribution::Uniform(*low, *high),
                None if input.dtype.is_float() => Distribution::Normal,
                None => Distribution::Uniform(0.0, 2.0),
            };
            sample::random(shape.collect(), input.dtype, distribution, seed)
        });
        Sample {
            data: data.collect(),
            place: place(&sizes, seed),
        }
    }
}

/// One set of inputs.
pub(super) struct Sample {
    pub data: Vec<TensorData>,
    /// `batch = 4, seed 1`
    pub place: String,
}

fn place(sizes: &BTreeMap<&str, usize>, seed: u64) -> String {
    let sizes = sizes
        .iter()
        .map(|(symbol, size)| format!("{symbol} = {size}"));
    let parts = sizes.chain([format!("seed {seed}")]);
    parts.collect::<Vec<_>>().join(", ")
}

/// Each symbol starts elsewhere, so that sizes don't coincide; the smallest
/// comes first for the first symbol alone.
fn rotated(sizes: &[usize], by: usize) -> Vec<usize> {
    let mut sizes = sizes.to_vec();
    let count = sizes.len();
    sizes.rotate_left(by % count);
    sizes
}

/// Multiples of the recorded sizes' common divisor, from the smallest on, that
/// were not recorded.
fn between(recorded: &[usize]) -> Vec<usize> {
    let divisor = recorded.iter().copied().fold(0, greatest_common).max(1);
    let smallest = recorded.iter().copied().min().unwrap_or(divisor);
    let multiples = (smallest..).step_by(divisor);
    let unseen = multiples.filter(|size| !recorded.contains(size));
    unseen.take(UNSEEN.len()).collect()
}

fn greatest_common(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_between_chosen_ones_share_their_divisor() {
        assert_eq!(between(&[32, 48, 80, 112]), [64, 96, 128, 144, 160, 176]);
        assert_eq!(between(&[16, 24, 33, 40]), [17, 18, 19, 20, 21, 22]);
    }
}
