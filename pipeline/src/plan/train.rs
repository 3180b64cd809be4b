//! The plan of a training.

use std::path::PathBuf;
use std::sync::Arc;

use artifact::Sha256;
use dataset::ImageFolderOptions;
use models::{Architecture, ModelSpec, Shape};
use serde_json::{Value, json};
use serde_saphyr::Spanned;
use trainer::{DeviceName, Settings, WeightsMatch};

use super::DatasetPlan;
use super::planner::Planner;
use crate::config::{
    ConfigError, Document, ModelRef, Normalize, StageConfig, TrainConfig, suggestion,
};
use crate::history::Names;

/// What a network was trained with: a file among the results of its training.
pub const SETTINGS: &str = "settings.json";

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

impl TrainPlan {
    /// All that decides the weights, but for the dataset's files.
    pub fn description(&self) -> Value {
        let Self {
            dataset,
            model_name: _,
            model,
            architecture: _,
            normalize,
            settings,
            init,
            folder: _,
        } = self;
        let mut description = json!({
            "model": model, "normalize": normalize, "settings": settings,
        });
        if let Some(pictures) = dataset.pictures() {
            let ImageFolderOptions {
                shape,
                fit,
                test: _,
            } = pictures.options();
            description["pictures"] = json!({ "shape": shape, "fit": fit });
        }
        if let Some(init) = init {
            description["init"] = json!(init.digest);
        }
        description
    }

    pub(super) fn settings(&self) -> Value {
        json!({ "training": self.description(), "names": Names::of(self) })
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

impl Planner<'_> {
    pub(super) fn train(
        &self,
        name: &str,
        config: &TrainConfig,
        stage: &Spanned<StageConfig>,
    ) -> Result<TrainPlan, ConfigError> {
        let dataset = self.dataset_of(&config.dataset)?;
        let (model, architecture) = self.model(&config.model, &dataset)?;
        let settings = config.settings(dataset.train_images);
        let checked = settings.check(dataset.train_images);
        let batches = |()| match dataset.train_images {
            Some(images) => settings.check_batches(images, &architecture),
            None => Ok(()),
        };
        checked.and_then(batches).map_err(|error| {
            let place = match &error {
                trainer::Error::Setting { setting, .. } => config.place(setting),
                _ => None,
            };
            let place = place.unwrap_or(stage.referenced);
            self.document.invalid(place, error.to_string(), None)
        })?;
        self.check_crop(config, &dataset)?;
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

    /// Refuses a crop that may miss the image.
    fn check_crop(&self, config: &TrainConfig, dataset: &DatasetPlan) -> Result<(), ConfigError> {
        let [_, height, width] = dataset.image_shape;
        match &config.augment {
            Some(augment) if augment.value.crop >= height.min(width) => Err(self.document.invalid(
                augment.referenced,
                format!(
                    "`augment`: `crop` is {}, but the images are {height}×{width}",
                    augment.value.crop
                ),
                Some("choose a smaller number of pixels, such as 2".to_owned()),
            )),
            _ => Ok(()),
        }
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

    /// The network, which must take the dataset's images and know its classes.
    fn model(
        &self,
        reference: &Spanned<ModelRef>,
        dataset: &DatasetPlan,
    ) -> Result<(ModelSpec, Architecture), ConfigError> {
        let (document, model) = self.read_model(reference)?;
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

    /// The layers, and the document that they stand in, if it is the user's.
    fn read_model(
        &self,
        reference: &Spanned<ModelRef>,
    ) -> Result<(Option<Document>, ModelSpec), ConfigError> {
        match &reference.value {
            ModelRef::BuiltIn(name) => match models::built_in(name) {
                Some(model) => Ok((None, model)),
                None => {
                    let known = models::BUILT_IN.iter().map(|network| network.name);
                    let hint = match name.ends_with(".yaml") || name.ends_with(".yml") {
                        true => format!("a file is written as `{{ file: {name} }}`"),
                        false => suggestion(name, known),
                    };
                    Err(self.document.invalid(
                        reference.referenced,
                        format!("there is no built-in network `{name}`"),
                        Some(hint),
                    ))
                }
            },
            ModelRef::File(path) => {
                let document = Document::read(path).map_err(|error| {
                    let place = reference.referenced;
                    self.document.invalid(place, error.to_string(), None)
                })?;
                let model = document.parse()?;
                Ok((Some(document), model))
            }
            ModelRef::Inline(model) => Ok((Some(self.document.clone()), model.clone())),
        }
    }
}
