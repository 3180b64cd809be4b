//! `dataset`: brings the files and checks them.

use std::path::PathBuf;

use artifact::Sha256;
use dataset::Part;
use output::message;

use crate::plan::{DatasetFormat, DatasetPlan};

impl DatasetPlan {
    /// Brings the files of a published dataset, and says so.
    pub(crate) fn fetch(&self) -> Result<(), dataset::Error> {
        if let DatasetFormat::Published(name) = &self.format {
            for file in &dataset::fetch(*name, &self.dir)?.files {
                message!("  {file}");
            }
        }
        Ok(())
    }

    /// Reads a part, with its checksums where they are known.
    pub(crate) fn load(&self, part: Part) -> Result<dataset::Split, dataset::Error> {
        match &self.format {
            DatasetFormat::Published(name) => name.load(&self.dir, part),
            DatasetFormat::Idx => dataset::load_split(&self.dir, part, self.classes.len()),
            DatasetFormat::Pictures(folder) => folder.load(part),
        }
    }

    /// The digest of all files of it.
    pub(crate) fn digest(&self) -> Result<Sha256, dataset::Error> {
        match &self.format {
            DatasetFormat::Published(name) => name.digest(&self.dir),
            DatasetFormat::Idx => dataset::digest(&self.dir),
            DatasetFormat::Pictures(folder) => folder.digest(),
        }
    }
}

/// Two parts of a dataset that no network takes both.
#[derive(Debug, thiserror::Error)]
#[error(
    "the training images in {} are {}×{}, but those for the test {}×{}; bring both to one size",
    folder.display(), train[0], train[1], test[0], test[1]
)]
pub(crate) struct OtherSize {
    folder: PathBuf,
    /// Height and width.
    train: [usize; 2],
    test: [usize; 2],
}

pub(super) fn run(plan: &DatasetPlan) -> anyhow::Result<()> {
    plan.fetch()?;
    let size = |part| -> Result<[usize; 2], dataset::Error> {
        let split = plan.load(part)?;
        let [images, channels, height, width] = split.images().shape();
        message!("  {images} {part} images of {channels}×{height}×{width}");
        Ok([height, width])
    };
    let (train, test) = (size(Part::Train)?, size(Part::Test)?);
    if train != test {
        let folder = plan.dir.clone();
        return Err(OtherSize {
            folder,
            train,
            test,
        }
        .into());
    }
    Ok(())
}
