//! Batch normalisation of images, with the ReLU that follows it, and its gradients.
//!
//! Sergey Ioffe and Christian Szegedy, "Batch Normalization", 2015, algorithm 1 and section 3:
//! y = γ·(x − μ)/√(σ² + ε) + β with the mean μ and the (biased) variance σ² of each channel.

use rayon::prelude::*;

use crate::isa::{Isa, per_isa};

/// Sums that are kept beside each other, so that they don't wait for one another.
const LANES: usize = 32;

/// Values that make a task: fewer would not be worth handing to another thread.
const TASK_VALUES: usize = 1 << 14;

/// Sizes of a batch of images, `[batch, channels, area]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maps {
    pub batch: usize,
    pub channels: usize,
    /// Height times width.
    pub area: usize,
}

impl Maps {
    /// Values of the whole batch.
    pub(crate) fn len(&self) -> usize {
        self.batch * self.channels * self.area
    }

    /// The values of one channel, image by image.
    fn channel<'a>(&self, values: &'a [f32], channel: usize) -> impl Iterator<Item = &'a [f32]> {
        let planes = values.chunks_exact(self.area);
        planes.skip(channel).step_by(self.channels)
    }

    /// Values of the images that one task computes.
    fn task_len(&self) -> usize {
        let image = self.channels * self.area;
        TASK_VALUES.div_ceil(image) * image
    }

    /// One value for each channel, in parallel.
    fn per_channel<T: Send>(&self, value: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
        (0..self.channels).into_par_iter().map(value).collect()
    }
}

/// Mean and biased variance of each channel.
#[derive(Clone, Debug)]
pub(crate) struct Statistics {
    pub mean: Vec<f32>,
    pub variance: Vec<f32>,
}

impl Statistics {
    /// Those of a batch.
    pub(crate) fn of(isa: Isa, maps: &Maps, x: &[f32]) -> Self {
        let count = (maps.batch * maps.area) as f64;
        let (mean, variance) = maps
            .per_channel(|channel| {
                let mut sums = [0.0; LANES];
                for plane in maps.channel(x, channel) {
                    add(isa, plane, &mut sums);
                }
                let mean = (total(&sums) / count) as f32;
                let mut squares = [0.0; LANES];
                for plane in maps.channel(x, channel) {
                    add_squares(isa, plane, mean, &mut squares);
                }
                (mean, (total(&squares) / count) as f32)
            })
            .into_iter()
            .unzip();
        Statistics { mean, variance }
    }
}

/// What is done to the values of a channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Channel {
    mean: f32,
    /// 1/√(σ² + ε)
    precision: f32,
    /// γ/√(σ² + ε)
    scale: f32,
    beta: f32,
    relu: bool,
}

impl Channel {
    /// That of each channel.
    pub(crate) fn all(
        statistics: &Statistics,
        gamma: &[f32],
        beta: &[f32],
        epsilon: f64,
        relu: bool,
    ) -> Vec<Channel> {
        let moments = statistics.mean.iter().zip(&statistics.variance);
        moments
            .zip(gamma.iter().zip(beta))
            .map(|((&mean, &variance), (&gamma, &beta))| {
                let precision = 1.0 / (variance + epsilon as f32).sqrt();
                Channel {
                    mean,
                    precision,
                    scale: gamma * precision,
                    beta,
                    relu,
                }
            })
            .collect()
    }

    /// Whether ReLU stops a value; it lets NaN pass.
    #[inline(always)]
    fn stops(self, x: f32) -> bool {
        self.relu && self.before_relu(x) <= 0.0
    }

    #[inline(always)]
    fn before_relu(self, x: f32) -> f32 {
        (x - self.mean) * self.scale + self.beta
    }
}

/// The normalised batch.
pub(crate) fn normalized(isa: Isa, maps: &Maps, channels: &[Channel], x: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; maps.len()];
    let tasks = x.par_chunks(maps.task_len());
    tasks
        .zip(out.par_chunks_mut(maps.task_len()))
        .for_each(|(x, out)| {
            let planes = x.chunks_exact(maps.area).zip(channels.iter().cycle());
            for ((x, &channel), out) in planes.zip(out.chunks_exact_mut(maps.area)) {
                normalize(isa, channel, x, out);
            }
        });
    out
}

/// The gradients of input, γ and β.
pub(crate) struct Gradients {
    pub input: Vec<f32>,
    pub gamma: Vec<f32>,
    pub beta: Vec<f32>,
}

