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
        // Pictures have the shape of their options, other images that of their files.
        let Self {
            name,
            format: _,
            dir,
            classes,
            image_shape: _,
        } = self;
        json!({
            "name": name, "dir": dir, "classes": classes,
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
        Ok(DatasetPlan {
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
        classes: &[String],
        dir: PathBuf,
    ) -> Result<DatasetPlan, ConfigError> {
        let test = dataset::load_split(&dir, Part::Test, classes.len())
            .map_err(|error| self.unusable(config, &error))?;
        Ok(DatasetPlan {
            name: config.name.value.clone(),
            format: DatasetFormat::Idx,
            dir,
            classes: classes.to_vec(),
            image_shape: test.images().image_shape(),
        })
    }

    /// What is wrong with the folder, where the file names it.
    fn unusable(&self, config: &DatasetConfig, error: &dataset::Error) -> ConfigError {
        let place = config.dir.as_ref().map(|dir| dir.referenced);
        let place = place.unwrap_or(config.name.referenced);
        self.document.invalid(place, error.to_string(), None)
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
}
