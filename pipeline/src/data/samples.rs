//! Some images with the names of their classes.

use dataset::augment::{Augment, Augmented, Scratch};
use dataset::{Split, as_picture};
use image::DynamicImage;

/// An image with what is written under it.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The image.
    pub picture: DynamicImage,
    /// The class, or the two that are mixed.
    pub label: String,
}

/// `count` images of `split`, class by class in turn; as in the first epoch of
/// a training where it has ranges and a seed.
pub fn samples(
    split: &Split,
    classes: &[String],
    count: usize,
    augment: Option<(&Augment, u64)>,
) -> Vec<Sample> {
    let chosen = in_turn(split.labels(), classes.len(), count);
    let name = |label: u8| classes[usize::from(label)].as_str();
    let shape = split.images().image_shape();
    let Some((augment, seed)) = augment else {
        let plain = |&index: &u32| Sample {
            picture: as_picture(split.images().image(index as usize), shape),
            label: name(split.labels()[index as usize]).to_owned(),
        };
        return chosen.iter().map(plain).collect();
    };
    let all: Vec<u32> = (0..split.len() as u32).collect();
    let augmented = Augmented {
        augment,
        split,
        members: &all,
        seed,
        epoch: 1,
    };
    let mut scratch = Scratch::default();
    let mut pixels = vec![0; split.images().image_len()];
    let mut changed = |&index: &u32| {
        let target = augmented.image(index, &mut scratch, &mut pixels);
        let (own, other) = (name(target.label), name(target.other));
        let part = (100.0 * target.weight).round();
        Sample {
            picture: as_picture(&pixels, shape),
            label: match target.label == target.other || part == 100.0 {
                true => own.to_owned(),
                false => format!("{part}% {own}, {other}"),
            },
        }
    };
    chosen.iter().map(&mut changed).collect()
}

/// The first image of each class, then the second of each, and so on.
fn in_turn(labels: &[u8], classes: usize, count: usize) -> Vec<u32> {
    let mut seen = vec![0_usize; classes];
    let mut order: Vec<(usize, u8, u32)> = (0..)
        .zip(labels)
        .map(|(index, &label)| {
            let turn = seen[usize::from(label)];
            seen[usize::from(label)] += 1;
            (turn, label, index)
        })
        .collect();
    order.sort_unstable();
    order.truncate(count);
    order.into_iter().map(|(_, _, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_take_turns_as_long_as_they_last() {
        let labels = [1, 1, 1, 0, 2, 0];
        assert_eq!(in_turn(&labels, 3, 10), [3, 0, 4, 5, 1, 2]);
        assert_eq!(in_turn(&labels, 3, 2), [3, 0]);
    }
}
