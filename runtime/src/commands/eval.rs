//! `runtime eval`: how well a model does on the test images of its dataset.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::ValueEnum;
use dataset::{
    DatasetName, Fit, ImageFolder, ImageFolderOptions, Normalization, Part, Split, TestSplit,
    cifar10,
};
use onnx::proto::ModelProto;
use output::message;
use runtime::cli::count;
use runtime::text::{padded, widest};
use runtime::{
    Evaluation, MetadataError, ModelMetadata, Provider, Session, SessionOptions, Sources, evaluate,
    library,
};
use serde::Serialize;

/// Evaluate a model on the test images of its dataset
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,
    /// What runs the model; `auto` is CUDA where it runs, else the CPU
    #[arg(long, value_enum, default_value_t = Choice::Auto)]
    provider: Choice,
    /// Images in a batch
    #[arg(long, value_name = "N", value_parser = count, default_value = "256")]
    batch: NonZeroUsize,
    /// Folder of the dataset, fetched into it if it is not there but the folder is [default: data/NAME, made if need be]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Dataset (mnist, fashion-mnist, cifar-10), for models that do not name theirs or to use another
    #[arg(long, value_name = "NAME")]
    dataset: Option<DatasetName>,
    /// How pixels become numbers, for models that do not tell [default: mean-std]
    #[arg(long, value_enum)]
    normalize: Option<Normalize>,
    /// Threads within one operation; more than there are processors count as those [default: as ONNX Runtime chooses]
    #[arg(long, value_name = "N", value_parser = count)]
    threads: Option<NonZeroUsize>,
    /// ONNX Runtime's library [default: searched for, else fetched once]
    #[arg(long, value_name = "PATH")]
    ort_lib: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// CUDA where it runs, else the CPU
    Auto,
    /// The CPU
    Cpu,
    /// An NVIDIA GPU, or an error
    Cuda,
}

impl From<Choice> for Provider {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Auto => Self::Auto,
            Choice::Cpu => Self::Cpu,
            Choice::Cuda => Self::Cuda,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Normalize {
    /// To 0..1: pixel / 255
    Unit,
    /// (pixel / 255 - mean) / std of the dataset's training images
    MeanStd,
}

/// A command that lacks something only the user can say.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The model does not say what it was made for, and neither did the user.
    #[error("`{}` does not say which dataset it is for", model.display())]
    NoDataset {
        model: PathBuf,
        source: MetadataError,
    },
    /// The model answers with other classes than the dataset has.
    #[error(
        "the model's classes are not those of {dataset}:{}",
        side_by_side(model, classes)
    )]
    Classes {
        model: Vec<String>,
        dataset: DatasetName,
        classes: Vec<String>,
    },
    /// The dataset has no name that can be fetched.
    #[error("the model's dataset `{name}` is none that can be fetched")]
    UnknownDataset { name: String },
    /// The folders of the pictures are other classes than the model's.
    #[error(
        "{} has the classes {}, but the model was made for {}",
        folder.display(), found.join(", "), expected.join(", ")
    )]
    OtherClasses {
        folder: PathBuf,
        found: Vec<String>,
        expected: Vec<String>,
    },
}

impl Refusal {
    pub(crate) fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::NoDataset { .. } => {
                    "say it with `--dataset mnist` or `--dataset fashion-mnist`, and with \
                 `--normalize unit` or `--normalize mean-std` how its pixels become numbers"
                }
                Self::Classes { .. } => {
                    "leave `--dataset` out to evaluate the model on the dataset it was made for"
                }
                Self::UnknownDataset { .. } => "say with `--data DIR` where it is",
                Self::OtherClasses { .. } => "name the folders as the model names its classes",
            }
            .to_owned(),
        )
    }
}

/// The model's classes and the dataset's, a line for each number.
fn side_by_side(model: &[String], dataset: &[String]) -> String {
    let width = widest(model.iter().map(String::as_str).chain(["model"]));
    let class = |classes: &[String], number| {
        let class = classes.get(number).map_or("–", String::as_str);
        class.to_owned()
    };
    let mut text = format!("\n  class  {:width$}  dataset", "model");
    for number in 0..model.len().max(dataset.len()) {
        let (model, dataset) = (class(model, number), class(dataset, number));
        text += &format!("\n  {number:>5}  {}  {dataset}", padded(&model, width));
    }
    text
}

