//! The transforms along one axis.
//!
//! A convolution is a product of polynomials, and that is a product of their values at eight
//! points: 0, ±1, ±2, ±1/2 and ∞ (where the value is the last coefficient). Values at ±p share
//! their even and odd parts.

use super::TILE;
use crate::lanes::Lanes;

/// A linear map from `N` values to the eight of a tile, as a matrix; and its transpose.
///
/// # Safety
/// All functions: as [`Lanes`].
pub(super) trait Linear<const N: usize> {
    /// The matrix times `x`.
    unsafe fn apply<L: Lanes>(x: [L; N]) -> [L; TILE];
    /// The transposed matrix times `x`.
    unsafe fn transposed<L: Lanes>(x: [L; TILE]) -> [L; N];
}

/// The positive points that have a negative counterpart.
const POINTS: [f32; 3] = [1.0, 2.0, 0.5];

/// `a + b · factor`.
///
/// # Safety
/// As [`Lanes`].
#[inline(always)]
unsafe fn plus<L: Lanes>(a: L, factor: f32, b: L) -> L {
    // SAFETY: the caller vouches for the instruction set.
    unsafe { b.mul_add(L::splat(factor), a) }
}

/// Matrix `A`: the values of a polynomial at the points, from its coefficients.
pub(super) struct ResultBlock;

impl<const N: usize> Linear<N> for ResultBlock {
    #[inline(always)]
    unsafe fn apply<L: Lanes>(x: [L; N]) -> [L; TILE] {
        // SAFETY: the caller vouches for the instruction set.
        unsafe { values_at_points(x) }
    }

    #[inline(always)]
    unsafe fn transposed<L: Lanes>(x: [L; TILE]) -> [L; N] {
        // SAFETY: as above.
        unsafe { sums_of_powers(x) }
    }
}

/// Matrix `G`: as `A`, each value times a factor that makes up for the simple numbers of `Bᵀ`.
pub(super) struct KernelBlock;

/// The factors of `G`, for the points in order.
const FACTORS: [f32; TILE] = [
    1.0,
    -2.0 / 9.0,
    -2.0 / 9.0,
    1.0 / 90.0,
    1.0 / 90.0,
    32.0 / 45.0,
    32.0 / 45.0,
    1.0,
];

impl<const N: usize> Linear<N> for KernelBlock {
    #[inline(always)]
    unsafe fn apply<L: Lanes>(x: [L; N]) -> [L; TILE] {
        // SAFETY: the caller vouches for the instruction set.
        unsafe { scaled(values_at_points(x)) }
    }

    #[inline(always)]
    unsafe fn transposed<L: Lanes>(x: [L; TILE]) -> [L; N] {
        // SAFETY: as above.
        unsafe { sums_of_powers(scaled(x)) }
    }
}

/// Each value times its factor.
///
/// # Safety
/// As [`Lanes`].
#[inline(always)]
unsafe fn scaled<L: Lanes>(mut x: [L; TILE]) -> [L; TILE] {
    for (x, factor) in x.iter_mut().zip(FACTORS) {
        // SAFETY: the caller vouches for the instruction set.
        *x = unsafe { plus(L::splat(0.0), factor, *x) };
    }
    x
}

/// # Safety
/// As [`Lanes`].
#[inline(always)]
unsafe fn values_at_points<L: Lanes, const N: usize>(x: [L; N]) -> [L; TILE] {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let mut values = [x[0]; TILE];
        values[TILE - 1] = x[N - 1];
        for (i, point) in POINTS.into_iter().enumerate() {
            let (mut even, mut odd) = (x[0], L::splat(0.0));
            let mut power = 1.0;
            for (j, &x) in x.iter().enumerate().skip(1) {
                power *= point;
                if j % 2 == 0 {
                    even = plus(even, power, x);
                } else {
                    odd = plus(odd, power, x);
                }
            }
            values[1 + 2 * i] = plus(even, 1.0, odd);
            values[2 + 2 * i] = plus(even, -1.0, odd);
        }
        values
    }
}

