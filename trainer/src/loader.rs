//! Batches of `u8` images, gathered and normalised as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Int, Tensor, TensorData};
use dataset::augment::{Augment, Augmented, Scratch, Target};
use dataset::{Normalization, Split};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// The images of one step.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Normalised pixels, `[batch, channels, height, width]`.
    pub images: Tensor<4>,
    /// Class numbers, `[batch]`.
    pub targets: Tensor<1, Int>,
    /// What the images are mixed with, where they are.
    pub mixed: Option<Mixed>,
}

/// The other images in a batch of mixed ones.
#[derive(Clone, Debug)]
pub struct Mixed {
    /// Their class numbers, `[batch]`.
    pub others: Tensor<1, Int>,
    /// The part of each image that is its own, in [0, 1], `[batch]`.
    pub weights: Tensor<1>,
}

/// Some images of a split, in batches; a loader for Burn.
#[derive(Clone)]
pub struct Batches {
    split: Arc<Split>,
    normalization: Normalization,
    /// Which images, in the split's order.
    members: Arc<[u32]>,
    batch_size: usize,
    /// Seed of the order; without one, images come as they are.
    shuffle: Option<u64>,
    /// How images are changed, and the seed of that.
    augment: Option<(Augment, u64)>,
    epoch: Arc<AtomicUsize>,
    device: Device,
}

impl Batches {
    /// The images `members` of `split`, in that order.
    ///
    /// `normalization` must have as many channels as the images.
    pub fn new(
        split: Arc<Split>,
        members: Vec<u32>,
        normalization: Normalization,
        batch_size: usize,
        device: Device,
    ) -> Self {
        Self {
            split,
            normalization,
            members: members.into(),
            batch_size: batch_size.max(1),
            shuffle: None,
            augment: None,
            epoch: Arc::new(AtomicUsize::new(1)),
            device,
        }
    }

    /// In another order every epoch, which depends on `seed` and the epoch
    /// alone.
    pub fn shuffled(self, seed: u64) -> Self {
        Self {
            shuffle: Some(seed),
            ..self
        }
    }

    /// The same batches on another device.
    pub(crate) fn on(&self, device: &Device) -> Self {
        Self {
            device: device.clone(),
            ..self.clone()
        }
    }

    /// With the images as they are.
    pub(crate) fn plain(&self) -> Self {
        Self {
            augment: None,
            ..self.clone()
        }
    }

    /// With each image changed in its own way every epoch, which depends on
    /// `seed`, the epoch and the image alone.
    pub fn augmented(self, augment: Augment, seed: u64) -> Self {
        Self {
            augment: (!augment.is_identity()).then_some((augment, seed)),
            ..self
        }
    }

