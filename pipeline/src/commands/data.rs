//! `pipeline data show`: what a dataset looks like.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Subcommand, ValueEnum};
use dataset::Part;
use dataset::augment::Augment;
use output::message;
use pipeline::data::{Loaded, Sample, png, samples, strips};
use pipeline::plan::{Action, DatasetPlan, Plan};
use pipeline::run::Pipeline;
use pipeline::table::columns;

/// Look at the data
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(Show),
}

/// Show samples with their labels, the counts of the classes, mean and standard deviation
#[derive(Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    target: crate::Target,
    /// The dataset stage, or the train stage with --augmented [default: the first]
    #[arg(long, value_name = "NAME")]
    stage: Option<String>,
    /// Which images
    #[arg(long, value_enum, default_value_t = Which::Train)]
    part: Which,
    /// As the training sees them in its first epoch
    #[arg(long)]
    augmented: bool,
    /// Number of samples
    #[arg(long, value_name = "N", default_value_t = 20)]
    count: usize,
    /// Write the samples with their labels as a PNG file
    #[arg(long, value_name = "FILE.png", value_parser = png_file)]
    png: Option<PathBuf>,
    /// Print the numbers as JSON, and no samples
    #[arg(long)]
    json: bool,
}

fn png_file(path: &str) -> Result<PathBuf, &'static str> {
    let path = PathBuf::from(path);
    let ending = path.extension();
    match ending.is_some_and(|ending| ending.eq_ignore_ascii_case("png")) {
        true => Ok(path),
        false => Err("the file's name must end in .png"),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// The images that a model learns from
    Train,
    /// The images that it is evaluated on
    Test,
}

/// A stage that has nothing to show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no {kind} stage{}", named(.name))]
    NoStage {
        kind: &'static str,
        name: Option<String>,
    },
    #[error("the train stage `{0}` has no `augment:`, so it sees the images as they are")]
    NotAugmented(String),
}

fn named(name: &Option<String>) -> String {
    name.as_ref()
        .map_or_else(String::new, |name| format!(" `{name}`"))
}

/// Cells that a sample takes in the terminal.
const COLUMNS: usize = 16;
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let Command::Show(show) = &args.command;
    show.run()
}

impl Show {
    fn run(&self) -> anyhow::Result<()> {
        let plan = Pipeline::open(&self.target.file, &self.target.overrides)?.plan;
        let (dataset, augment) = match self.augmented {
            false => (self.dataset(&plan)?, None),
            true => {
                let (dataset, augment, seed) = self.training(&plan)?;
                (dataset, Some((augment, seed)))
            }
        };
        let loaded = Loaded::of(&dataset)?;
        let part = match self.part {
            Which::Train => Part::Train,
            Which::Test => Part::Test,
        };
        let augment = augment.as_ref().map(|(augment, seed)| (augment, *seed));
        let shown = samples(loaded.part(part), &dataset.classes, self.count, augment);
        if let Some(path) = &self.png {
            artifact::write_bytes(path, &png(&shown)?)?;
            message!("wrote {}", path.display());
        }
        let overview = loaded.overview(&dataset);
        if !self.json {
            in_terminal(&shown)?;
        }
        output::print(&overview, self.json)
    }

    fn dataset(&self, plan: &Plan) -> Result<Arc<DatasetPlan>, Refusal> {
        let found = plan.stages.iter().find_map(|stage| match &stage.action {
            Action::Dataset(dataset) if self.is_wanted(&stage.name) => Some(Arc::clone(dataset)),
            _ => None,
        });
        found.ok_or_else(|| self.missing("dataset"))
    }

    fn training(&self, plan: &Plan) -> Result<(Arc<DatasetPlan>, Augment, u64), Refusal> {
        let found = plan.stages.iter().find_map(|stage| match &stage.action {
            Action::Train(train) if self.is_wanted(&stage.name) => Some((&stage.name, train)),
            _ => None,
        });
        let (name, train) = found.ok_or_else(|| self.missing("train"))?;
        if train.settings.augment.is_identity() {
            return Err(Refusal::NotAugmented(name.clone()));
        }
        let settings = &train.settings;
        Ok((Arc::clone(&train.dataset), settings.augment, settings.seed))
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.stage.as_ref().is_none_or(|wanted| wanted == name)
    }

    fn missing(&self, kind: &'static str) -> Refusal {
        Refusal::NoStage {
            kind,
            name: self.stage.clone(),
        }
    }
}

/// The samples, where stdout is a terminal that can show them.
fn in_terminal(samples: &[Sample]) -> anyhow::Result<()> {
    if runtime::picture::protocol().is_none() {
        return Ok(());
    }
    let across = (usize::from(columns()) / COLUMNS).max(1);
    for (strip, labels) in strips(samples, across, COLUMNS) {
        let count = (strip.width() as usize).min(across * COLUMNS);
        output::ended(runtime::picture::show(&strip, count as u32).map(drop))?;
        output::write(format!("{labels}\n\n"))?;
    }
    Ok(())
}
