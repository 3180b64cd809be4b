//! The kernels against their formula, over random shapes.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::backward::{Gradients, Saved, backward};
use crate::forward::forward;
use crate::geometry::Geometry;
use crate::isa::Isa;
use crate::reference;
use crate::winograd::Winograd;

/// Result of the kernels for a block.
struct Outcome {
    out: Vec<f32>,
    input: Vec<f32>,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

/// Operands of a block: input, weights, bias, output gradient.
struct Operands {
    x: Vec<f32>,
    weights: Vec<f32>,
    bias: Vec<f32>,
    grad: Vec<f32>,
}

impl Operands {
    /// Random values; halves of small integers make ties in pooling frequent.
    fn new(g: &Geometry, seed: u64, coarse: bool) -> Operands {
        let mut state = seed;
        let mut values = |len: usize| {
            let mut values = values(&mut state, len);
            if coarse {
                values
                    .iter_mut()
                    .for_each(|value| *value = (*value * 3.0).round() / 2.0);
            }
            values
        };
        Operands {
            x: values(g.batch * g.image_len()),
            weights: values(g.out_channels * g.taps()),
            bias: values(g.out_channels),
            grad: values(g.batch * g.output_len()),
        }
    }
}

/// Values from -1 to 1 from a small generator.
pub(crate) fn values(state: &mut u64, len: usize) -> Vec<f32> {
    let mut next = || {
        *state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (*state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// So many cases, or as many as `PROPTEST_CASES` says: a memory checker takes long for each.
pub(crate) fn cases(count: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => ProptestConfig {
            cases: count,
            ..config
        },
    }
}

fn run(isa: Isa, g: &Geometry, operands: &Operands, with_input: bool) -> Outcome {
    let Operands {
        x,
        weights,
        bias,
        grad,
    } = operands;
    let mut outcome = Outcome {
        out: vec![f32::NAN; grad.len()],
        input: vec![f32::NAN; x.len()],
        weights: vec![f32::NAN; weights.len()],
        bias: vec![f32::NAN; bias.len()],
    };
    let mut sources = vec![0; if g.pool { g.batch * g.sources_len() } else { 0 }];
    let winograd = forward(
        isa,
        g,
        x,
        weights,
        Some(bias),
        &mut outcome.out,
        &mut sources,
    );
    let out: &[f32] = if g.relu && !g.pool { &outcome.out } else { &[] };
    let saved = Saved {
        x,
        weights,
        out,
        sources: &sources,
        winograd,
        grad,
    };
    let gradients = Gradients {
        input: with_input.then_some(&mut outcome.input),
        weights: &mut outcome.weights,
        bias: &mut outcome.bias,
    };
    backward(isa, g, &saved, gradients);
    outcome
}

/// Largest error of a block's results, as part of the largest value: less than 1e-4 for the fast
/// method.
fn tolerance(g: &Geometry) -> f64 {
    match Winograd::plan(Isa::PORTABLE, g) {
        Some(_) => 5e-5,
        None => 1e-5,
    }
}

fn assert_close(g: &Geometry, what: &str, actual: &[f32], expected: &[f64]) {
    let tolerance = tolerance(g);
    let scale = expected
        .iter()
        .filter(|v| v.is_finite())
        .fold(1.0_f64, |m, v| m.max(v.abs()));
    for (i, (&a, &e)) in actual.iter().zip(expected).enumerate() {
        let same = (f64::from(a) - e).abs() <= tolerance * scale || a.is_nan() && e.is_nan();
        assert!(same, "{what}[{i}] is {a}, not {e}");
    }
}

fn geometry() -> impl Strategy<Value = Geometry> {
    let sizes = (1_usize..7, 1_usize..20, 1_usize..40);
    let image = (1_usize..14, 1_usize..14);
    let kernel = (1_usize..6, 1_usize..6, 1_usize..4, 1_usize..4);
    let padding = (0_usize..6, 0_usize..4, 0_usize..6, 0_usize..4);
    (sizes, image, kernel, padding, any::<bool>(), any::<bool>())
        .prop_map(
            |((batch, in_channels, out_channels), (h, w), (kh, kw, sy, sx), p, relu, pool)| {
                Geometry {
                    batch,
                    in_channels,
                    input: [h, w],
                    out_channels,
                    kernel: [kh, kw],
                    stride: [sy, sx],
                    padding: [p.0, p.1, p.2, p.3],
                    relu,
                    pool,
                }
            },
        )
        .prop_filter("output is empty", Geometry::is_valid)
}

proptest! {
    // Always the same cases: where two values of a pooling window, or a sum and zero, differ by
    // less than the method's rounding, a gradient takes another way.
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..cases(60)
    })]

