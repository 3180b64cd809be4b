//! A pipeline that can run: every reference resolved, every network's shapes
//! inferred, every setting checked, before anything is done.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use artifact::Sha256;
use dataset::{DatasetName, ImageFolder, LayoutError, Part};
use exporter::Opset;
use models::{Architecture, ModelSpec, Shape};
use serde_json::{Value, json};
use serde_saphyr::Spanned;
use trainer::{DeviceName, Settings, WeightsMatch};

use crate::config::{
    Config, ConfigError, DatasetConfig, Document, EvalConfig, ExportConfig, ModelRef, Normalize,
    ReportConfig, StageConfig, TOLERANCE, TrainConfig, VerifyConfig, Weights, suggestion,
};
use crate::history;

/// A pipeline that can run.
#[derive(Debug)]
pub struct Plan {
    /// Folder of the results.
    pub output: PathBuf,
    /// The stages, each after those that it depends on.
    pub stages: Vec<Stage>,
}

/// One stage.
#[derive(Debug)]
pub struct Stage {
    /// As in the file.
    pub name: String,
    /// Indices of the stages that must have run before.
    pub depends: Vec<usize>,
    /// What it does.
    pub action: Action,
}

/// What a stage does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Brings a dataset.
    Dataset(Arc<DatasetPlan>),
    /// Trains a network.
    Train(Arc<TrainPlan>),
    /// Exports it.
    Export(Arc<ExportPlan>),
    /// Proves that the ONNX answers as the network does.
    Verify(VerifyPlan),
    /// Evaluates the ONNX.
    Eval(EvalPlan),
    /// Writes what was done, and came of it, as an HTML page.
    Report(Box<ReportPlan>),
}

/// A dataset.
#[derive(Debug)]
pub struct DatasetPlan {
    /// Its name in the ONNX.
    pub name: String,
    /// How it is stored.
    pub format: DatasetFormat,
    /// Folder of the files.
    pub dir: PathBuf,
    /// Class names in the order of the labels.
    pub classes: Vec<String>,
    /// Channels, height and width of an image.
    pub image_shape: [usize; 3],
}

/// How a dataset is stored.
#[derive(Debug)]
pub enum DatasetFormat {
    /// As published.
    Published(DatasetName),
    /// IDX files of the user's.
    Idx,
    /// Pictures in a folder for each class.
    Pictures(ImageFolder),
}

impl DatasetPlan {
    /// What becomes of pictures, where it is a folder of such.
    pub fn pictures(&self) -> Option<&ImageFolder> {
        match &self.format {
            DatasetFormat::Pictures(folder) => Some(folder),
            DatasetFormat::Published(_) | DatasetFormat::Idx => None,
        }
    }
}

/// A training.
#[derive(Debug)]
pub struct TrainPlan {
    /// What to train on.
    pub dataset: Arc<DatasetPlan>,
    /// The network's name: that of a built-in one, or of its file.
    pub model_name: String,
    /// The network as written.
    pub model: ModelSpec,
    /// The network with its shapes.
    pub architecture: Architecture,
    /// What the network sees of a pixel.
    pub normalize: Normalize,
    /// How to train.
    pub settings: Settings,
    /// What is in the file of `init`.
    pub init: Option<InitialWeights>,
    /// Folder of the results.
    pub folder: PathBuf,
}

/// Weights that a training begins with.
#[derive(Debug)]
pub struct InitialWeights {
    /// SHA-256 of the file.
    pub digest: Sha256,
    /// Which of its tensors is which parameter.
    pub matched: WeightsMatch,
}

/// An export.
#[derive(Debug)]
pub struct ExportPlan {
    /// What to export.
    pub train: Arc<TrainPlan>,
    /// Which weights.
    pub weights: Weights,
    /// The .onnx.
    pub file: PathBuf,
    /// ONNX operator set.
    pub opset: Opset,
    /// Whether `probabilities` are an output.
    pub probabilities: bool,
}

