//! How fast a model runs: time of a batch, again and again.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::session::{Error, Session, buffer};

/// How often a model is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Runs that are not counted: the first ones allocate and wake threads.
    pub warmup: usize,
    /// The most runs that are.
    pub runs: NonZeroUsize,
    /// The time after which no other run begins.
    pub limit: Duration,
}

/// The times of single runs of one batch, shortest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Times {
    batch: NonZeroUsize,
    /// In seconds; at least one.
    seconds: Vec<f64>,
}

/// How long a batch takes, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// The time that half of the runs stay under.
    pub p50: f64,
    /// The time that nine tenths stay under.
    pub p90: f64,
    /// The time that all but one in a hundred stay under.
    pub p99: f64,
    /// The shortest.
    pub min: f64,
    /// The longest.
    pub max: f64,
}

/// How many images a model takes in a second, by single runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Throughput {
    /// That of the median run.
    pub median: f64,
    /// That which nine tenths of the runs exceed.
    pub low: f64,
    /// That which one tenth exceeds.
    pub high: f64,
}

/// Runs the model on batches of `batch` images of shape `input` [channels,
/// height, width]: noise, as the content does not change the time.
///
/// # Errors
///
/// When the model does not take such images, or a batch has too many values.
pub fn measure(
    session: &mut Session,
    input: [usize; 3],
    batch: NonZeroUsize,
    effort: Effort,
) -> Result<Times, Error> {
    let [channels, height, width] = input;
    let shape = [batch.get(), channels, height, width];
    let mut images = buffer(shape)?;
    fill_with_noise(&mut images);
    for _ in 0..effort.warmup {
        session.run(&images, shape)?;
    }
    let begin = Instant::now();
    let mut seconds = Vec::with_capacity(effort.runs.get().min(1 << 20));
    while seconds.is_empty()
        || (seconds.len() < effort.runs.get() && begin.elapsed() < effort.limit)
    {
        let start = Instant::now();
        session.run(&images, shape)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(Times { batch, seconds })
}

/// Numbers from -1 to 1 by xorshift, the same each time.
fn fill_with_noise(images: &mut [f32]) {
    let mut state = 0x9E37_79B9_u32;
    images.fill_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / (u32::MAX / 2) as f32 - 1.0
    });
}

impl Times {
    /// The runs that were counted.
    pub fn runs(&self) -> usize {
        self.seconds.len()
    }

    /// How long the batch takes.
    pub fn latency(&self) -> Latency {
        let [p50, p90, p99, min, max] =
            [0.5, 0.9, 0.99, 0.0, 1.0].map(|part| 1e3 * self.percentile(part));
        Latency {
            p50,
            p90,
            p99,
            min,
            max,
        }
    }

    /// How many images are done in a second.
    pub fn throughput(&self) -> Throughput {
        let per_second = |part| self.batch.get() as f64 / self.percentile(part).max(1e-9);
        Throughput {
            median: per_second(0.5),
            low: per_second(0.9),
            high: per_second(0.1),
        }
    }

    /// The shortest time that `part` of the runs do not exceed (nearest rank).
    fn percentile(&self, part: f64) -> f64 {
        let rank = (part * self.seconds.len() as f64).ceil() as usize;
        self.seconds[rank.clamp(1, self.seconds.len()) - 1]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn times(batch: usize, milliseconds: &[f64]) -> Times {
        Times {
            batch: NonZeroUsize::new(batch).unwrap(),
            seconds: milliseconds.iter().map(|time| time / 1e3).collect(),
        }
    }

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        let latency = times(1, &hundred).latency();
        let found = [
            latency.p50,
            latency.p90,
            latency.p99,
            latency.min,
            latency.max,
        ];
        assert_eq!(found.map(f64::round), [50.0, 90.0, 99.0, 1.0, 100.0]);
        let one = times(1, &[7.0]).latency();
        assert_eq!((one.p50, one.p99), (one.min, one.max));
    }

    #[test]
    fn slow_runs_are_the_low_end_of_the_throughput() {
        let throughput = times(8, &[1.0, 2.0, 4.0]).throughput();
        let found = [throughput.high, throughput.median, throughput.low];
        assert_eq!(found.map(f64::round), [8000.0, 4000.0, 2000.0]);
    }

    #[test]
    fn noise_is_spread_around_zero_and_the_same_each_time() {
        let [mut noise, mut again] = [[0.0; 10_000]; 2];
        fill_with_noise(&mut noise);
        fill_with_noise(&mut again);
        assert_eq!(noise, again);
        assert!(noise.iter().all(|value| (-1.0..=1.0).contains(value)));
        let mean: f32 = noise.iter().sum::<f32>() / 10_000.0;
        assert!(mean.abs() < 0.05, "{mean}");
    }
}