    #[test]
    fn winograds_method_computes_the_formula(g in square_geometry(), seed: u64) {
        check(&g, &Operands::new(&g, seed, false));
    }
}

/// Geometries that Winograd's method is for.
fn square_geometry() -> impl Strategy<Value = Geometry> {
    let sizes = (1_usize..12, 8_usize..24, 8_usize..40);
    let image = (3_usize..16, 3_usize..16, 3_usize..6);
    let padding = [0_usize..4, 0..4, 0..4, 0..4];
    (sizes, image, padding, any::<bool>(), any::<bool>())
        .prop_map(
            |((batch, in_channels, out_channels), (h, w, kernel), padding, relu, pool)| Geometry {
                batch,
                in_channels,
                input: [h, w],
                out_channels,
                kernel: [kernel; 2],
                stride: [1, 1],
                padding,
                relu,
                pool,
            },
        )
        .prop_filter("Winograd's method is not taken", |g| {
            g.is_valid() && Winograd::plan(Isa::PORTABLE, g).is_some()
        })
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn every_instruction_set_computes_the_formula(g in geometry(), seed: u64, coarse: bool) {
        prop_assume!(Winograd::plan(Isa::PORTABLE, &g).is_none());
        let operands = Operands::new(&g, seed, coarse);
        let Operands { x, weights, bias, .. } = &operands;
        prop_assume!(reference::is_decided(&g, x, weights, bias));
        check(&g, &operands);
    }

    #[test]
    fn leaving_out_the_input_gradient_changes_no_other(g in geometry(), seed: u64) {
        let operands = Operands::new(&g, seed, false);
        let with = run(Isa::detected(), &g, &operands, true);
        let without = run(Isa::detected(), &g, &operands, false);
        prop_assert_eq!(with.out, without.out);
        prop_assert_eq!(with.bias, without.bias);
        let with: Vec<f64> = with.weights.into_iter().map(f64::from).collect();
        assert_close(&g, "weights", &without.weights, &with);
    }
}

fn mnist_block() -> Geometry {
    Geometry {
        batch: 37,
        in_channels: 3,
        input: [13, 13],
        out_channels: 20,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [0; 4],
        relu: true,
        pool: true,
    }
}

/// A block that Winograd's method is for.
fn winograd_block() -> Geometry {
    let g = Geometry {
        in_channels: 16,
        input: [14, 14],
        kernel: [5, 5],
        padding: [2; 4],
        pool: false,
        ..mnist_block()
    };
    assert!(Winograd::plan(Isa::detected(), &g).is_some());
    g
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let dense = Geometry {
        stride: [2, 1],
        pool: false,
        ..mnist_block()
    };
    // So large that its products are shared out.
    let many_channels = Geometry {
        in_channels: 64,
        out_channels: 64,
        batch: 5,
        ..winograd_block()
    };
    for g in [mnist_block(), dense, winograd_block(), many_channels] {
        assert_same_on_all_threads(&g);
    }
}

fn assert_same_on_all_threads(g: &Geometry) {
    let operands = Operands::new(g, 7, false);
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let outcome = pool.install(|| run(Isa::detected(), g, &operands, true));
        [outcome.out, outcome.input, outcome.weights, outcome.bias]
            .map(|values| values.into_iter().map(f32::to_bits).collect::<Vec<_>>())
    };
    let one = with_threads(1);
    assert_eq!(one, with_threads(2));
    assert_eq!(one, with_threads(4));
}

/// The sum of the outputs' products with `grad`, whose derivatives are the gradients.
fn objective(g: &Geometry, operands: &Operands) -> f64 {
    let Operands {
        x,
        weights,
        bias,
        grad,
    } = operands;
    let out = reference::forward(g, x, weights, bias);
    let products = out
        .iter()
        .zip(grad)
        .map(|(out, &grad)| out * f64::from(grad));
    products.sum()
}