/// The gradients for that of the output, where the statistics are those of `x` itself.
pub(crate) fn gradients(
    isa: Isa,
    maps: &Maps,
    channels: &[Channel],
    x: &[f32],
    grad: &[f32],
) -> Gradients {
    let count = (maps.batch * maps.area) as f64;
    let slopes = maps.per_channel(|number| {
        let channel = channels[number];
        let (mut sums, mut products) = ([0.0; LANES], [0.0; LANES]);
        for (x, grad) in maps.channel(x, number).zip(maps.channel(grad, number)) {
            add_gradients(isa, channel, x, grad, &mut sums, &mut products);
        }
        let precision = f64::from(channel.precision);
        let (sum, product) = (total(&sums), total(&products) * precision);
        Slope {
            beta: sum as f32,
            gamma: product as f32,
            mean: (sum / count) as f32,
            // The input's distance from the mean times this is normalised twice.
            product: (product * precision / count) as f32,
        }
    });
    let mut input = vec![0.0; maps.len()];
    input
        .par_chunks_mut(maps.task_len())
        .zip(x.par_chunks(maps.task_len()))
        .zip(grad.par_chunks(maps.task_len()))
        .for_each(|((input, x), grad)| {
            let shared = channels.iter().zip(&slopes).cycle();
            let planes = x.chunks_exact(maps.area).zip(grad.chunks_exact(maps.area));
            let input = input.chunks_exact_mut(maps.area);
            for (((x, grad), (&channel, slope)), input) in planes.zip(shared).zip(input) {
                input_gradient(isa, channel, slope, x, grad, input);
            }
        });
    Gradients {
        input,
        gamma: slopes.iter().map(|slope| slope.gamma).collect(),
        beta: slopes.iter().map(|slope| slope.beta).collect(),
    }
}

/// What the gradients of a channel have in common.
pub(crate) struct Slope {
    beta: f32,
    gamma: f32,
    /// Mean of the gradient behind ReLU.
    mean: f32,
    /// Mean of the gradient times the normalised input, over √(σ² + ε).
    product: f32,
}

/// The sum of all lanes.
fn total(lanes: &[f32; LANES]) -> f64 {
    lanes.iter().copied().map(f64::from).sum()
}

per_isa! {
    /// Adds values to the sums.
    fn add(values: &[f32], sums: &mut [f32; LANES]) = add_body
}

#[inline(always)]
fn add_body(values: &[f32], sums: &mut [f32; LANES]) {
    accumulate(values, values, sums, |sum, value, _| *sum += value);
}

per_isa! {
    /// Adds the squares of values' distances from the mean to the sums.
    fn add_squares(values: &[f32], mean: f32, sums: &mut [f32; LANES]) = add_squares_body
}

#[inline(always)]
fn add_squares_body(values: &[f32], mean: f32, sums: &mut [f32; LANES]) {
    accumulate(values, values, sums, |sum, value, _| {
        *sum += (value - mean) * (value - mean);
    });
}

per_isa! {
    /// Adds gradients behind ReLU to the sums, and their products with the input's distances from
    /// the mean to `products`.
    fn add_gradients(
        channel: Channel,
        x: &[f32],
        grad: &[f32],
        sums: &mut [f32; LANES],
        products: &mut [f32; LANES],
    ) = add_gradients_body
}

#[inline(always)]
fn add_gradients_body(
    channel: Channel,
    x: &[f32],
    grad: &[f32],
    sums: &mut [f32; LANES],
    products: &mut [f32; LANES],
) {
    let mut both: [(f32, f32); LANES] = std::array::from_fn(|i| (sums[i], products[i]));
    accumulate(x, grad, &mut both, |(sum, product), x, grad| {
        let grad = if channel.stops(x) { 0.0 } else { grad };
        *sum += grad;
        *product += grad * (x - channel.mean);
    });
    for (i, (sum, product)) in both.into_iter().enumerate() {
        (sums[i], products[i]) = (sum, product);
    }
}

/// Adds pairs of values to the sums, each to the lane of its place.
#[inline(always)]
fn accumulate<S: Copy>(
    a: &[f32],
    b: &[f32],
    sums: &mut [S; LANES],
    add: impl Fn(&mut S, f32, f32),
) {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    // In registers, not where `sums` points to.
    let mut lanes = *sums;
    for (a, b) in a.iter().zip(b) {
        for (lane, (&a, &b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            add(lane, a, b);
        }
    }
    for (lane, (&a, &b)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        add(lane, a, b);
    }
    *sums = lanes;
}

per_isa! {
    /// Normalises the values of a channel.
    fn normalize(channel: Channel, x: &[f32], out: &mut [f32]) = normalize_body
}

#[inline(always)]
fn normalize_body(channel: Channel, x: &[f32], out: &mut [f32]) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = if channel.stops(x) {
            0.0
        } else {
            channel.before_relu(x)
        };
    }
}