/// A proof.
#[derive(Clone, Debug)]
pub struct VerifyPlan {
    /// The ONNX and the network.
    pub export: Arc<ExportPlan>,
    /// The images.
    pub dataset: Arc<DatasetPlan>,
    /// Largest difference between two logits that is accepted.
    pub tolerance: f64,
    /// As written.
    pub config: VerifyConfig,
    /// Where the result goes.
    pub file: PathBuf,
}

/// An evaluation.
#[derive(Clone, Debug)]
pub struct EvalPlan {
    /// The ONNX.
    pub export: Arc<ExportPlan>,
    /// The images.
    pub dataset: Arc<DatasetPlan>,
    /// As written.
    pub config: EvalConfig,
    /// Where the result goes.
    pub file: PathBuf,
}

/// A report.
#[derive(Clone, Debug)]
pub struct ReportPlan {
    /// Its heading: the name of the folder of results.
    pub title: String,
    /// The evaluation, and with it the ONNX, the training and the images.
    pub eval: EvalPlan,
    /// The proof that ran before the evaluation, if one did.
    pub verify: Option<VerifyPlan>,
    /// Folder of the results.
    pub folder: PathBuf,
}

impl Action {
    /// The kind, as written in the file.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dataset(_) => "dataset",
            Self::Train(_) => "train",
            Self::Export(_) => "export",
            Self::Verify(_) => "verify",
            Self::Eval(_) => "eval",
            Self::Report(_) => "report",
        }
    }

    /// SHA-256 of all settings that the outputs depend on.
    pub fn settings(&self) -> Sha256 {
        let settings = match self {
            Self::Dataset(plan) => json!({
                "name": plan.name, "dir": plan.dir, "classes": plan.classes,
                "pictures": plan.pictures().map(ImageFolder::options),
            }),
            Self::Train(plan) => plan.description(),
            Self::Export(plan) => json!({
                "train": plan.train.description(), "weights": plan.weights,
                "file": plan.file, "opset": plan.opset.version(),
                "probabilities": plan.probabilities,
                "dataset": plan.train.dataset.name, "classes": plan.train.dataset.classes,
            }),
            Self::Verify(plan) => json!({
                "tolerance": plan.tolerance, "images": plan.config.images,
            }),
            Self::Eval(plan) => plan.settings(),
            Self::Report(plan) => json!({
                "title": plan.title, "model": plan.train().model_name,
                "train": plan.train().description(), "eval": plan.eval.settings(),
                "verified": plan.verify.is_some(),
            }),
        };
        Sha256::of_bytes(settings.to_string().as_bytes())
    }
}

/// What a network was trained with: a file among the results of its training.
pub const SETTINGS: &str = "settings.json";

impl EvalPlan {
    fn settings(&self) -> Value {
        json!({
            "provider": self.config.provider, "batch": self.config.batch,
            "threads": self.config.threads,
        })
    }
}

impl ReportPlan {
    /// The training.
    pub fn train(&self) -> &TrainPlan {
        &self.eval.export.train
    }
}

impl TrainPlan {
    /// All that decides the weights, but for the dataset.
    pub fn description(&self) -> Value {
        let mut description = json!({
            "model": self.model, "normalize": self.normalize, "settings": self.settings,
        });
        if let Some(init) = &self.init {
            description["init"] = json!(init.digest);
        }
        description
    }

    /// [`Self::description`] as the text of [`SETTINGS`].
    pub fn settings_file(&self) -> String {
        format!("{:#}\n", self.description())
    }

    /// SHA-256 of that text.
    pub fn settings_digest(&self) -> Sha256 {
        Sha256::of_bytes(self.settings_file().as_bytes())
    }
}

/// Checks the whole pipeline.
///
/// # Errors
///
/// The first thing that is impossible, with its place in the file.
pub fn plan(document: &Document) -> Result<Plan, ConfigError> {
    let config: Config = document.parse()?;
    let order = order(document, &config)?;
    let mut planner = Planner {
        document,
        config: &config,
        stages: Vec::with_capacity(order.len()),
    };
    for index in order {
        planner.add(index)?;
    }
    Ok(Plan {
        output: config.output.clone(),
        stages: planner.stages,
    })
}

