//! `dataset`: brings the files and checks them.

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

pub(super) fn run(plan: &DatasetPlan) -> anyhow::Result<()> {
    plan.fetch()?;
    for part in [Part::Train, Part::Test] {
        let split = plan.load(part)?;
        let [images, channels, height, width] = split.images().shape();
        message!("  {images} {part} images of {channels}×{height}×{width}");
    }
    Ok(())
}