/// # Safety
/// As [`Lanes`].
#[inline(always)]
unsafe fn sums_of_powers<L: Lanes, const N: usize>(x: [L; TILE]) -> [L; N] {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let pair = |i: usize, sign: f32| plus(x[1 + 2 * i], sign, x[2 + 2 * i]);
        let even = [pair(0, 1.0), pair(1, 1.0), pair(2, 1.0)];
        let odd = [pair(0, -1.0), pair(1, -1.0), pair(2, -1.0)];
        let mut sums = [L::splat(0.0); N];
        let mut powers = [1.0; 3];
        for (j, sum) in sums.iter_mut().enumerate() {
            let pairs = if j % 2 == 0 { even } else { odd };
            *sum = pairs[0];
            for i in 1..3 {
                *sum = plus(*sum, powers[i], pairs[i]);
                powers[i] *= POINTS[i];
            }
        }
        sums[0] = plus(sums[0], 1.0, x[0]);
        sums[N - 1] = plus(sums[N - 1], 1.0, x[TILE - 1]);
        sums
    }
}

/// Matrix `Bᵀ`: the transposed inverse of the values at the points, times simple factors.
pub(super) struct ImageTile;

impl Linear<TILE> for ImageTile {
    #[inline(always)]
    unsafe fn apply<L: Lanes>(x: [L; TILE]) -> [L; TILE] {
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            let pairs = [
                (
                    plus(plus(x[2], 1.0, x[6]), -4.25, x[4]),
                    plus(plus(x[1], 1.0, x[5]), -4.25, x[3]),
                ),
                (
                    plus(plus(x[6], 0.25, x[2]), -1.25, x[4]),
                    plus(plus(plus(L::splat(0.0), 0.5, x[1]), -2.5, x[3]), 2.0, x[5]),
                ),
                (
                    plus(plus(x[6], 4.0, x[2]), -5.0, x[4]),
                    plus(plus(plus(L::splat(0.0), 2.0, x[1]), -2.5, x[3]), 0.5, x[5]),
                ),
            ];
            let mut values = [x[0]; TILE];
            values[0] = plus(plus(x[0], -1.0, x[6]), 5.25, plus(x[4], -1.0, x[2]));
            values[7] = plus(plus(x[7], -1.0, x[1]), 5.25, plus(x[3], -1.0, x[5]));
            for (i, (even, odd)) in pairs.into_iter().enumerate() {
                values[1 + 2 * i] = plus(even, 1.0, odd);
                values[2 + 2 * i] = plus(even, -1.0, odd);
            }
            values
        }
    }

    #[inline(always)]
    unsafe fn transposed<L: Lanes>(x: [L; TILE]) -> [L; TILE] {
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            let pair = |i: usize, sign: f32| plus(x[1 + 2 * i], sign, x[2 + 2 * i]);
            let even = [pair(0, 1.0), pair(1, 1.0), pair(2, 1.0)];
            let odd = [pair(0, -1.0), pair(1, -1.0), pair(2, -1.0)];
            [
                x[0],
                plus(plus(plus(odd[0], 0.5, odd[1]), 2.0, odd[2]), -1.0, x[7]),
                plus(
                    plus(plus(even[0], 0.25, even[1]), 4.0, even[2]),
                    -5.25,
                    x[0],
                ),
                plus(
                    plus(
                        plus(plus(L::splat(0.0), 5.25, x[7]), -4.25, odd[0]),
                        -2.5,
                        odd[1],
                    ),
                    -2.5,
                    odd[2],
                ),
                plus(
                    plus(
                        plus(plus(L::splat(0.0), 5.25, x[0]), -4.25, even[0]),
                        -1.25,
                        even[1],
                    ),
                    -5.0,
                    even[2],
                ),
                plus(plus(plus(odd[0], 2.0, odd[1]), 0.5, odd[2]), -5.25, x[7]),
                plus(plus(plus(even[0], 1.0, even[1]), 1.0, even[2]), -1.0, x[0]),
                x[7],
            ]
        }
    }
}