    /// Sets the epoch whose order the next iteration takes, counted from 1.
    pub fn set_epoch(&self, epoch: usize) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }

    /// Number of batches in an epoch; the last may be smaller.
    pub fn steps(&self) -> usize {
        self.members.len().div_ceil(self.batch_size)
    }

    /// The batches of an epoch, counted from 1, without the first `done`.
    pub(crate) fn pass(&self, epoch: usize, done: usize) -> Pass<'_> {
        let mut order = self.members.to_vec();
        if let Some(seed) = self.shuffle {
            order.shuffle(&mut generator(seed, epoch as u64));
        }
        Pass {
            done: (done * self.batch_size).min(order.len()),
            batches: self,
            epoch,
            order,
        }
    }

    fn batch(&self, members: &[u32], epoch: usize) -> Batch {
        let (pixels, targets) = match &self.augment {
            None => self.gather(members),
            Some((augment, seed)) => self.change(members, augment, *seed, epoch),
        };
        let [channels, height, width] = self.split.images().image_shape();
        let shape = [members.len(), channels, height, width];
        let mut normalized = vec![0.0; pixels.len()];
        self.normalization.apply(shape, &pixels, &mut normalized);
        Batch {
            images: Tensor::from_data(TensorData::new(normalized, shape), &self.device),
            targets: self.classes(&targets, |target| target.label),
            mixed: self.mixes().then(|| Mixed {
                others: self.classes(&targets, |target| target.other),
                weights: self.weights(&targets),
            }),
        }
    }

    /// The images as they are.
    fn gather(&self, members: &[u32]) -> (Vec<u8>, Vec<Target>) {
        let images = self.split.images();
        let mut pixels = Vec::with_capacity(members.len() * images.image_len());
        for &member in members {
            pixels.extend_from_slice(images.image(member as usize));
        }
        let target = |&member: &u32| {
            let label = self.split.labels()[member as usize];
            Target {
                label,
                other: label,
                weight: 1.0,
            }
        };
        (pixels, members.iter().map(target).collect())
    }

    /// The images as they are in `epoch`.
    fn change(
        &self,
        members: &[u32],
        augment: &Augment,
        seed: u64,
        epoch: usize,
    ) -> (Vec<u8>, Vec<Target>) {
        let augmented = Augmented {
            augment,
            split: &self.split,
            members: &self.members,
            seed,
            epoch: epoch as u64,
        };
        let length = self.split.images().image_len();
        let mut pixels = vec![0; members.len() * length];
        let targets = pixels
            .par_chunks_exact_mut(length)
            .zip(members)
            .map_init(Scratch::default, |scratch, (out, &member)| {
                augmented.image(member, scratch, out)
            })
            .collect();
        (pixels, targets)
    }

    fn mixes(&self) -> bool {
        self.augment.is_some_and(|(augment, _)| augment.mixes())
    }

    fn classes(&self, targets: &[Target], class: impl Fn(&Target) -> u8) -> Tensor<1, Int> {
        let classes: Vec<i64> = targets.iter().map(|t| i64::from(class(t))).collect();
        Tensor::from_data(TensorData::new(classes, [targets.len()]), &self.device)
    }

    fn weights(&self, targets: &[Target]) -> Tensor<1> {
        let weights: Vec<f32> = targets.iter().map(|target| target.weight).collect();
        Tensor::from_data(TensorData::new(weights, [targets.len()]), &self.device)
    }
}

/// Splits the images 0..`images` into those to train on and `held_out` others,
/// both in ascending order, by the seed alone.
pub(crate) fn hold_out(images: usize, held_out: usize, seed: u64) -> (Vec<u32>, Vec<u32>) {
    let mut order: Vec<u32> = (0..images as u32).collect();
    // Stream 0; the epochs have streams 1, 2, …
    order.shuffle(&mut generator(seed, 0));
    let (validation, train) = order.split_at(held_out);
    let sorted = |members: &[u32]| {
        let mut members = members.to_vec();
        members.sort_unstable();
        members
    };
    (sorted(train), sorted(validation))
}

/// ChaCha with 8 rounds, one stream per epoch.
fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(stream);
    generator
}

/// What a pass gives.
pub(crate) type NextBatch = Result<Batch, DatasetError>;

/// One pass over the batches.
pub(crate) struct Pass<'a> {
    batches: &'a Batches,
    epoch: usize,
    order: Vec<u32>,
    /// Images that are done.
    done: usize,
}

impl Iterator for Pass<'_> {
    type Item = NextBatch;

    fn next(&mut self) -> Option<Self::Item> {
        let end = (self.done + self.batches.batch_size).min(self.order.len());
        let members = &self.order[self.done..end];
        if members.is_empty() {
            return None;
        }
        let batch = self.batches.batch(members, self.epoch);
        self.done = end;
        Some(Ok(batch))
    }
}

impl DataLoaderIterator<Batch> for Pass<'_> {
    fn progress(&self) -> Progress {
        Progress::new(self.done, self.order.len(), Some("images".to_owned()))
    }
}

