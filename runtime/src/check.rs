//! Whether a model is made of what its metadata says: its digests compared with
//! those of its own initializers and of files.

use std::fmt;
use std::path::{Path, PathBuf};

use artifact::Sha256;
use dataset::{DatasetName, ImageFolder};
use onnx::proto::ModelProto;
use serde::Serialize;

use crate::metadata::ModelMetadata;

/// The files that a model was made from, as far as they are at hand.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// The file of weights.
    pub weights: Option<PathBuf>,
    /// The folder of the dataset.
    pub data: Option<PathBuf>,
    /// The file of the training's settings.
    pub settings: Option<PathBuf>,
}

/// What a digest is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The weights in the model itself: the initializers of its graph, and not the
    /// constants in its nodes, subgraphs and functions.
    Initializers,
    /// The file of weights.
    Weights,
    /// The dataset.
    Dataset,
    /// The training's settings.
    Settings,
}

/// What became of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The digest is the recorded one.
    Equal,
    /// It is another.
    Differs,
    /// The metadata does not have it.
    NotRecorded,
    /// There is nothing to compare it with.
    NotChecked,
}

/// A digest of the metadata, compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What the digest is of.
    pub part: Part,
    /// What was hashed.
    pub source: Option<String>,
    /// The digest in the metadata.
    pub recorded: Option<Sha256>,
    /// The digest of what is there.
    pub found: Option<Sha256>,
    /// What became of it.
    pub verdict: Verdict,
}

/// All digests of a model, compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Check {
    /// One for each part.
    pub findings: Vec<Finding>,
}

/// A comparison that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The initializers have no digest.
    #[error(transparent)]
    Initializers(#[from] onnx::NotRaw),
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] artifact::Error),
    /// The dataset cannot be read.
    #[error(transparent)]
    Dataset(#[from] dataset::Error),
}

/// A model that is not made of what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Something has another digest.
    #[error("the model was not made from what is there: not with the same {}", join(.0))]
    Differs(Vec<Part>),
    /// A file was given whose digest the metadata does not have.
    #[error("the model's metadata has no digest of its {}", join(.0))]
    NotRecorded(Vec<Part>),
}

fn join(parts: &[Part]) -> String {
    let parts: Vec<_> = parts.iter().map(ToString::to_string).collect();
    parts.join(" and ")
}

impl Check {
    /// Compares the digests in `metadata` with those of the initializers of
    /// `model` and of `files`. A published dataset needs no files: its digest is
    /// known.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn of(model: &ModelProto, metadata: &ModelMetadata, files: &Files) -> Result<Self, Error> {
        let sources = metadata.sources;
        let initializers = match sources.initializers {
            Some(_) => Some((
                "the file itself".to_owned(),
                onnx::initializers_digest(model)?,
            )),
            None => None,
        };
        let findings = vec![
            Finding::new(Part::Initializers, sources.initializers, initializers),
            Finding::new(Part::Weights, sources.weights, file(&files.weights)?),
            Finding::new(Part::Dataset, sources.dataset, data(files, metadata)?),
            Finding::new(Part::Settings, sources.settings, file(&files.settings)?),
        ];
        Ok(Self { findings })
    }

    /// Nothing, if all that could be compared is equal.
    ///
    /// # Errors
    ///
    /// When a digest differs, or one is not recorded that was to be compared.
    pub fn verdict(&self) -> Result<(), Mismatch> {
        let parts = |verdict: Verdict| -> Vec<Part> {
            let findings = self.findings.iter();
            findings
                .filter(|finding| finding.verdict == verdict)
                .map(|finding| finding.part)
                .collect()
        };
        let differs = parts(Verdict::Differs);
        if !differs.is_empty() {
            return Err(Mismatch::Differs(differs));
        }
        let missing = parts(Verdict::NotRecorded);
        match missing.is_empty() {
            true => Ok(()),
            false => Err(Mismatch::NotRecorded(missing)),
        }
    }
}

impl Finding {
    /// Of a `recorded` digest and that of what is there, by its name.
    fn new(part: Part, recorded: Option<Sha256>, there: Option<(String, Sha256)>) -> Self {
        let (source, found) = there.unzip();
        let verdict = match (recorded, found) {
            (Some(recorded), Some(found)) if recorded == found => Verdict::Equal,
            (Some(_), Some(_)) => Verdict::Differs,
            (None, Some(_)) => Verdict::NotRecorded,
            // Every model can record its initializers.
            (None, None) if part == Part::Initializers => Verdict::NotRecorded,
            (_, None) => Verdict::NotChecked,
        };
        Self {
            part,
            source,
            recorded,
            found,
            verdict,
        }
    }
}

fn file(path: &Option<PathBuf>) -> Result<Option<(String, Sha256)>, artifact::Error> {
    let Some(path) = path else { return Ok(None) };
    Ok(Some((name(path), Sha256::of_file(path)?)))
}

fn data(files: &Files, metadata: &ModelMetadata) -> Result<Option<(String, Sha256)>, Error> {
    let published: Option<DatasetName> = metadata.dataset.parse().ok();
    if let Some(folder) = &files.data {
        let digest = match (metadata.pictures, published) {
            (Some(options), _) => ImageFolder::open(folder, options)?.digest()?,
            (None, Some(dataset)) => dataset.digest(folder)?,
            (None, None) => dataset::digest(folder)?,
        };
        return Ok(Some((name(folder), digest)));
    }
    let known = published.and_then(|dataset| Some((dataset, dataset.published_digest()?)));
    Ok(known.map(|(dataset, digest)| (format!("{dataset} as published"), digest)))
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initializers => "initializers",
            Self::Weights => "weights",
            Self::Dataset => "dataset",
            Self::Settings => "settings",
        })
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.findings
            .iter()
            .try_for_each(|finding| write!(f, "{finding}"))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = self.part.to_string();
        let source = self.source.as_deref().unwrap_or_default();
        let recorded = self.recorded.map(String::from).unwrap_or_default();
        let found = self.found.map(String::from).unwrap_or_default();
        match self.verdict {
            Verdict::Equal => writeln!(f, "{part:13}equal: {source}"),
            Verdict::Differs => {
                writeln!(f, "{part:13}differs: {source}")?;
                writeln!(f, "{:13}  recorded {recorded}", "")?;
                writeln!(f, "{:13}  found    {found}", "")
            }
            Verdict::NotRecorded => writeln!(f, "{part:13}not recorded in the model"),
            Verdict::NotChecked => {
                let option = match self.part {
                    Part::Initializers | Part::Weights => "--weights FILE",
                    Part::Dataset => "--data DIR",
                    Part::Settings => "--settings FILE",
                };
                writeln!(f, "{part:13}not checked: say where it is with `{option}`")
            }
        }
    }
}
