//! Random numbers of one image: SplitMix64 (Steele, Lea and Flood, 2014).

/// The golden ratio, as 64 bits after the point.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A generator.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    /// That of image `index` in an epoch: each of the three is mixed in before
    /// the next, so that neighbours have nothing in common.
    pub(super) fn of(seed: u64, epoch: u64, index: u64) -> Self {
        let with = |state: u64, part: u64| mixed(state.wrapping_add(GOLDEN) ^ part);
        Self([seed, epoch, index].into_iter().fold(0, with))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mixed(self.0)
    }

    /// Evenly from [0, 1), with the 24 bits that an f32 can tell apart.
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 24) as f32
    }

    /// Evenly from [0, 1), with 53 bits.
    pub(super) fn unit_f64(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly from `low` to `high`.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Evenly from -`most` to `most`.
    pub(super) fn either_way(&mut self, most: f32) -> f32 {
        self.between(-most, most)
    }

    /// Evenly from 0 to `end` - 1.
    pub(super) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// True with this probability.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.unit_f64() < probability
    }

    /// Fills `out` with random bytes.
    pub(super) fn fill(&mut self, out: &mut [u8]) {
        for piece in out.chunks_mut(8) {
            piece.copy_from_slice(&self.next().to_le_bytes()[..piece.len()]);
        }
    }

    /// From Beta(α, α) for α up to 4, by Jöhnk's method (1964): of two numbers
    /// u^(1/α) and v^(1/α) whose sum is at most 1, the part of the first.
    pub(super) fn beta(&mut self, alpha: f64) -> f64 {
        loop {
            let [a, b] = [self.unit_f64(), self.unit_f64()].map(|u| u.powf(1.0 / alpha));
            let sum = a + b;
            if sum > 0.0 && sum <= 1.0 {
                return a / sum;
            }
        }
    }
}

fn mixed(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut random = Random::of(1, 2, 3);
        let mut moments = |draw: &mut dyn FnMut(&mut Random) -> f64| {
            let values: Vec<f64> = (0..20_000).map(|_| draw(&mut random)).collect();
            let mean = values.iter().sum::<f64>() / 20_000.0;
            let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
            (mean, squares / 20_000.0)
        };
        let (mean, variance) = moments(&mut |random| f64::from(random.between(2.0, 4.0)));
        assert!((mean - 3.0).abs() < 0.02 && (variance - 1.0 / 3.0).abs() < 0.02);
        for alpha in [0.2, 1.0, 3.0] {
            let (mean, variance) = moments(&mut |random| random.beta(alpha));
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!((mean - 0.5).abs() < 0.02, "{alpha}: {mean}");
            assert!((variance - expected).abs() < 0.01, "{alpha}: {variance}");
        }
    }

    #[test]
    fn neighbours_have_nothing_in_common() {
        let first = |seed, epoch, index| Random::of(seed, epoch, index).next();
        let mut numbers: Vec<u64> = (0..10)
            .flat_map(|s| (0..10).flat_map(move |e| (0..10).map(move |i| first(s, e, i))))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 1000);
    }
}
