//! What a dataset looks like: counts, mean and standard deviation, samples.

mod grid;
mod samples;

pub use grid::{GridError, png, strips};
pub use samples::{Sample, samples};

use std::fmt;

use dataset::{Normalization, Part, Split};
use runtime::text::{padded, widest};
use serde::Serialize;

use crate::plan::DatasetPlan;

/// A dataset in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overview {
    /// Its name.
    pub dataset: String,
    /// Channels, height and width of an image.
    pub shape: [usize; 3],
    /// Training images.
    pub train: usize,
    /// Test images.
    pub test: usize,
    /// The classes, by label.
    pub classes: Vec<ClassCount>,
    /// Mean of each channel of the training images, on the scale 0 to 1.
    pub mean: Vec<f32>,
    /// Their standard deviation, same scale.
    pub std: Vec<f32>,
}

/// How many images a class has.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassCount {
    /// Its name.
    pub class: String,
    /// Training images.
    pub train: usize,
    /// Test images.
    pub test: usize,
}

/// Both parts of a dataset.
#[derive(Debug)]
pub struct Loaded {
    /// The training images.
    pub train: Split,
    /// The test images.
    pub test: Split,
}

impl Loaded {
    /// Reads both parts, fetched if they are not there.
    ///
    /// # Errors
    ///
    /// When they cannot be fetched or read.
    pub fn of(plan: &DatasetPlan) -> Result<Self, dataset::Error> {
        plan.fetch()?;
        Ok(Self {
            train: plan.load(Part::Train)?,
            test: plan.load(Part::Test)?,
        })
    }

    /// The images of `part`.
    pub fn part(&self, part: Part) -> &Split {
        match part {
            Part::Train => &self.train,
            Part::Test => &self.test,
        }
    }

    /// The numbers.
    pub fn overview(&self, plan: &DatasetPlan) -> Overview {
        let (train, test) = (counts(&self.train), counts(&self.test));
        let classes = plan.classes.iter().enumerate();
        let normalization = Normalization::of(self.train.images());
        Overview {
            dataset: plan.name.clone(),
            shape: plan.image_shape,
            train: self.train.len(),
            test: self.test.len(),
            classes: classes
                .map(|(label, class)| ClassCount {
                    class: class.clone(),
                    train: train[label],
                    test: test[label],
                })
                .collect(),
            mean: normalization.mean().to_vec(),
            std: normalization.std().to_vec(),
        }
    }
}

/// Images of each label.
fn counts(split: &Split) -> [usize; 256] {
    let mut counts = [0; 256];
    for &label in split.labels() {
        counts[usize::from(label)] += 1;
    }
    counts
}

/// The channels' names.
fn channels(count: usize) -> &'static [&'static str] {
    match count {
        1 => &["grey"],
        _ => &["red", "green", "blue"],
    }
}

impl fmt::Display for Overview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [channels_, height, width] = self.shape;
        writeln!(
            f,
            "{}: {} train and {} test images of {channels_}×{height}×{width}\n",
            self.dataset, self.train, self.test
        )?;
        let names = self.classes.iter().map(|class| class.class.as_str());
        let column = widest(names.chain(["channel"]));
        writeln!(f, "{:column$}  {:>7}  {:>7}", "class", "train", "test")?;
        for ClassCount { class, train, test } in &self.classes {
            let class = padded(class, column);
            writeln!(f, "{class}  {train:>7}  {test:>7}")?;
        }
        writeln!(f, "\n{:column$}  {:>7}  {:>7}", "channel", "mean", "std")?;
        let moments = self.mean.iter().zip(&self.std);
        for (channel, (mean, std)) in channels(self.mean.len()).iter().zip(moments) {
            writeln!(f, "{channel:column$}  {mean:>7.4}  {std:>7.4}")?;
        }
        Ok(())
    }
}
