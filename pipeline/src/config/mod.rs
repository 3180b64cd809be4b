//! pipeline.yaml as typed: what is written, before references are resolved.

mod document;
mod images;
mod matrix;
mod model;
mod overrides;
mod problem;
mod schema;
mod tree;

pub use document::{ConfigError, Document};
pub use images::{Color, ImagesConfig};
pub(crate) use matrix::short_names;
pub use matrix::{Combination, Matrix};
pub use model::ModelRef;
pub use overrides::{Override, OverrideError};
pub use problem::suggestion;
pub use schema::schema;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use dataset::Normalization;
use dataset::augment::Augment;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_saphyr::{Location, Spanned};
use trainer::{
    Checkpointing, DeviceName, EarlyStopping, Optimizer, Schedule, Settings, Validation,
};

/// A pipeline: its stages by name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder of the results; paths are relative to where `pipeline` runs.
    pub output: PathBuf,
    /// Settings to vary, each with its values: `fit.seed: [1, 2, 3]`. Every
    /// combination is a run of its own, in a folder under `output`.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, Vec<serde_json::Value>>")]
    pub matrix: Matrix,
    /// The stages by name, in any order.
    #[serde(deserialize_with = "at_least_one")]
    #[schemars(with = "IndexMap<String, StageConfig>")]
    pub stages: IndexMap<String, Spanned<StageConfig>>,
}

fn at_least_one<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<IndexMap<String, Spanned<StageConfig>>, D::Error> {
    let stages = IndexMap::deserialize(deserializer)?;
    match stages.is_empty() {
        true => Err(D::Error::custom("there are no stages")),
        false => Ok(stages),
    }
}

/// One stage; the key is its kind.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", remote = "Self")]
#[schemars(remote = "StageConfig")]
pub enum StageConfig {
    /// Brings a dataset.
    Dataset(DatasetConfig),
    /// Trains a network.
    Train(Box<TrainConfig>),
    /// Exports the trained network as ONNX.
    Export(ExportConfig),
    /// Proves that the ONNX answers as the trained network does, both on the CPU.
    Verify(VerifyConfig),
    /// Evaluates the ONNX on the test images.
    Eval(EvalConfig),
    /// Writes what was done, and came of it, as an HTML page.
    Report(ReportConfig),
}

models::named!(StageConfig, "a stage", deserialize);

impl Config {
    /// Positions of the proofs of what the report's evaluation evaluates.
    pub(crate) fn proofs(&self, report: &ReportConfig) -> Vec<usize> {
        let model = |stage: &Spanned<StageConfig>| match &stage.value {
            StageConfig::Eval(eval) => Some(eval.model.value.clone()),
            _ => None,
        };
        let Some(evaluated) = self.stages.get(&report.eval.value).and_then(model) else {
            return Vec::new();
        };
        let proves = |stage: &Spanned<StageConfig>| match &stage.value {
            StageConfig::Verify(verify) => verify.model.value == evaluated,
            _ => false,
        };
        let stages = self.stages.values().enumerate();
        stages
            .filter(|(_, stage)| proves(stage))
            .map(|(index, _)| index)
            .collect()
    }
}

impl StageConfig {
    /// The stages that it refers to.
    pub fn references(&self) -> Vec<&Spanned<String>> {
        let (references, after): (Vec<_>, _) = match self {
            Self::Dataset(stage) => (vec![], &stage.after),
            Self::Train(stage) => (vec![&stage.dataset], &stage.after),
            Self::Export(stage) => (vec![&stage.train], &stage.after),
            Self::Verify(stage) => (
                [&stage.model].into_iter().chain(&stage.dataset).collect(),
                &stage.after,
            ),
            Self::Eval(stage) => (
                [&stage.model].into_iter().chain(&stage.dataset).collect(),
                &stage.after,
            ),
            Self::Report(stage) => (vec![&stage.eval], &stage.after),
        };
        references.into_iter().chain(after).collect()
    }
}

/// `dataset: { name: mnist }`, a folder of IDX files of your own with `name`,
/// `dir` and `classes`, or one of pictures with `name`, `dir` and `images`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetConfig {
    /// `mnist`, `fashion-mnist`, `cifar-10`, or the name of your own.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// Folder of the files; by default `data/<name>`.
    #[schemars(with = "Option<PathBuf>")]
    pub dir: Option<Spanned<PathBuf>>,
    /// Class names of your own dataset, in the order of the labels; up to 256, as
    /// a label is a byte.
    #[schemars(with = "Option<Vec<String>>")]
    pub classes: Option<Spanned<Vec<String>>>,
    /// What becomes of pictures, in a folder for each class.
    #[schemars(with = "Option<ImagesConfig>")]
    pub images: Option<Spanned<ImagesConfig>>,
    /// Stages that must have run before.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub after: Vec<Spanned<String>>,
}

