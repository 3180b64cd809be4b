//! Inputs that the export did not see.

use std::collections::BTreeMap;

use burn::tensor::TensorData;

use crate::sample::{self, Distribution};
use crate::spec::{Dim, Interface, Recorded};

/// Sizes of symbols for which none were chosen: the smallest, and such as no
/// export records.
const UNSEEN: [usize; 6] = [1, 4, 6, 9, 12, 16];

/// The default number of seeds.
const SEEDS: u64 = 3;

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
            seeds: (0..SEEDS).collect(),
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
    /// they are small ones from 1 on and one just below the largest recorded; or,
    /// where the export's were chosen, others between these with the same common
    /// divisor, near the smallest and near the largest.
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
            .map(|(position, recorded)| {
                let symbol = recorded.symbol.as_str();
                let known = self.sizes.get(symbol).filter(|sizes| !sizes.is_empty());
                let sizes = known.cloned();
                let sizes = sizes.unwrap_or_else(|| unseen(recorded, position));
                (symbol, sizes[turn % sizes.len()])
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

/// Sizes of the symbol at a position that were not recorded.
fn unseen(recorded: &Recorded, position: usize) -> Vec<usize> {
    let sizes = &recorded.sizes;
    match recorded.chosen {
        true => between(sizes),
        false => beside(sizes, position),
    }
}

/// Each symbol starts elsewhere, so that sizes don't coincide; the smallest comes
/// first for the first symbol alone. Symbols take their large size in different
/// turns, so that inputs stay small.
fn beside(recorded: &[usize], position: usize) -> Vec<usize> {
    let mut sizes = UNSEEN.to_vec();
    sizes.rotate_left(position % UNSEEN.len());
    let turn = (position + 2) % SEEDS as usize;
    sizes[turn] = largest(recorded) - 1;
    sizes
}

/// Multiples of the recorded sizes' common divisor that were not recorded: from
/// the smallest up and from the largest down in turn, or beyond the largest where
/// there are none between.
fn between(recorded: &[usize]) -> Vec<usize> {
    let divisor = recorded.iter().copied().fold(0, greatest_common).max(1);
    let largest = largest(recorded);
    let smallest = recorded.iter().copied().min().unwrap_or(largest);
    let inner = (smallest..largest).step_by(divisor);
    let inner: Vec<usize> = inner.filter(|size| !recorded.contains(size)).collect();
    if inner.is_empty() {
        let beyond = (largest..).step_by(divisor).skip(1);
        return beyond.take(UNSEEN.len()).collect();
    }
    let ends = inner.iter().zip(inner.iter().rev());
    let ends = ends.flat_map(|(up, down)| [*up, *down]);
    ends.take(inner.len().min(UNSEEN.len())).collect()
}

fn largest(sizes: &[usize]) -> usize {
    sizes.iter().copied().max().unwrap_or(1)
}

fn greatest_common(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extent::{BATCH, sizes_at};

    #[test]
    fn sizes_between_chosen_ones_share_their_divisor() {
        assert_eq!(between(&[32, 48, 80, 112]), [64, 96]);
        assert_eq!(between(&[16, 24, 33, 40]), [17, 39, 18, 38, 19, 37]);
        assert_eq!(between(&[2, 4, 6, 8]), [10, 12, 14, 16, 18, 20]);
    }

    #[test]
    fn one_symbol_at_a_time_is_large() {
        let sizes = |position| beside(&sizes_at(position, true), position);
        let large = (0..4).map(|position| sizes(position).iter().position(|size| *size > 150));
        assert_eq!(
            large.collect::<Vec<_>>(),
            [Some(2), Some(0), Some(1), Some(2)]
        );
        assert_eq!(beside(&BATCH, 0), UNSEEN);
        let recorded = (0..12).flat_map(|position| sizes_at(position, true));
        let recorded: Vec<usize> = recorded.collect();
        assert!((0..12).all(|at| sizes(at).iter().all(|size| !recorded.contains(size))));
    }
}
