//! What holds for every image, whatever is drawn.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::Images;

/// Four images of 3 × 5 × 7 without black, so that what comes from outside is
/// seen.
fn split(channels: usize) -> Split {
    let length = channels * 5 * 7;
    let pixels = (0..4 * length).map(|i| (1 + i * 37 % 255) as u8).collect();
    let images = Images::new(pixels, [4, channels, 5, 7]).unwrap();
    Split::new(images, vec![3, 1, 4, 2]).unwrap()
}

fn augmented(augment: &Augment, split: &Split, epoch: u64, index: u32) -> (Vec<u8>, Target) {
    let augmented = Augmented {
        augment,
        split,
        members: &[0, 1, 2, 3],
        seed: 7,
        epoch,
    };
    let mut out = vec![0; split.images().image_len()];
    let target = augmented.image(index, &mut Scratch::default(), &mut out);
    (out, target)
}

/// Everything at once.
fn everything() -> Augment {
    Augment {
        rotate: 30.0,
        translate: 0.2,
        scale: [0.8, 1.2],
        shear: 10.0,
        crop: 1,
        flip: Flip {
            horizontal: 0.5,
            vertical: 0.5,
        },
        elastic: Some(Elastic {
            alpha: 10.0,
            sigma: 2.0,
        }),
        erase: Some(Erase::default()),
        mixup: Some(Mix { alpha: 1.0 }),
        cutmix: Some(Mix { alpha: 1.0 }),
    }
}

#[test]
fn everything_is_possible_and_nothing_is_the_default() {
    everything().check().unwrap();
    assert!(Augment::default().is_identity() && !everything().is_identity());
}

#[test]
fn ranges_that_are_impossible_are_named() {
    let refused = |change: fn(&mut Augment)| {
        let mut augment = everything();
        change(&mut augment);
        augment.check().unwrap_err().setting
    };
    assert_eq!(refused(|a| a.rotate = 181.0), "rotate");
    assert_eq!(refused(|a| a.rotate = f64::NAN), "rotate");
    assert_eq!(refused(|a| a.translate = -0.1), "translate");
    assert_eq!(refused(|a| a.scale = [1.2, 0.8]), "scale");
    assert_eq!(refused(|a| a.scale = [0.0, 1.0]), "scale");
    assert_eq!(refused(|a| a.shear = 90.0), "shear");
    assert_eq!(refused(|a| a.flip.vertical = 2.0), "flip.vertical");
    assert_eq!(
        refused(|a| a.elastic = Some(Elastic {
            alpha: 1.0,
            sigma: 0.0
        })),
        "elastic.sigma"
    );
    assert_eq!(
        refused(|a| a.mixup = Some(Mix { alpha: 0.0 })),
        "mixup.alpha"
    );
    assert_eq!(
        refused(|a| a.cutmix = Some(Mix { alpha: 9.0 })),
        "cutmix.alpha"
    );
}

#[test]
fn flips_are_mirrors_to_the_byte() {
    let split = split(3);
    let mut augment = Augment::default();
    augment.flip.horizontal = 1.0;
    let (out, _) = augmented(&augment, &split, 1, 2);
    let mirrored: Vec<u8> = split
        .images()
        .image(2)
        .chunks_exact(7)
        .flat_map(|row| row.iter().rev().copied())
        .collect();
    assert_eq!(out, mirrored);
    augment.flip.vertical = 1.0;
    let (out, _) = augmented(&augment, &split, 1, 2);
    let mut turned = split.images().image(2).to_vec();
    turned.chunks_exact_mut(35).for_each(<[u8]>::reverse);
    assert_eq!(out, turned);
}

#[test]
fn crop_moves_whole_pixels_and_fills_with_black() {
    let split = split(1);
    let augment = Augment {
        crop: 2,
        ..Augment::default()
    };
    let source = split.images().image(0);
    let mut shifts = Vec::new();
    for epoch in 0..200 {
        let (out, _) = augmented(&augment, &split, epoch, 0);
        let moved = |dx: i32, dy: i32| -> Vec<u8> {
            let at = |x: i32, y: i32| match (0..7).contains(&x) && (0..5).contains(&y) {
                true => source[(y * 7 + x) as usize],
                false => 0,
            };
            (0..35).map(|i| at(i % 7 - dx, i / 7 - dy)).collect()
        };
        let all = (-2..=2).flat_map(|dx| (-2..=2).map(move |dy| (dx, dy)));
        let shift = all.into_iter().find(|&(dx, dy)| moved(dx, dy) == out);
        shifts.push(shift.expect("a shift of whole pixels"));
    }
    shifts.sort_unstable();
    shifts.dedup();
    assert_eq!(shifts.len(), 25, "every shift comes");
}