/// Positions in the file, each after those that it depends on; otherwise in
/// the order of the file.
fn order(document: &Document, config: &Config) -> Result<Vec<usize>, ConfigError> {
    let mut order = Vec::new();
    let mut path = Vec::new();
    for index in 0..config.stages.len() {
        visit(document, config, index, &mut path, &mut order)?;
    }
    Ok(order)
}

fn visit(
    document: &Document,
    config: &Config,
    index: usize,
    path: &mut Vec<usize>,
    order: &mut Vec<usize>,
) -> Result<(), ConfigError> {
    if order.contains(&index) {
        return Ok(());
    }
    path.push(index);
    for reference in config.stages[index].value.references() {
        let next = find(document, config, reference)?;
        if let Some(start) = path.iter().position(|&stage| stage == next) {
            let cycle = path[start..].iter().chain([&next]);
            let names = cycle.filter_map(|&stage| config.stages.get_index(stage));
            let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
            return Err(document.invalid(
                reference.referenced,
                format!("the stages go in a circle: {}", names.join(" → ")),
                Some("take one of the references out".to_owned()),
            ));
        }
        visit(document, config, next, path, order)?;
    }
    path.pop();
    order.push(index);
    Ok(())
}

/// Position of the stage that is referred to.
fn find(
    document: &Document,
    config: &Config,
    reference: &Spanned<String>,
) -> Result<usize, ConfigError> {
    config.stages.get_index_of(&reference.value).ok_or_else(|| {
        let names = config.stages.keys().map(String::as_str);
        document.invalid(
            reference.referenced,
            format!("there is no stage `{}`", reference.value),
            Some(suggestion(&reference.value, names)),
        )
    })
}

struct Planner<'a> {
    document: &'a Document,
    config: &'a Config,
    stages: Vec<Stage>,
}