/// The formula is linear in every single operand as long as no maximum changes, so that differences
/// over steps that `f32` holds exactly are its derivatives.
#[test]
fn the_formulas_gradients_are_finite_differences() {
    const STEP: f32 = 1.0 / (1 << 20) as f32;
    let g = Geometry {
        batch: 2,
        in_channels: 2,
        input: [7, 6],
        out_channels: 3,
        stride: [2, 1],
        padding: [1, 0, 2, 1],
        ..mnist_block()
    };
    let operands = |nudge: &dyn Fn(&mut Operands)| {
        let mut operands = Operands::new(&g, 9, false);
        let all = [&mut operands.x, &mut operands.weights, &mut operands.bias];
        for value in all.into_iter().flatten() {
            *value = (*value * 1024.0).round() / 1024.0;
        }
        nudge(&mut operands);
        operands
    };
    let exact = operands(&|_| ());
    let gradients = reference::backward(&g, &exact.x, &exact.weights, &exact.bias, &exact.grad);
    let check = |expected: &[f64], of: fn(&mut Operands) -> &mut [f32]| {
        for (i, expected) in expected.iter().enumerate() {
            let at = |step: f32| objective(&g, &operands(&|operands| of(operands)[i] += step));
            let slope = (at(STEP) - at(-STEP)) / f64::from(2.0 * STEP);
            assert!((slope - expected).abs() < 1e-6, "{slope}, not {expected}");
        }
    };
    check(&gradients.input, |operands| &mut operands.x);
    check(&gradients.weight, |operands| &mut operands.weights);
    check(&gradients.bias, |operands| &mut operands.bias);
}

/// Compares all instruction sets with the formula.
fn check(g: &Geometry, operands: &Operands) {
    let Operands {
        x,
        weights,
        bias,
        grad,
    } = operands;
    let out = reference::forward(g, x, weights, bias);
    let gradients = reference::backward(g, x, weights, bias, grad);
    for isa in Isa::available() {
        let outcome = run(isa, g, operands, true);
        assert_close(g, "out", &outcome.out, &out);
        assert_close(g, "weights", &outcome.weights, &gradients.weight);
        assert_close(g, "bias", &outcome.bias, &gradients.bias);
        assert_close(g, "input", &outcome.input, &gradients.input);
    }
}

#[test]
fn a_batch_of_several_parts_computes_the_formula() {
    let few = Geometry {
        batch: 37,
        ..mnist_block()
    };
    let padded = Geometry {
        batch: 70,
        input: [6, 5],
        padding: [1, 1, 2, 1],
        ..mnist_block()
    };
    for g in [
        few,
        padded,
        Geometry {
            pool: false,
            ..padded
        },
    ] {
        check(&g, &Operands::new(&g, 11, false));
    }
}

#[test]
fn nan_reaches_the_output_and_the_gradients_and_nothing_else() {
    let small = Geometry {
        batch: 3,
        ..winograd_block()
    };
    for g in [mnist_block(), small] {
        let mut operands = Operands::new(&g, 3, false);
        operands.x[5 * 13 + 5] = f32::NAN;
        let out = reference::forward(&g, &operands.x, &operands.weights, &operands.bias);
        assert!(out.iter().any(|value| value.is_nan()));
        assert!(out.iter().any(|value| !value.is_nan()));
        check(&g, &operands);
    }
}

#[test]
fn large_values_do_not_overflow_between_transforms() {
    let g = Geometry {
        batch: 3,
        ..winograd_block()
    };
    let mut operands = Operands::new(&g, 5, false);
    operands.x.iter_mut().for_each(|x| *x *= 1e36);
    let outcome = run(Isa::detected(), &g, &operands, false);
    assert!(outcome.out.iter().all(|value| value.is_finite()));
}

#[test]
fn an_infinite_gradient_reaches_the_weights() {
    let g = mnist_block();
    let mut operands = Operands::new(&g, 3, false);
    operands.grad.fill(f32::INFINITY);
    let outcome = run(Isa::detected(), &g, &operands, true);
    assert!(outcome.weights.iter().all(|weight| !weight.is_finite()));
}