/// What the command prints.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(serialize_with = "output::path")]
    model: PathBuf,
    dataset: String,
    onnxruntime: String,
    #[serde(flatten)]
    evaluation: Evaluation,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "model      {}", self.model.display())?;
        writeln!(f, "dataset    {}, test images", self.dataset)?;
        write!(f, "{}", self.evaluation)
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    // The model comes first: a wrong path should not fetch anything.
    let described = describe(&onnx::read(&args.model)?, args)?;
    let library = library::load(args.ort_lib.as_deref())?;
    let options = SessionOptions {
        provider: args.provider.into(),
        threads: args.threads,
    };
    let mut session = Session::open(&library, &args.model, &options)?;
    if let Some(reason) = session.fallback() {
        message!("note: running on the CPU, as CUDA cannot run: {reason}");
    }
    let data = Data::find(&described.metadata.dataset, args.data.clone())?;
    let metadata = described.complete(&data)?;
    let test = data.load(Part::Test, &metadata)?;
    let evaluation = evaluate(&mut session, &metadata, &test, args.batch)?;
    let report = Report {
        model: args.model.clone(),
        dataset: metadata.dataset,
        onnxruntime: library.version().to_owned(),
        evaluation,
    };
    output::print(&report, args.json)
}

/// What is known of a model before its dataset is at hand.
struct Described {
    metadata: ModelMetadata,
    /// How pixels become numbers, where that is to be taken from the dataset.
    normalize: Option<Normalize>,
}

/// What the model says of itself, and the user of it.
fn describe(model: &ModelProto, args: &Args) -> Result<Described, Refusal> {
    let by_itself = |metadata| Described {
        metadata,
        normalize: args.normalize,
    };
    let by_user = |name| Described {
        metadata: published(name),
        normalize: Some(args.normalize.unwrap_or(Normalize::MeanStd)),
    };
    match (ModelMetadata::of_model(model), args.dataset) {
        (Ok(metadata), None) => Ok(by_itself(metadata)),
        (Ok(metadata), Some(name)) => {
            same_classes(&metadata, name)?;
            Ok(by_itself(ModelMetadata {
                dataset: name.to_string(),
                ..metadata
            }))
        }
        (Err(MetadataError::Absent), Some(name)) => Ok(by_user(name)),
        (Err(error), Some(name)) => {
            message!("note: {error}; it is left aside for `--dataset {name}`");
            Ok(by_user(name))
        }
        (Err(source), None) => Err(Refusal::NoDataset {
            model: args.model.clone(),
            source,
        }),
    }
}

/// Labels of other classes would be counted as mistakes.
fn same_classes(metadata: &ModelMetadata, name: DatasetName) -> Result<(), Refusal> {
    let classes = published(name).classes;
    if metadata.classes == classes {
        return Ok(());
    }
    Err(Refusal::Classes {
        model: metadata.classes.clone(),
        dataset: name,
        classes,
    })
}

impl Described {
    /// The metadata, with what only the dataset can tell.
    fn complete(self, data: &Data) -> anyhow::Result<ModelMetadata> {
        let mut metadata = self.metadata;
        if let Some(normalize) = self.normalize {
            metadata.normalization = data.normalization(normalize, &metadata)?;
        }
        Ok(metadata)
    }
}

/// What is known of any model for the dataset `name`; pixels / 255.
fn published(name: DatasetName) -> ModelMetadata {
    let input = name.image_shape();
    ModelMetadata {
        dataset: name.to_string(),
        input,
        normalization: Normalization::unit(input[0]),
        classes: name.class_names().iter().map(ToString::to_string).collect(),
        pictures: None,
        accuracy: None,
        sources: Sources::default(),
    }
}

/// A dataset on disk, or where it shall be.
struct Data {
    folder: PathBuf,
    /// Its name, if it is a published one.
    name: Option<DatasetName>,
    /// Whether the user named the folder, where other images may be.
    own: bool,
}