/// `train:` what, on what, and how.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// A dataset stage.
    #[schemars(with = "String")]
    pub dataset: Spanned<String>,
    /// The network.
    #[schemars(with = "ModelRef")]
    pub model: Spanned<ModelRef>,
    /// What the network sees of a pixel; by default `mean_std`.
    #[schemars(with = "Option<Normalize>")]
    pub normalize: Option<Spanned<Normalize>>,
    /// Where to train: `auto` takes the first GPU that is compiled in and found,
    /// else the CPU.
    #[serde(default)]
    pub device: DeviceName,
    /// Passes over the training images; by default 10. 0 takes the weights of
    /// `init` as they are.
    #[schemars(with = "Option<usize>")]
    pub epochs: Option<Spanned<usize>>,
    /// Images per step; by default 64.
    #[schemars(with = "Option<usize>")]
    pub batch_size: Option<Spanned<usize>>,
    /// Seed of the initial weights, the order of the images and dropout; by
    /// default 1.
    pub seed: Option<u64>,
    /// The update rule: `sgd`, `adam` or `adamw`; by default `adam`.
    #[schemars(with = "Option<Optimizer>")]
    pub optimizer: Option<Spanned<Optimizer>>,
    /// Learning rate at its highest; by default 0.001.
    #[schemars(with = "Option<f64>")]
    pub learning_rate: Option<Spanned<f64>>,
    /// How the learning rate changes: `constant`, `step` or `cosine`; by default
    /// it does not.
    #[schemars(with = "Option<Schedule>")]
    pub schedule: Option<Spanned<Schedule>>,
    /// Epochs over which the learning rate rises linearly at the start; by default
    /// 0.
    #[schemars(with = "Option<f64>")]
    pub warmup_epochs: Option<Spanned<f64>>,
    /// Part of the target spread evenly over the classes in the training loss, in
    /// [0, 1); by default 0.
    #[schemars(with = "Option<f64>")]
    pub label_smoothing: Option<Spanned<f64>>,
    /// Random changes of the training images; by default none.
    #[schemars(with = "Option<Augment>")]
    pub augment: Option<Spanned<Augment>>,
    /// Images to validate on: `hold_out: 5000` of the training images, or `test`;
    /// by default 5,000, or a tenth of the training images where that is less.
    #[schemars(with = "Option<Validation>")]
    pub validation: Option<Spanned<Validation>>,
    /// When to stop before the last epoch; by default never.
    #[schemars(with = "Option<EarlyStopping>")]
    pub early_stopping: Option<Spanned<EarlyStopping>>,
    /// Weights to begin with: a `state_dict` saved by PyTorch (`.pth`), or
    /// `.safetensors`.
    #[schemars(with = "Option<PathBuf>")]
    pub init: Option<Spanned<PathBuf>>,
    /// Print a line every so many batches; by default none.
    #[schemars(with = "Option<usize>")]
    pub log_every: Option<Spanned<usize>>,
    /// When to save where the training stands; by default every 30 seconds.
    #[schemars(with = "Option<Checkpointing>")]
    pub checkpoint: Option<Spanned<Checkpointing>>,
    /// Stages that must have run before.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub after: Vec<Spanned<String>>,
}

impl TrainConfig {
    /// The trainer's settings: as written, else the default, for so many
    /// training images where that is known.
    pub fn settings(&self, images: Option<usize>) -> Settings {
        let default = Settings::default();
        Settings {
            device: self.device,
            epochs: value(&self.epochs, default.epochs),
            batch_size: value(&self.batch_size, default.batch_size),
            seed: self.seed.unwrap_or(default.seed),
            optimizer: value(&self.optimizer, default.optimizer),
            learning_rate: value(&self.learning_rate, default.learning_rate),
            schedule: value(&self.schedule, default.schedule),
            warmup_epochs: value(&self.warmup_epochs, default.warmup_epochs),
            label_smoothing: value(&self.label_smoothing, default.label_smoothing),
            augment: value(&self.augment, default.augment),
            validation: value(
                &self.validation,
                images.map_or(default.validation, Validation::of),
            ),
            early_stopping: self.early_stopping.as_ref().map(|stop| stop.value),
            init: self.init.as_ref().map(|init| init.value.clone()),
            log_every: self.log_every.as_ref().map(|batches| batches.value),
            checkpoint: value(&self.checkpoint, default.checkpoint),
        }
    }

