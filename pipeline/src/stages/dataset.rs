//! `dataset`: brings the files and checks them.

use dataset::Part;

use crate::plan::DatasetPlan;

impl DatasetPlan {
    /// Reads a part, with its checksums where they are known.
    pub(crate) fn load(&self, part: Part) -> Result<dataset::Split, dataset::Error> {
        match self.published {
            Some(name) => name.load(&self.dir, part),
            None => dataset::load_split(&self.dir, part, self.classes.len()),
        }
    }
}

pub(super) fn run(plan: &DatasetPlan) -> anyhow::Result<()> {
    if let Some(name) = plan.published {
        for file in &dataset::fetch(name, &plan.dir)?.files {
            eprintln!("  {file}");
        }
    }
    for part in [Part::Train, Part::Test] {
        let split = plan.load(part)?;
        let [images, channels, height, width] = split.images().shape();
        eprintln!("  {images} {part} images of {channels}×{height}×{width}");
    }
    Ok(())
}
