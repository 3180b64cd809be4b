//! Two images in one: mixup (Zhang et al., 2017) and cutmix (Yun et al., 2019).

use super::random::Random;

/// How two images become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// Each pixel is λ of the one and 1 - λ of the other.
    Mixup,
    /// A rectangle of 1 - λ of the image comes from the other.
    Cutmix,
}

/// Mixes `other` into `image`, both [channels, height, width], with λ from
/// Beta(α, α), and returns the part of `image` that is left.
pub(super) fn mix(
    method: Method,
    alpha: f64,
    random: &mut Random,
    shape: [usize; 3],
    other: &[u8],
    image: &mut [u8],
) -> f32 {
    let lambda = random.beta(alpha) as f32;
    match method {
        Method::Mixup => blend(lambda, other, image),
        Method::Cutmix => paste(lambda, random, shape, other, image),
    }
}

fn blend(lambda: f32, other: &[u8], image: &mut [u8]) -> f32 {
    for (out, other) in image.iter_mut().zip(other) {
        let (own, other) = (f32::from(*out), f32::from(*other));
        *out = (other + (own - other) * lambda + 0.5) as u8;
    }
    lambda
}

/// The rectangle has the image's proportions, its centre is anywhere, and what
/// sticks out is cut off; the weight is that of what remains.
fn paste(
    lambda: f32,
    random: &mut Random,
    [_, height, width]: [usize; 3],
    other: &[u8],
    image: &mut [u8],
) -> f32 {
    let part = (1.0 - lambda).sqrt();
    let mut range = |side: usize| {
        let length = (side as f32 * part) as usize;
        let centre = random.below(side);
        let start = centre.saturating_sub(length / 2);
        start..(centre + length - length / 2).min(side).max(start)
    };
    let (rows, columns) = (range(height), range(width));
    let planes = image.chunks_exact_mut(height * width);
    for (plane, other) in planes.zip(other.chunks_exact(height * width)) {
        for y in rows.clone() {
            let pixels = y * width + columns.start..y * width + columns.end;
            plane[pixels.clone()].copy_from_slice(&other[pixels]);
        }
    }
    1.0 - (rows.len() * columns.len()) as f32 / (height * width) as f32
}