    /// Where a setting is written, if it is.
    pub fn place(&self, setting: &str) -> Option<Location> {
        match setting {
            "epochs" => place(&self.epochs),
            "batch_size" => place(&self.batch_size),
            "optimizer" => place(&self.optimizer),
            "learning_rate" => place(&self.learning_rate),
            "schedule" => place(&self.schedule),
            "warmup_epochs" => place(&self.warmup_epochs),
            "label_smoothing" => place(&self.label_smoothing),
            "augment" => place(&self.augment),
            "validation" => place(&self.validation),
            "early_stopping" => place(&self.early_stopping),
            "init" => place(&self.init),
            "log_every" => place(&self.log_every),
            "checkpoint" => place(&self.checkpoint),
            _ => None,
        }
    }
}

fn value<T: Copy>(setting: &Option<Spanned<T>>, default: T) -> T {
    setting.as_ref().map_or(default, |setting| setting.value)
}

fn place<T>(setting: &Option<Spanned<T>>) -> Option<Location> {
    setting.as_ref().map(|setting| setting.referenced)
}

/// What the network sees of a pixel.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case", remote = "Self")]
#[schemars(remote = "Normalize")]
pub enum Normalize {
    /// (pixel / 255 - mean) / std, per channel over the training images.
    #[default]
    MeanStd,
    /// pixel / 255, in [0, 1].
    Unit,
    /// (pixel / 255 - mean) / std with these numbers, one of each per channel.
    Fixed(#[schemars(with = "BTreeMap<String, Vec<f32>>")] Normalization),
}

models::named!(Normalize, "what the network sees of a pixel");

/// `export: { train: fit }`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportConfig {
    /// A train stage.
    #[schemars(with = "String")]
    pub train: Spanned<String>,
    /// Which weights.
    #[serde(default)]
    pub weights: Weights,
    /// The .onnx; by default `<output>/model.onnx`.
    pub file: Option<PathBuf>,
    /// ONNX operator set; by default 18.
    #[schemars(with = "Option<u8>")]
    pub opset: Option<Spanned<u8>>,
    /// Whether `probabilities` are an output beside `logits`.
    #[serde(default)]
    pub probabilities: bool,
    /// Stages that must have run before.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub after: Vec<Spanned<String>>,
}

/// Which of a training's weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// Of the epoch that did best on the validation images.
    #[default]
    Best,
    /// After the last epoch.
    Last,
}

/// `verify: { model: onnx }`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyConfig {
    /// An export stage.
    #[schemars(with = "String")]
    pub model: Spanned<String>,
    /// A dataset stage; by default the one that the network was trained on.
    #[schemars(with = "Option<String>")]
    pub dataset: Option<Spanned<String>>,
    /// Largest difference between two logits that is accepted; by default
    /// 1e-4.
    #[schemars(with = "Option<f64>")]
    pub tolerance: Option<Spanned<f64>>,
    /// Number of test images; by default all.
    pub images: Option<NonZeroUsize>,
    /// Stages that must have run before.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub after: Vec<Spanned<String>>,
}

/// Of `verify`: rounding errors of a few layers stay well below it.
pub const TOLERANCE: f64 = 1e-4;

/// `eval: { model: onnx }`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvalConfig {
    /// An export stage.
    #[schemars(with = "String")]
    pub model: Spanned<String>,
    /// A dataset stage; by default the one that the network was trained on.
    #[schemars(with = "Option<String>")]
    pub dataset: Option<Spanned<String>>,
    /// ONNX Runtime's execution provider.
    #[serde(default)]
    pub provider: ProviderName,
    /// Images in a batch.
    #[serde(default = "batch")]
    pub batch: NonZeroUsize,
    /// Threads within one operation; by default as ONNX Runtime chooses.
    pub threads: Option<NonZeroUsize>,
    /// Stages that must have run before.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub after: Vec<Spanned<String>>,
}

/// `report: { eval: score }`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportConfig {
    /// An eval stage; what it evaluated is reported from the images on.
    #[schemars(with = "String")]
    pub eval: Spanned<String>,
    /// Stages that must have run before.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub after: Vec<Spanned<String>>,
}

fn batch() -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(255)
}

/// ONNX Runtime's execution provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderName {
    /// CUDA where it runs, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// An Nvidia GPU, or an error.
    Cuda,
}

impl From<ProviderName> for runtime::Provider {
    fn from(name: ProviderName) -> Self {
        match name {
            ProviderName::Auto => Self::Auto,
            ProviderName::Cpu => Self::Cpu,
            ProviderName::Cuda => Self::Cuda,
        }
    }
}
