//! The plan of a dataset.

use std::path::PathBuf;

use dataset::{DatasetName, ImageFolder, LayoutError, Part};
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::planner::Planner;
use crate::config::{ConfigError, DatasetConfig, ImagesConfig, suggestion};

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
    /// How many training images there are, where that is known before they are read.
    pub train_images: Option<usize>,
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
    pub(super) fn settings(&self) -> Value {
        // What is left out is what the options or the files have; where these are,
        // inputs and outputs tell.
        let Self {
            name,
            format: _,
            dir: _,
            classes,
            image_shape: _,
            train_images: _,
        } = self;
        json!({
            "name": name, "classes": classes,
            "pictures": self.pictures().map(ImageFolder::options),
        })
    }

    /// What becomes of pictures, where it is a folder of such.
    pub fn pictures(&self) -> Option<&ImageFolder> {
        match &self.format {
            DatasetFormat::Pictures(folder) => Some(folder),
            DatasetFormat::Published(_) | DatasetFormat::Idx => None,
        }
    }
}

impl Planner<'_> {
    pub(super) fn dataset(&self, config: &DatasetConfig) -> Result<DatasetPlan, ConfigError> {
        let name = &config.name.value;
        let dir = config
            .dir
            .as_ref()
            .map_or_else(|| PathBuf::from("data").join(name), |dir| dir.value.clone());
        if config.images.is_some() || config.classes.is_some() {
            self.check_own_name(config)?;
        }
        match (&config.images, &config.classes) {
            (Some(images), None) => self.pictures(config, images, dir),
            (Some(images), Some(_)) => Err(self.document.invalid(
                images.referenced,
                "the classes of pictures are the names of their folders".to_owned(),
                Some("take `classes` out, or `images` for IDX files".to_owned()),
            )),
            (None, Some(classes)) => self.idx(config, classes, dir),
            (None, None) => self.published(config, dir),
        }
    }

    /// Refuses the name of a published dataset: by it alone, a model's images
    /// would be fetched.
    fn check_own_name(&self, config: &DatasetConfig) -> Result<(), ConfigError> {
        let name = &config.name.value;
        if name.parse::<DatasetName>().is_err() {
            return Ok(());
        }
        Err(self.document.invalid(
            config.name.referenced,
            format!("`{name}` is a published dataset, but this one is of your own"),
            Some(
                "give it another name; for the published one, take out `classes` and `images`"
                    .into(),
            ),
        ))
    }

    fn check_classes(&self, classes: &Spanned<Vec<String>>) -> Result<(), ConfigError> {
        let names = &classes.value;
        let twice = names
            .iter()
            .enumerate()
            .find(|(index, name)| names[..*index].contains(name));
        match twice {
            None => Ok(()),
            Some((_, name)) => Err(self.document.invalid(
                classes.referenced,
                format!("the class `{name}` is there twice"),
                Some("give each class a name of its own".to_owned()),
            )),
        }
    }

    fn pictures(
        &self,
        config: &DatasetConfig,
        images: &Spanned<ImagesConfig>,
        dir: PathBuf,
    ) -> Result<DatasetPlan, ConfigError> {
        let options = images.value.into();
        let folder = ImageFolder::open(&dir, options).map_err(|error| match error {
            dataset::Error::Layout {
                problem: problem @ (LayoutError::Size { .. } | LayoutError::Fraction(_)),
                ..
            } => {
                let place = images.referenced;
                self.document.invalid(place, problem.to_string(), None)
            }
            other => self.unusable(config, &other),
        })?;
        let train_images = folder.count(Part::Train);
        if train_images == 0 {
            let fraction = options.test.fraction;
            return Err(self.document.invalid(
                images.referenced,
                format!(
                    "with `test: {{ fraction: {fraction} }}`, no pictures are left to train on"
                ),
                Some("choose a smaller fraction, such as 0.2".to_owned()),
            ));
        }
        Ok(DatasetPlan {
            train_images: Some(train_images),
            name: config.name.value.clone(),
            dir,
            classes: folder.classes().to_vec(),
            image_shape: options.shape,
            format: DatasetFormat::Pictures(folder),
        })
    }

    fn idx(
        &self,
        config: &DatasetConfig,
        classes: &Spanned<Vec<String>>,
        dir: PathBuf,
    ) -> Result<DatasetPlan, ConfigError> {
        self.check_classes(classes)?;
        let classes = &classes.value;
        let test = dataset::load_split(&dir, Part::Test, classes.len())
            .map_err(|error| self.unusable(config, &error))?;
        Ok(DatasetPlan {
            name: config.name.value.clone(),
            format: DatasetFormat::Idx,
            // What is wrong with that file, the stage tells.
            train_images: dataset::count_images(&dir, Part::Train).ok(),
            dir,
            classes: classes.clone(),
            image_shape: test.images().image_shape(),
        })
    }

    /// What is wrong with the folder, where the file names it.
    fn unusable(&self, config: &DatasetConfig, error: &dataset::Error) -> ConfigError {
        let place = config.dir.as_ref().map(|dir| dir.referenced);
        let place = place.unwrap_or(config.name.referenced);
        let hint = match error {
            dataset::Error::NoFolder(folder) if folder.is_relative() => {
                let here = std::env::current_dir().ok();
                here.map(|here| {
                    format!(
                        "paths are relative to the current folder, {}",
                        here.display()
                    )
                })
            }
            _ => None,
        };
        self.document.invalid(place, error.to_string(), hint)
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
            train_images: Some(published.train_images()),
        })
    }
}