impl Data {
    /// The dataset `name` in `folder`, or in its usual place.
    fn find(name: &str, folder: Option<PathBuf>) -> Result<Self, Refusal> {
        let own = folder.is_some();
        let published = name.parse::<DatasetName>().ok();
        let folder = folder
            .or_else(|| published.map(DatasetName::default_dir))
            .ok_or_else(|| Refusal::UnknownDataset {
                name: name.to_owned(),
            })?;
        Ok(Self {
            folder,
            name: published,
            own,
        })
    }

    /// The images of `part`, fetched if they are not there. Other images than
    /// the published ones count only in a folder of the user's, which is told.
    fn load(&self, part: Part, metadata: &ModelMetadata) -> anyhow::Result<Split> {
        if let Some(options) = self.pictures(metadata) {
            return self.load_pictures(part, options, metadata);
        }
        let Some(name) = self.name else {
            let classes = metadata.classes.len();
            return Ok(dataset::load_split(&self.folder, part, classes)?);
        };
        Ok(self.load_published(name, part)?)
    }

    fn load_published(&self, name: DatasetName, part: Part) -> Result<Split, dataset::Error> {
        use dataset::CifarError::Records;
        use dataset::Error::{Checksum, Cifar, Missing, MissingBatch, NoFolder};
        match name.load(&self.folder, part) {
            Err(
                Checksum { path, .. }
                | Cifar {
                    path,
                    problem: Records { .. },
                },
            ) if self.own => {
                let path = path.display();
                message!("note: `{path}` is not the published {name}; it is used as it is");
                match name {
                    DatasetName::Mnist | DatasetName::FashionMnist => {
                        dataset::load_split(&self.folder, part, name.class_names().len())
                    }
                    DatasetName::Cifar10 => cifar10::load_split(&self.folder, part),
                }
            }
            // More likely mistyped than to be made.
            Err(NoFolder(folder)) if self.own => Err(NoFolder(folder)),
            Err(NoFolder(_) | Missing { .. } | MissingBatch { .. }) => {
                message!("fetching {name} into {}", self.folder.display());
                for file in &dataset::fetch(name, &self.folder)?.files {
                    message!("  {file}");
                }
                name.load(&self.folder, part)
            }
            result => result,
        }
    }

    /// What becomes of pictures, where the model was trained on such or the
    /// user's folder holds nothing but folders.
    fn pictures(&self, metadata: &ModelMetadata) -> Option<ImageFolderOptions> {
        let folder = &self.folder;
        if !self.own || dataset::holds_idx(folder) || cifar10::is_in(folder) {
            return None;
        }
        if let Some(options) = metadata.pictures {
            return Some(options);
        }
        let mut entries = std::fs::read_dir(folder).ok()?;
        let is_folder = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.is_ok_and(|entry| entry.path().is_dir())
        };
        entries.any(is_folder).then_some(ImageFolderOptions {
            shape: metadata.input,
            fit: Fit::default(),
            // Nothing of it was trained on.
            test: TestSplit {
                fraction: 1.0,
                seed: 0,
            },
        })
    }

    /// The pictures of `part`, in folders named as the model's classes.
    fn load_pictures(
        &self,
        part: Part,
        options: ImageFolderOptions,
        metadata: &ModelMetadata,
    ) -> anyhow::Result<Split> {
        let folder = ImageFolder::open(&self.folder, options)?;
        if folder.classes() != metadata.classes {
            return Err(Refusal::OtherClasses {
                folder: self.folder.clone(),
                found: folder.classes().to_vec(),
                expected: metadata.classes.clone(),
            }
            .into());
        }
        Ok(folder.load(part)?)
    }

    fn normalization(
        &self,
        normalize: Normalize,
        metadata: &ModelMetadata,
    ) -> anyhow::Result<Normalization> {
        match normalize {
            Normalize::Unit => Ok(Normalization::unit(metadata.input[0])),
            Normalize::MeanStd => {
                let train = self.load(Part::Train, metadata)?;
                Ok(Normalization::of(train.images()))
            }
        }
    }
}
