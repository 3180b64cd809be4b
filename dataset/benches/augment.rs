//! What one augmented image of MNIST's size costs on one thread.
//!
//!     cargo bench -p dataset
#![allow(missing_docs)]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use dataset::augment::{Augment, Augmented, Elastic, Erase, Mix, Scratch};
use dataset::{Part, load_split};

fn augment(criterion: &mut Criterion) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mnist");
    let split = load_split(&folder, Part::Train, 10).expect("the fixture is there");
    let affine = Augment {
        rotate: 10.0,
        translate: 0.1,
        scale: [0.9, 1.1],
        shear: 5.0,
        ..Augment::default()
    };
    let elastic = Augment {
        elastic: Some(Elastic::default()),
        ..affine
    };
    let everything = Augment {
        erase: Some(Erase::default()),
        mixup: Some(Mix { alpha: 0.4 }),
        ..elastic
    };
    let members: Vec<u32> = (0..600).collect();
    let mut scratch = Scratch::default();
    let mut out = vec![0; 784];
    for (name, augment) in [
        ("affine", &affine),
        ("affine + elastic", &elastic),
        ("affine + elastic + erase + mixup", &everything),
    ] {
        let augmented = Augmented {
            augment,
            split: &split,
            members: &members,
            seed: 1,
            epoch: 1,
        };
        let mut index = 0;
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                index = (index + 1) % 600;
                black_box(augmented.image(index, &mut scratch, &mut out))
            });
        });
    }
}

criterion_group!(benches, augment);
criterion_main!(benches);
