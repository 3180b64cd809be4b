//! How far two tensors are apart.

use std::fmt;

use burn::tensor::TensorData;

/// How far one output is off, over all samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The output's name.
    pub output: String,
    /// The largest difference.
    pub absolute: Extreme,
    /// The largest difference relative to the element's value, or to 1 where
    /// that is smaller.
    pub relative: Extreme,
    /// The largest value of the output, without its sign.
    pub scale: f64,
}

/// An element that is off the most.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extreme {
    /// By how much; infinite where only one of both is a number.
    pub difference: f64,
    /// Where in the output.
    pub element: Vec<usize>,
    /// What Burn computed.
    pub expected: f64,
    /// What the engine computed.
    pub found: f64,
    /// The sample: sizes and seed.
    pub sample: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "output `{}`: largest difference {}; relative {}",
            self.output, self.absolute, self.relative
        )
    }
}

impl fmt::Display for Extreme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.difference == 0.0 {
            return f.write_str("0");
        }
        let Self {
            difference,
            element,
            expected,
            found,
            sample,
        } = self;
        write!(
            f,
            "{difference:.2e} at {element:?} ({found} instead of {expected}, with {sample})"
        )
    }
}

impl Difference {
    pub(super) fn none(output: &str) -> Self {
        Self {
            output: output.to_owned(),
            absolute: Extreme::default(),
            relative: Extreme::default(),
            scale: 0.0,
        }
    }

    /// Takes in another sample; both tensors have the same shape.
    pub(super) fn extend(&mut self, found: &TensorData, expected: &TensorData, sample: &str) {
        let shape = expected.shape().to_vec();
        let pairs = elements(found).into_iter().zip(elements(expected));
        for (position, (found, expected)) in pairs.enumerate() {
            if expected.is_finite() {
                self.scale = self.scale.max(expected.abs());
            }
            let difference = difference(found, expected);
            let relative = relative(difference, expected);
            let extreme = |difference: f64| Extreme {
                difference,
                element: index(position, &shape),
                expected,
                found,
                sample: sample.to_owned(),
            };
            if difference > self.absolute.difference {
                self.absolute = extreme(difference);
            }
            if relative > self.relative.difference {
                self.relative = extreme(relative);
            }
        }
    }
}

fn elements(data: &TensorData) -> Vec<f64> {
    let data = data.clone().convert::<f64>();
    data.try_into_vec::<f64>().unwrap_or_default()
}

/// NaN equals NaN, and an infinity itself.
fn difference(found: f64, expected: f64) -> f64 {
    if found == expected || (found.is_nan() && expected.is_nan()) {
        0.0
    } else if found.is_finite() && expected.is_finite() {
        (found - expected).abs()
    } else {
        f64::INFINITY
    }
}

/// Relative to a number, or to 1 where that is larger; what is infinitely far
/// from an infinity stays so.
fn relative(difference: f64, expected: f64) -> f64 {
    match expected.is_infinite() {
        true => difference,
        false => difference / expected.abs().max(1.0),
    }
}

/// The indices of an element that is at a position, row-major.
fn index(position: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = position;
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|size| {
            let at = rest % size;
            rest /= size;
            at
        })
        .collect();
    index.reverse();
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_differences_are_found_with_their_elements() {
        let expected = TensorData::from([[1.0f32, 100.0], [0.5, 2.0]]);
        let found = TensorData::from([[1.0f32, 101.0], [1.0, 2.0]]);
        let mut difference = Difference::none("y");
        difference.extend(&found, &expected, "seed 0");
        assert_eq!(difference.absolute.element, [0, 1]);
        assert_eq!(difference.absolute.difference, 1.0);
        assert_eq!(difference.relative.element, [1, 0]);
        assert_eq!(difference.relative.difference, 0.5);
        assert_eq!(difference.scale, 100.0);
    }

    #[test]
    fn a_number_never_equals_nan() {
        assert_eq!(difference(f64::NAN, f64::NAN), 0.0);
        assert_eq!(difference(f64::NAN, 1.0), f64::INFINITY);
        assert_eq!(difference(f64::INFINITY, f64::INFINITY), 0.0);
        assert_eq!(difference(f64::INFINITY, 1.0), f64::INFINITY);
    }

    #[test]
    fn a_number_is_infinitely_far_from_an_infinity() {
        for found in [1.0, f32::NAN, f32::NEG_INFINITY] {
            let mut difference = Difference::none("y");
            let [found, expected] = [found, f32::INFINITY].map(|x| TensorData::from([x]));
            difference.extend(&found, &expected, "seed 0");
            assert_eq!(difference.relative.difference, f64::INFINITY);
        }
    }
}