#[test]
fn quarter_turn_moves_pixels_as_a_rotation_does() {
    // Where the largest angle is drawn by chance, the corner goes round; here
    // the map itself is checked, of an image that is 1 right of the centre.
    let pixels = vec![0, 0, 0, 0, 0, 255, 0, 0, 0];
    let split = Split::new(Images::new(pixels, [1, 1, 3, 3]).unwrap(), vec![0]).unwrap();
    let augment = Augment {
        rotate: 180.0,
        ..Augment::default()
    };
    let mut reached = [0_u8; 9];
    for epoch in 0..500 {
        let mut out = vec![0; 9];
        let augmented = Augmented {
            augment: &augment,
            split: &split,
            members: &[0],
            seed: 1,
            epoch,
        };
        augmented.image(0, &mut Scratch::default(), &mut out);
        assert_eq!(out[4], 0, "the centre stays where it is");
        for (most, value) in reached.iter_mut().zip(&out) {
            *most = (*most).max(*value);
        }
    }
    // Right, below, left and above of the centre.
    assert!(
        [5, 7, 3, 1].iter().all(|&place| reached[place] > 250),
        "{reached:?}"
    );
}

#[test]
fn erased_part_is_of_the_size_that_was_asked_for() {
    let pixels = vec![0; 1024];
    let split = Split::new(Images::new(pixels, [1, 1, 32, 32]).unwrap(), vec![0]).unwrap();
    let augment = Augment {
        erase: Some(Erase {
            probability: 1.0,
            area: [0.25, 0.25],
            aspect: [1.0, 1.0],
        }),
        ..Augment::default()
    };
    let mut out = vec![0; 1024];
    let augmented = Augmented {
        augment: &augment,
        split: &split,
        members: &[0],
        seed: 1,
        epoch: 1,
    };
    augmented.image(0, &mut Scratch::default(), &mut out);
    // 16 × 16, of which one in 256 is black by chance.
    let changed = out.iter().filter(|&&pixel| pixel != 0).count();
    assert!((245..=256).contains(&changed), "{changed}");
}

#[test]
fn mixed_image_is_the_weighted_mean_and_has_both_labels() {
    let split = split(3);
    let augment = Augment {
        mixup: Some(Mix { alpha: 1.0 }),
        ..Augment::default()
    };
    let partner = |label: u8| split.labels().iter().position(|&l| l == label).unwrap();
    for epoch in 0..20 {
        let (out, target) = augmented(&augment, &split, epoch, 1);
        let other = split.images().image(partner(target.other));
        for ((&found, &own), &other) in out.iter().zip(split.images().image(1)).zip(other) {
            let mean = target.weight * f32::from(own) + (1.0 - target.weight) * f32::from(other);
            assert!((f32::from(found) - mean).abs() <= 0.51);
        }
    }
}

#[test]
fn cut_image_is_of_two_and_its_weight_is_the_part_of_its_own() {
    let split = split(1);
    let augment = Augment {
        cutmix: Some(Mix { alpha: 1.0 }),
        ..Augment::default()
    };
    for epoch in 0..50 {
        let (out, target) = augmented(&augment, &split, epoch, 1);
        if target.other == target.label {
            continue;
        }
        let own = out.iter().zip(split.images().image(1));
        let kept = own.filter(|(a, b)| a == b).count();
        // Some pixels of the other may be the same by chance.
        assert!(kept as f32 / 35.0 >= target.weight - 1e-6);
        assert!(kept as f32 / 35.0 <= target.weight + 0.1);
    }
}

fn ranges() -> impl Strategy<Value = Augment> {
    (
        0.0..180.0,
        0.0..1.0,
        0.2..1.0,
        1.0..3.0,
        0.0..60.0,
        0_usize..9,
        any::<bool>(),
    )
        .prop_map(
            |(rotate, translate, low, high, shear, crop, mixes)| Augment {
                rotate,
                translate,
                scale: [low, high],
                shear,
                crop,
                mixup: mixes.then_some(Mix { alpha: 0.4 }),
                ..everything()
            },
        )
}

proptest! {
    #[test]
    fn ranges_of_nothing_leave_every_image_untouched(seed: u64, epoch: u64, index in 0_u32..4) {
        let split = split(3);
        let augment = Augment {
            erase: Some(Erase { probability: 0.0, ..Erase::default() }),
            ..Augment::default()
        };
        let augmented = Augmented { augment: &augment, split: &split, members: &[0], seed, epoch };
        let mut out = vec![0; split.images().image_len()];
        let target = augmented.image(index, &mut Scratch::default(), &mut out);
        prop_assert_eq!(&out[..], split.images().image(index as usize));
        prop_assert_eq!((target.label, target.weight), (split.labels()[index as usize], 1.0));
    }

    #[test]
    fn image_depends_on_seed_epoch_and_index_alone(
        augment in ranges(), epoch in 0_u64..5, order in Just([0_u32, 1, 2, 3]).prop_shuffle(),
    ) {
        let split = split(3);
        // One after the other with the same memory, in any order.
        let augmented_split = Augmented {
            augment: &augment, split: &split, members: &[0, 1, 2, 3], seed: 7, epoch,
        };
        let mut scratch = Scratch::default();
        for index in order {
            let mut out = vec![9; split.images().image_len()];
            let target = augmented_split.image(index, &mut scratch, &mut out);
            prop_assert_eq!((out, target), augmented(&augment, &split, epoch, index));
        }
    }

    #[test]
    fn labels_are_kept_and_weights_are_parts(augment in ranges(), epoch: u64, index in 0_u32..4) {
        let (_, target) = augmented(&augment, &split(1), epoch, index);
        prop_assert_eq!(target.label, split(1).labels()[index as usize]);
        prop_assert!((0.0..=1.0).contains(&target.weight));
    }
}