impl DataLoader<Batch> for Batches {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        Box::new(self.pass(self.epoch.load(Ordering::Relaxed), 0))
    }

    fn num_items(&self) -> usize {
        self.members.len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(self.on(device))
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(Self {
            members: self.members[start..end].into(),
            ..self.clone()
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use dataset::Images;

    use super::*;

    /// Ten images of one pixel, whose value and label are their number.
    fn batches(batch_size: usize) -> Batches {
        let numbers: Vec<u8> = (0..10).collect();
        let images = Images::new(numbers.clone(), [10, 1, 1, 1]).unwrap();
        let split = Split::new(images, numbers).unwrap();
        let members = (0..10).collect();
        Batches::new(
            Arc::new(split),
            members,
            Normalization::unit(1),
            batch_size,
            Device::flex(),
        )
    }

    /// Labels of one pass, batch by batch.
    fn labels(batches: &Batches) -> Vec<Vec<i64>> {
        let label =
            |batch: Batch| -> Vec<i64> { batch.targets.into_data().iter::<i64>().collect() };
        batches.iter().map(|batch| label(batch.unwrap())).collect()
    }

    #[test]
    fn hold_out_splits_the_images_in_two_by_the_seed_alone() {
        let (train, validation) = hold_out(1000, 300, 7);
        assert_eq!((train.len(), validation.len()), (700, 300));
        let mut all = [train.clone(), validation.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        assert!(train.is_sorted() && validation.is_sorted());
        assert_eq!(hold_out(1000, 300, 7), (train, validation.clone()));
        assert_ne!(hold_out(1000, 300, 8).1, validation);
    }

    #[test]
    fn order_depends_on_the_seed_and_the_epoch_alone() {
        let shuffled = |seed, epoch| {
            let batches = batches(10).shuffled(seed);
            batches.set_epoch(epoch);
            labels(&batches)
        };
        let batches = batches(10).shuffled(1);
        for epoch in [3, 1, 2, 3] {
            batches.set_epoch(epoch);
            assert_eq!(labels(&batches), shuffled(1, epoch));
            assert_eq!(labels(&batches), shuffled(1, epoch), "a second pass");
        }
        assert_ne!(shuffled(1, 1), shuffled(1, 2));
        assert_ne!(shuffled(1, 1), shuffled(2, 1));
    }

    #[test]
    fn every_image_comes_once_with_its_label_and_normalised() {
        let batches = batches(4).shuffled(3);
        assert_eq!(batches.steps(), 3);
        let mut seen = Vec::new();
        let mut sizes = Vec::new();
        for batch in batches.iter() {
            let batch = batch.unwrap();
            let pixels = batch.images.into_data().try_to_vec::<f32>().unwrap();
            let targets: Vec<i64> = batch.targets.into_data().iter::<i64>().collect();
            let expected: Vec<f32> = targets.iter().map(|label| *label as f32 / 255.0).collect();
            assert_eq!(pixels, expected);
            sizes.push(targets.len());
            seen.extend(targets);
        }
        assert_eq!(sizes, [4, 4, 2]);
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }

    /// Images and weights of all batches of epoch 2.
    fn augmented(batch_size: usize, threads: usize) -> (Vec<f32>, Vec<f32>) {
        let augment = Augment {
            mixup: Some(dataset::augment::Mix { alpha: 1.0 }),
            erase: Some(Default::default()),
            ..Augment::default()
        };
        let batches = batches(batch_size).augmented(augment, 5);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let (mut pixels, mut weights) = (Vec::new(), Vec::new());
            for batch in batches.pass(2, 0) {
                let batch = batch.unwrap();
                let mixed = batch.mixed.unwrap();
                pixels.extend(batch.images.into_data().try_to_vec::<f32>().unwrap());
                weights.extend(mixed.weights.into_data().try_to_vec::<f32>().unwrap());
            }
            (pixels, weights)
        })
    }

    #[test]
    fn augmented_images_depend_neither_on_threads_nor_on_batches() {
        let (pixels, weights) = augmented(10, 1);
        assert!(weights.iter().any(|weight| *weight != 1.0));
        for (batch_size, threads) in [(10, 2), (3, 1), (4, 3)] {
            assert_eq!(
                augmented(batch_size, threads),
                (pixels.clone(), weights.clone())
            );
        }
    }

    #[test]
    fn pass_that_begins_later_has_the_same_images() {
        let mut augment = Augment::default();
        augment.flip.horizontal = 0.5;
        augment.erase = Some(Default::default());
        let batches = batches(3).shuffled(1).augmented(augment, 1);
        let pixels = |done| -> Vec<Vec<f32>> {
            batches
                .pass(4, done)
                .map(|batch| batch.unwrap().images.into_data().try_to_vec().unwrap())
                .collect()
        };
        assert_eq!(pixels(2), pixels(0)[2..]);
    }

    #[test]
    fn without_shuffling_images_come_as_they_are() {
        let order = labels(&batches(6));
        assert_eq!(order, [vec![0, 1, 2, 3, 4, 5], vec![6, 7, 8, 9]]);
    }
}