impl Planner<'_> {
    fn add(&mut self, index: usize) -> Result<(), ConfigError> {
        let Some((name, stage)) = self.config.stages.get_index(index) else {
            return Ok(());
        };
        self.check_name(name, stage)?;
        let action = match &stage.value {
            StageConfig::Dataset(config) => Action::Dataset(Arc::new(self.dataset(config)?)),
            StageConfig::Train(config) => Action::Train(Arc::new(self.train(name, config, stage)?)),
            StageConfig::Export(config) => Action::Export(Arc::new(self.export(config)?)),
            StageConfig::Verify(config) => Action::Verify(self.verify(name, config)?),
            StageConfig::Eval(config) => Action::Eval(self.eval(name, config)?),
            StageConfig::Report(config) => Action::Report(Box::new(self.report(name, config)?)),
        };
        let references = stage.value.references().into_iter();
        let mut depends: Vec<usize> = references
            .filter_map(|reference| self.position(&reference.value))
            .collect();
        if let StageConfig::Report(config) = &stage.value {
            // It shows what all of them made.
            depends.extend(self.before(&config.eval.value));
        }
        depends.sort_unstable();
        depends.dedup();
        self.check_outputs(name, stage, &action)?;
        self.stages.push(Stage {
            name: name.clone(),
            depends,
            action,
        });
        Ok(())
    }

    /// Refuses a name that is no plain folder.
    fn check_name(&self, name: &str, stage: &Spanned<StageConfig>) -> Result<(), ConfigError> {
        let plain = |c: char| c.is_alphanumeric() || "-_ .".contains(c);
        if name.chars().all(plain) && !name.trim_matches(['.', ' ']).is_empty() {
            return Ok(());
        }
        Err(self.document.invalid(
            stage.referenced,
            format!("`{name}` cannot be the name of a stage, as its results go into a folder of that name"),
            Some("use letters, digits, `-` and `_`".to_owned()),
        ))
    }

    /// Refuses a stage that writes a file of another.
    fn check_outputs(
        &self,
        name: &str,
        stage: &Spanned<StageConfig>,
        action: &Action,
    ) -> Result<(), ConfigError> {
        if matches!(action, Action::Dataset(_)) {
            return Ok(());
        }
        let written = action.outputs();
        let clash = self.stages.iter().find_map(|other| {
            let outputs = other.action.outputs();
            let file = outputs.into_iter().find(|file| written.contains(file))?;
            Some((&other.name, file))
        });
        match clash {
            None => Ok(()),
            Some((other, file)) => Err(self.document.invalid(
                stage.referenced,
                format!("`{name}` and `{other}` both write {}", file.display()),
                Some("give one of them another `file`".to_owned()),
            )),
        }
    }

    /// Where a stage stands among those planned so far.
    fn position(&self, name: &str) -> Option<usize> {
        self.stages.iter().position(|stage| stage.name == name)
    }

    /// What the stage that is referred to does.
    fn action(&self, reference: &Spanned<String>) -> Option<&Action> {
        let position = self.position(&reference.value)?;
        Some(&self.stages[position].action)
    }

    fn wrong_kind(&self, reference: &Spanned<String>, expected: &str) -> ConfigError {
        let found = self.action(reference).map_or("missing", Action::kind);
        self.document.invalid(
            reference.referenced,
            format!(
                "`{}` is a stage of kind `{found}`, but one of kind `{expected}` is expected",
                reference.value
            ),
            None,
        )
    }

    fn dataset_of(&self, reference: &Spanned<String>) -> Result<Arc<DatasetPlan>, ConfigError> {
        match self.action(reference) {
            Some(Action::Dataset(plan)) => Ok(Arc::clone(plan)),
            _ => Err(self.wrong_kind(reference, "dataset")),
        }
    }

    fn train_of(&self, reference: &Spanned<String>) -> Result<Arc<TrainPlan>, ConfigError> {
        match self.action(reference) {
            Some(Action::Train(plan)) => Ok(Arc::clone(plan)),
            _ => Err(self.wrong_kind(reference, "train")),
        }
    }

    fn export_of(&self, reference: &Spanned<String>) -> Result<Arc<ExportPlan>, ConfigError> {
        match self.action(reference) {
            Some(Action::Export(plan)) => Ok(Arc::clone(plan)),
            _ => Err(self.wrong_kind(reference, "export")),
        }
    }

    /// The images of a stage that takes a model: as named, else those that
    /// the network was trained on.
    fn images(
        &self,
        reference: Option<&Spanned<String>>,
        export: &ExportPlan,
    ) -> Result<Arc<DatasetPlan>, ConfigError> {
        let trained_on = &export.train.dataset;
        let Some(reference) = reference else {
            return Ok(Arc::clone(trained_on));
        };
        let dataset = self.dataset_of(reference)?;
        if (dataset.image_shape, dataset.classes.len())
            != (trained_on.image_shape, trained_on.classes.len())
        {
            return Err(self.document.invalid(
                reference.referenced,
                format!(
                    "`{}` has images of {:?} in {} classes, but the network was made for {:?} \
                     in {}",
                    reference.value,
                    dataset.image_shape,
                    dataset.classes.len(),
                    trained_on.image_shape,
                    trained_on.classes.len()
                ),
                None,
            ));
        }
        Ok(dataset)
    }

    fn dataset(&self, config: &DatasetConfig) -> Result<DatasetPlan, ConfigError> {
        let name = &config.name.value;
        let dir = config
            .dir
            .as_ref()
            .map_or_else(|| PathBuf::from("data").join(name), |dir| dir.value.clone());
        let unusable = |error: dataset::Error| {
            let place = config.dir.as_ref().map(|dir| dir.referenced);
            let place = place.unwrap_or(config.name.referenced);
            self.document.invalid(place, error.to_string(), None)
        };
        match (&config.images, &config.classes) {
            (Some(images), None) => {
                let options = images.value.into();
                let folder = ImageFolder::open(&dir, options).map_err(|error| match error {
                    dataset::Error::Layout {
                        problem: problem @ (LayoutError::Size { .. } | LayoutError::Fraction(_)),
                        ..
                    } => {
                        let place = images.referenced;
                        self.document.invalid(place, problem.to_string(), None)
                    }
                    other => unusable(other),
                })?;
                Ok(DatasetPlan {
                    name: name.clone(),
                    dir,
                    classes: folder.classes().to_vec(),
                    image_shape: options.shape,
                    format: DatasetFormat::Pictures(folder),
                })
            }
            (Some(images), Some(_)) => Err(self.document.invalid(
                images.referenced,
                "the classes of pictures are the names of their folders".to_owned(),
                Some("take `classes` out, or `images` for IDX files".to_owned()),
            )),
            (None, Some(classes)) => {
                let split =
                    dataset::load_split(&dir, Part::Test, classes.len()).map_err(unusable)?;
                Ok(DatasetPlan {
                    name: name.clone(),
                    format: DatasetFormat::Idx,
                    dir,
                    classes: classes.clone(),
                    image_shape: split.images().image_shape(),
                })
            }
            (None, None) => self.published(config, dir),
        }
    }

    fn published(&self, config: &DatasetConfig, dir: PathBuf) -> Result<DatasetPlan, ConfigError> {
        let name = &config.name.value;
        let published: DatasetName = name.parse().map_err(|_| {
            let known = DatasetName::ALL.iter().map(|name| name.as_str());
            let hint = suggestion(name, known);
            self.document.invalid(
                config.name.referenced,
                format!("`{name}` is not a dataset that Burnish fetches"),
                Some(format!(
                    "{hint}\nhint: for IDX files of your own, give `dir` and `classes` too; for \
                     pictures, `dir` and `images`"
                )),
            )
        })?;
        Ok(DatasetPlan {
            name: name.clone(),
            format: DatasetFormat::Published(published),
            dir,
            classes: published
                .class_names()
                .iter()
                .map(|&class| class.to_owned())
                .collect(),
            image_shape: published.image_shape(),
        })
    }

    fn train(
        &self,
        name: &str,
        config: &TrainConfig,
        stage: &Spanned<StageConfig>,
    ) -> Result<TrainPlan, ConfigError> {
        let dataset = self.dataset_of(&config.dataset)?;
        let (model, architecture) = self.model(&config.model, &dataset)?;
        let settings = config.settings();
        // How many images there are is known only when the dataset is there.
        settings.check(usize::MAX).map_err(|error| {
            let place = match &error {
                trainer::Error::Setting { setting, .. } => config.place(setting),
                _ => None,
            };
            let place = place.unwrap_or(stage.referenced);
            self.document.invalid(place, error.to_string(), None)
        })?;
        let model_name = match &config.model.value {
            ModelRef::BuiltIn(name) => name.clone(),
            ModelRef::File(path) => path.display().to_string(),
            ModelRef::Inline(_) => "network of its own".to_owned(),
        };
        let init = config.init.as_ref();
        let init = init.map(|file| self.initial_weights(file, &architecture));
        Ok(TrainPlan {
            init: init.transpose()?,
            model_name,
            model,
            architecture,
            normalize: self.normalize(config, &dataset)?,
            dataset,
            settings,
            folder: self.config.output.join(name),
        })
    }

    /// Finds every parameter of the network in the file.
    fn initial_weights(
        &self,
        file: &Spanned<PathBuf>,
        architecture: &Architecture,
    ) -> Result<InitialWeights, ConfigError> {
        let read = || -> Result<InitialWeights, trainer::Error> {
            let (_, device) = trainer::resolve_device(DeviceName::Cpu)?;
            Ok(InitialWeights {
                matched: trainer::match_weights(&architecture.init(&device), &file.value)?,
                digest: Sha256::of_file(&file.value)?,
            })
        };
        read().map_err(|error| {
            self.document
                .invalid(file.referenced, error.to_string(), None)
        })
    }

    fn normalize(
        &self,
        config: &TrainConfig,
        dataset: &DatasetPlan,
    ) -> Result<Normalize, ConfigError> {
        let Some(normalize) = &config.normalize else {
            return Ok(Normalize::default());
        };
        let channels = dataset.image_shape[0];
        match &normalize.value {
            Normalize::Fixed(fixed) if fixed.channels() != channels => Err(self.document.invalid(
                normalize.referenced,
                format!(
                    "`normalize` has {} channels, but the images have {channels}",
                    fixed.channels()
                ),
                Some("give one mean and one std for each channel".to_owned()),
            )),
            other => Ok(other.clone()),
        }
    }

    fn model(
        &self,
        reference: &Spanned<ModelRef>,
        dataset: &DatasetPlan,
    ) -> Result<(ModelSpec, Architecture), ConfigError> {
        let (document, model) = match &reference.value {
            ModelRef::BuiltIn(name) => {
                let model = models::built_in(name).ok_or_else(|| {
                    let known = models::BUILT_IN.iter().map(|network| network.name);
                    self.document.invalid(
                        reference.referenced,
                        format!("there is no built-in network `{name}`"),
                        Some(suggestion(name, known)),
                    )
                })?;
                (None, model)
            }
            ModelRef::File(path) => {
                let document = Document::read(path).map_err(|error| {
                    let place = reference.referenced;
                    self.document.invalid(place, error.to_string(), None)
                })?;
                let model = document.parse()?;
                (Some(document), model)
            }
            ModelRef::Inline(model) => (Some(self.document.clone()), model.clone()),
        };
        let architecture = model.resolve(dataset.image_shape).map_err(|error| {
            // A built-in network's layers are in no file of the user's.
            let (document, location) = match &document {
                Some(document) => (document, error.location),
                None => (self.document, reference.referenced),
            };
            let [channels, height, width] = dataset.image_shape;
            let input = format!("the images are {channels}×{height}×{width}");
            document.invalid(location, error.to_string(), Some(input))
        })?;
        let classes = dataset.classes.len();
        match architecture.output() {
            Shape::Features(features) if features == classes => Ok((model, architecture)),
            output => Err(self.document.invalid(
                reference.referenced,
                format!("the network gives {output} values, but there are {classes} classes"),
                Some(format!("end it with `linear: {classes}`")),
            )),
        }
    }

    fn export(&self, config: &ExportConfig) -> Result<ExportPlan, ConfigError> {
        let opset = match &config.opset {
            None => Opset::default(),
            Some(opset) => Opset::new(opset.value).map_err(|error| {
                self.document
                    .invalid(opset.referenced, error.to_string(), None)
            })?,
        };
        Ok(ExportPlan {
            train: self.train_of(&config.train)?,
            weights: config.weights,
            file: config
                .file
                .clone()
                .unwrap_or_else(|| self.config.output.join("model.onnx")),
            opset,
            probabilities: config.probabilities,
        })
    }

    fn verify(&self, name: &str, config: &VerifyConfig) -> Result<VerifyPlan, ConfigError> {
        let export = self.export_of(&config.model)?;
        Ok(VerifyPlan {
            dataset: self.images(config.dataset.as_ref(), &export)?,
            export,
            tolerance: self.tolerance(config)?,
            config: config.clone(),
            file: self.config.output.join(name).join("verification.json"),
        })
    }

    fn tolerance(&self, config: &VerifyConfig) -> Result<f64, ConfigError> {
        match &config.tolerance {
            None => Ok(TOLERANCE),
            Some(tolerance) if tolerance.value > 0.0 && tolerance.value.is_finite() => {
                Ok(tolerance.value)
            }
            Some(tolerance) => Err(self.document.invalid(
                tolerance.referenced,
                format!("`tolerance`: {} is not a positive number", tolerance.value),
                None,
            )),
        }
    }

    fn eval(&self, name: &str, config: &EvalConfig) -> Result<EvalPlan, ConfigError> {
        let export = self.export_of(&config.model)?;
        Ok(EvalPlan {
            dataset: self.images(config.dataset.as_ref(), &export)?,
            export,
            config: config.clone(),
            file: self.config.output.join(name).join(history::EVALUATION),
        })
    }

    fn report(&self, name: &str, config: &ReportConfig) -> Result<ReportPlan, ConfigError> {
        let Some(Action::Eval(eval)) = self.action(&config.eval) else {
            return Err(self.wrong_kind(&config.eval, "eval"));
        };
        let mut before = self.before(&config.eval.value).into_iter();
        let verify = before.find_map(|index| match &self.stages[index].action {
            Action::Verify(plan) if Arc::ptr_eq(&plan.export, &eval.export) => Some(plan.clone()),
            _ => None,
        });
        let output = &self.config.output;
        let title = output.file_name().unwrap_or(output.as_os_str());
        Ok(ReportPlan {
            title: title.to_string_lossy().into_owned(),
            eval: eval.clone(),
            verify,
            folder: output.join(name),
        })
    }

    /// The stages that must run before that of this name, in order.
    fn before(&self, name: &str) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut next: Vec<usize> = self.position(name).into_iter().collect();
        while let Some(index) = next.pop() {
            let depends = self.stages[index].depends.iter();
            next.extend(depends.filter(|&&index| found.insert(index)));
        }
        found
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::*;

    fn planned(stages: &str) -> Result<Plan, ConfigError> {
        let yaml = format!("output: runs\nstages:\n{stages}");
        plan(&Document::new(Path::new("pipeline.yaml"), yaml))
    }

    const STAGES: [&str; 5] = [
        "  score: { eval: { model: onnx, after: [proof] } }\n",
        "  proof: { verify: { model: onnx } }\n",
        "  onnx: { export: { train: fit } }\n",
        "  fit: { train: { dataset: mnist, model: lenet5 } }\n",
        "  mnist: { dataset: { name: mnist } }\n",
    ];

    #[test]
    fn stages_stand_after_those_that_they_refer_to() {
        let plan = planned(&STAGES.concat()).unwrap();
        let names: Vec<&str> = plan.stages.iter().map(|stage| &*stage.name).collect();
        assert_eq!(names, ["mnist", "fit", "onnx", "proof", "score"]);
        let depends: Vec<&[usize]> = plan.stages.iter().map(|stage| &*stage.depends).collect();
        assert_eq!(depends, [&[][..], &[0], &[1], &[2], &[2, 3]]);
    }

    #[test]
    fn cycle_is_found_wherever_it_is_entered() {
        let [score, proof, onnx, fit, mnist] = STAGES;
        let mnist = mnist.replace("name: mnist", "name: mnist, after: [proof]");
        for stages in [
            [score, proof, onnx, fit, &mnist],
            [&mnist, fit, onnx, proof, score],
            [fit, score, &mnist, onnx, proof],
        ] {
            let error = planned(&stages.concat()).unwrap_err().to_string();
            assert!(error.contains("the stages go in a circle: "), "{error}");
            assert!(!error.contains("score →"), "{error}");
        }
    }

    #[test]
    fn settings_digest_changes_with_what_is_made_and_with_nothing_else() {
        let digest = |train: &str| {
            let stages = STAGES.concat().replace("model: lenet5", train);
            planned(&stages).unwrap().stages[1].action.settings()
        };
        let plain = digest("model: lenet5");
        assert_eq!(digest("model:   lenet5, seed: 1, log_every: 5"), plain);
        let others = ["cnn-10-20", "lenet5, seed: 2", "lenet5, normalize: unit"];
        assert!(
            others
                .iter()
                .all(|model| digest(&format!("model: {model}")) != plain)
        );
    }

    #[test]
    fn own_images_for_a_model_must_have_its_shape_and_classes() {
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../dataset/fixtures/mnist");
        let digits = format!(
            "  digits: {{ dataset: {{ name: d, dir: {data}, \
             classes: [a, b, c, d, e, f, g, h, i, j, k] }} }}\n"
        );
        let stages = STAGES.concat().replace("after: [proof]", "dataset: digits");
        let error = planned(&(stages + &digits)).unwrap_err().to_string();
        assert!(error.contains("in 11 classes"), "{error}");
    }
}