per_isa! {
    /// The gradient of a channel's input.
    fn input_gradient(
        channel: Channel,
        slope: &Slope,
        x: &[f32],
        grad: &[f32],
        input: &mut [f32],
    ) = input_gradient_body
}

#[inline(always)]
fn input_gradient_body(
    channel: Channel,
    slope: &Slope,
    x: &[f32],
    grad: &[f32],
    input: &mut [f32],
) {
    for (input, (&x, &grad)) in input.iter_mut().zip(x.iter().zip(grad)) {
        let grad = if channel.stops(x) { 0.0 } else { grad };
        let shared = slope.mean + (x - channel.mean) * slope.product;
        *input = channel.scale * (grad - shared);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EPSILON: f64 = 1e-5;

    /// A batch with what is needed to normalise it.
    #[derive(Clone, Debug)]
    struct Case {
        maps: Maps,
        x: Vec<f32>,
        gamma: Vec<f32>,
        beta: Vec<f32>,
        grad: Vec<f32>,
        relu: bool,
    }

    fn cases() -> impl Strategy<Value = Case> {
        let sizes = (1..40_usize, 1..5_usize, 1..80_usize, any::<bool>());
        sizes.prop_flat_map(|(batch, channels, area, relu)| {
            let maps = Maps {
                batch,
                channels,
                area,
            };
            let values = |len| prop::collection::vec(-3.0..3.0_f32, len);
            (
                values(maps.len()),
                prop::collection::vec(0.2..2.0_f32, channels),
                values(channels),
                values(maps.len()),
            )
                .prop_map(move |(x, gamma, beta, grad)| Case {
                    maps,
                    x,
                    gamma,
                    beta,
                    grad,
                    relu,
                })
        })
    }

    impl Case {
        fn channels(&self, isa: Isa) -> Vec<Channel> {
            let statistics = Statistics::of(isa, &self.maps, &self.x);
            Channel::all(&statistics, &self.gamma, &self.beta, EPSILON, self.relu)
        }

        /// The formula in f64, of one channel: normalised input and √(σ² + ε).
        fn expected(&self, channel: usize) -> (Vec<f64>, f64) {
            let planes = self.maps.channel(&self.x, channel);
            let x: Vec<f64> = planes.flatten().map(|&x| f64::from(x)).collect();
            let count = x.len() as f64;
            let mean = x.iter().sum::<f64>() / count;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
            let deviation = (variance + EPSILON).sqrt();
            (
                x.iter().map(|x| (x - mean) / deviation).collect(),
                deviation,
            )
        }

        /// Σ grad·y, whose slopes the gradients are.
        fn objective(&self) -> f64 {
            let of_channel = |channel: usize| {
                let grad = self.maps.channel(&self.grad, channel).flatten();
                let [gamma, beta] = [&self.gamma, &self.beta].map(|of| f64::from(of[channel]));
                let (normalized, _) = self.expected(channel);
                let out = normalized.iter().map(|x| gamma * x + beta);
                out.zip(grad)
                    .map(|(y, &grad)| f64::from(grad) * if self.relu { y.max(0.0) } else { y })
                    .sum::<f64>()
            };
            (0..self.maps.channels).map(of_channel).sum()
        }
    }

    proptest! {
        #![proptest_config(crate::tests::cases(64))]

        #[test]
        fn every_instruction_set_normalizes_by_the_formula(case in cases()) {
            for isa in Isa::available() {
                let out = normalized(isa, &case.maps, &case.channels(isa), &case.x);
                for channel in 0..case.maps.channels {
                    let (expected, deviation) = case.expected(channel);
                    let out = case.maps.channel(&out, channel).flatten();
                    for (&out, x) in out.zip(expected) {
                        let y = f64::from(case.gamma[channel]) * x + f64::from(case.beta[channel]);
                        let y = if case.relu { y.max(0.0) } else { y };
                        // A channel that hardly varies multiplies what is rounded off.
                        let tolerance = 1e-5 / deviation.min(1.0);
                        prop_assert!((f64::from(out) - y).abs() < tolerance, "{out}, not {y}");
                    }
                }
            }
        }

        #[test]
        fn every_instruction_set_gives_the_gradients_of_the_formula(case in cases()) {
            for isa in Isa::available() {
                let channels = case.channels(isa);
                let found = gradients(isa, &case.maps, &channels, &case.x, &case.grad);
                for channel in 0..case.maps.channels {
                    let (normalized, deviation) = case.expected(channel);
                    let [gamma, beta] = [&case.gamma, &case.beta].map(|of| f64::from(of[channel]));
                    // Where ReLU's edge is within rounding, either side is right.
                    let edge = 1e-4 / deviation.min(1.0);
                    prop_assume!(normalized.iter().all(|x| (gamma * x + beta).abs() > edge));
                    let grad = case.maps.channel(&case.grad, channel).flatten();
                    let grad: Vec<f64> = grad
                        .zip(&normalized)
                        .map(|(&grad, x)| {
                            let stops = case.relu && gamma * x + beta <= 0.0;
                            if stops { 0.0 } else { f64::from(grad) }
                        })
                        .collect();
                    let count = grad.len() as f64;
                    let of_beta: f64 = grad.iter().sum();
                    let of_gamma: f64 = grad.iter().zip(&normalized).map(|(g, x)| g * x).sum();
                    let tolerance = 1e-5 * count / deviation.min(1.0);
                    prop_assert!((f64::from(found.beta[channel]) - of_beta).abs() < tolerance);
                    prop_assert!((f64::from(found.gamma[channel]) - of_gamma).abs() < tolerance);
                    let input = case.maps.channel(&found.input, channel).flatten();
                    for ((&found, grad), x) in input.zip(&grad).zip(&normalized) {
                        let centred = grad - of_beta / count - x * of_gamma / count;
                        let expected = gamma / deviation * centred;
                        let tolerance = 1e-4 / deviation.min(1.0).powi(2);
                        prop_assert!(
                            (f64::from(found) - expected).abs() < tolerance,
                            "{found}, not {expected}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn gradients_are_the_slopes_of_the_output() {
        const STEP: f32 = 1e-3;
        let maps = Maps {
            batch: 5,
            channels: 2,
            area: 9,
        };
        let wave = |i: usize| ((i * 37 % 101) as f32 / 101.0 - 0.45) * 3.0;
        for relu in [false, true] {
            let case = Case {
                maps,
                x: (0..maps.len()).map(wave).collect(),
                gamma: vec![0.7, 1.6],
                beta: vec![0.31, -0.22],
                grad: (1..=maps.len()).map(wave).collect(),
                relu,
            };
            let isa = Isa::detected();
            let found = gradients(isa, &maps, &case.channels(isa), &case.x, &case.grad);
            let check = |found: &[f32], of: fn(&mut Case) -> &mut Vec<f32>| {
                for (i, &found) in found.iter().enumerate() {
                    let at = |step: f32| {
                        let mut moved = case.clone();
                        of(&mut moved)[i] += step;
                        moved.objective()
                    };
                    let slope = (at(STEP) - at(-STEP)) / f64::from(2.0 * STEP);
                    assert!(
                        (slope - f64::from(found)).abs() < 1e-3,
                        "{found}, not {slope}"
                    );
                }
            };
            check(&found.input, |case| &mut case.x);
            check(&found.gamma, |case| &mut case.gamma);
            check(&found.beta, |case| &mut case.beta);
        }
    }

    #[test]
    fn nan_reaches_its_channel_and_no_other() {
        let maps = Maps {
            batch: 2,
            channels: 2,
            area: 50,
        };
        let mut x = vec![0.5; maps.len()];
        x[3] = f32::NAN;
        let statistics = Statistics::of(Isa::detected(), &maps, &x);
        let channels = Channel::all(&statistics, &[1.0; 2], &[1.0; 2], EPSILON, true);
        let out = normalized(Isa::detected(), &maps, &channels, &x);
        assert!(maps.channel(&out, 0).flatten().all(|y| y.is_nan()));
        assert!(maps.channel(&out, 1).flatten().all(|y| *y == 1.0));
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let maps = Maps {
            batch: 64,
            channels: 3,
            area: 300,
        };
        let values: Vec<f32> = (0..maps.len()).map(|i| (i as f32 * 0.7).sin()).collect();
        let [one, four] = [1, 4].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| {
                let isa = Isa::detected();
                let statistics = Statistics::of(isa, &maps, &values);
                let channels = Channel::all(&statistics, &[1.1; 3], &[0.1; 3], EPSILON, true);
                let out = normalized(isa, &maps, &channels, &values);
                let gradients = gradients(isa, &maps, &channels, &values, &out);
                (out, gradients.input, gradients.gamma, gradients.beta)
            })
        });
        assert!(one == four);
    }
}
