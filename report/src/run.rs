//! What a report shows of a run.

use dataset::Images;

use crate::Error;

/// A run: how a network was trained, and what came of it.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// The heading, such as the name of the folder of results.
    pub title: String,
    /// The network, by name.
    pub model: String,
    /// The dataset, by name.
    pub dataset: String,
    /// Trainable parameters.
    pub parameters: usize,
    /// What was set, stage by stage.
    pub settings: Vec<Section>,
    /// What each epoch achieved; at least one.
    pub history: Vec<Epoch>,
    /// The epoch whose weights were exported, counted from 1.
    pub exported_epoch: usize,
    /// How well the exported network does.
    pub evaluation: Evaluation<'a>,
    /// Images that were trained on.
    pub samples: Vec<Sample<'a>>,
    /// The exported network.
    pub graph: Graph,
    /// How far the exported network differs from the trained one, if that was
    /// measured.
    pub verification: Option<Verification>,
    /// What it took.
    pub times: Times,
    /// Versions of the software, and digests of the files.
    pub sources: Vec<Section>,
}

/// Names and values under a heading.
#[derive(Clone, Debug)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// Name and value of each line.
    pub lines: Vec<(String, String)>,
}

/// What one epoch achieved.
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean cross-entropy over the epoch's training images, in nats.
    pub train_loss: f64,
    /// Training accuracy while the epoch ran, 0 to 1.
    pub train_accuracy: f64,
    /// Mean cross-entropy over the validation images after the epoch, in nats.
    pub validation_loss: f64,
    /// Validation accuracy after the epoch, 0 to 1.
    pub validation_accuracy: f64,
    /// Learning rate of the epoch's last step.
    pub learning_rate: f64,
}

/// How well the exported network does on labelled images.
#[derive(Clone, Debug)]
pub struct Evaluation<'a> {
    /// What ran it, such as `CPU`.
    pub provider: String,
    /// The part of the images whose class was found, 0 to 1.
    pub accuracy: f64,
    /// The mean cross-entropy, in nats.
    pub loss: f64,
    /// The measures of each class, in the order of the labels.
    pub classes: Vec<ClassMeasures>,
    /// Counts by true class (row) and predicted class (column).
    pub confusion: Vec<Vec<u64>>,
    /// The images.
    pub images: &'a Images,
    /// The true class of each image, \[n\].
    pub labels: &'a [u8],
    /// The probability of each class for each image, row-major \[n, classes\].
    pub probabilities: Vec<f32>,
}

/// The measures of one class, 0 to 1; none where there is nothing to divide by.
#[derive(Clone, Debug)]
pub struct ClassMeasures {
    /// The class.
    pub name: String,
    /// Of the images taken for this class, the part that is.
    pub precision: Option<f64>,
    /// Of the images of this class, the part that was found.
    pub recall: Option<f64>,
    /// The harmonic mean of both.
    pub f1: Option<f64>,
    /// The images of this class.
    pub support: u64,
}

/// A labelled image.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// [channels, height, width].
    pub shape: [usize; 3],
    /// As many as the shape says, row-major.
    pub pixels: &'a [u8],
    /// Its class.
    pub label: u8,
}

/// The exported network.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// Inputs, operations and outputs, each after those that it takes from.
    pub nodes: Vec<Node>,
    /// What flows from node to node.
    pub links: Vec<Link>,
    /// What is known of the whole: the file, its operator set and so on.
    pub facts: Vec<(String, String)>,
}

/// A box of the graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The operator, or what it is: `Conv`, `input`.
    pub op: String,
    /// Its name, which may be empty.
    pub name: String,
    /// What it holds or gives: shapes of weights and results, a line each.
    pub shapes: Vec<String>,
}

/// Data that flows from one node to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// Position of the node that gives it.
    pub from: usize,
    /// Position of the node that takes it; a later one.
    pub to: usize,
}

/// How far the exported network differs from the trained one, where both give
/// every image the same class.
#[derive(Clone, Copy, Debug)]
pub struct Verification {
    /// Images that both were given.
    pub images: usize,
    /// The largest difference between two logits.
    pub max_difference: f64,
    /// What was accepted.
    pub tolerance: f64,
}

/// What a run took.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// The whole training, in seconds.
    pub training_seconds: Option<f64>,
    /// Training images in a second, of each epoch.
    pub training_images_per_second: Vec<f64>,
    /// Evaluated images in a second.
    pub evaluated_images_per_second: Option<f64>,
}

impl Run<'_> {
    /// Refuses what would make no sense to draw.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let evaluation = &self.evaluation;
        let classes = evaluation.classes.len();
        let images = evaluation.images.len();
        let square = evaluation.confusion.len() == classes
            && evaluation.confusion.iter().all(|row| row.len() == classes);
        let known = |label: &u8| usize::from(*label) < classes;
        let probable = |p: &f32| (0.0..=1.0).contains(p);
        let sized = |sample: &Sample<'_>| {
            sample.shape.iter().product::<usize>() == sample.pixels.len() && known(&sample.label)
        };
        let joined = |link: &Link| link.from < link.to && link.to < self.graph.nodes.len();
        let checks = [
            (!self.history.is_empty(), "it has no epoch"),
            (images > 0 && classes > 0, "nothing was evaluated"),
            (evaluation.labels.len() == images, "labels are missing"),
            (evaluation.labels.iter().all(known), "a label is no class"),
            (
                evaluation.probabilities.len() == images * classes
                    && evaluation.probabilities.iter().all(probable),
                "the probabilities are not those of its images",
            ),
            (square, "the confusion matrix is not that of its classes"),
            (self.samples.iter().all(sized), "a sample is no image"),
            (
                self.graph.links.iter().all(joined),
                "its graph is not in order",
            ),
        ];
        match checks.into_iter().find(|(holds, _)| !holds) {
            Some((_, problem)) => Err(Error::Run(problem)),
            None => Ok(()),
        }
    }
}

impl<'a> Evaluation<'a> {
    /// Position, label and probabilities \[classes\] of each image.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (usize, usize, &[f32])> {
        let rows = self.probabilities.chunks_exact(self.classes.len());
        let labels = self.labels.iter().map(|&label| usize::from(label));
        labels
            .zip(rows)
            .enumerate()
            .map(|(image, (label, row))| (image, label, row))
    }

    /// An image by its position.
    pub(crate) fn picture(&self, image: usize) -> Sample<'a> {
        Sample {
            shape: self.images.image_shape(),
            pixels: self.images.image(image),
            label: self.labels[image],
        }
    }
}

/// Position and value of the largest probability, the first of equals.
pub(crate) fn top(probabilities: &[f32]) -> (usize, f64) {
    let better = |best: (usize, f64), (index, &p): (usize, &f32)| match f64::from(p) > best.1 {
        true => (index, f64::from(p)),
        false => best,
    };
    let entries = probabilities.iter().enumerate();
    entries.fold((0, f64::NEG_INFINITY), better)
}
