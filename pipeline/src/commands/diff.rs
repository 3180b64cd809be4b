//! `pipeline diff`: two runs side by side.

use std::path::{Path, PathBuf};
use std::slice;

use output::print;
use pipeline::history::{Difference, History, Run};

/// Compare the settings and the results of two runs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of the one run, as `pipeline runs` lists it, or one that has it alone
    a: PathBuf,
    /// Folder of the other
    b: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A folder that does not stand for a run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotOne {
    #[error("there is no finished run in {}", .0.display())]
    None(PathBuf),
    #[error("there are several runs in {}: {names}", folder.display())]
    Several { folder: PathBuf, names: String },
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let (a, b) = (find(&args.a)?, find(&args.b)?);
    print(&Difference::between(&a, &b), args.json)
}

/// The run in `folder`. Its evaluation stands beside it.
fn find(folder: &Path) -> anyhow::Result<Run> {
    // What stands beside a link or `..` is not what stands beside its name; without the
    // slash at its end, a link is one.
    let is_link = folder.components().as_path().is_symlink();
    let folder = &match folder.file_name() {
        Some(_) if !is_link => folder.to_owned(),
        _ => folder.canonicalize().unwrap_or_else(|_| folder.to_owned()),
    };
    let absolute = std::path::absolute(folder)?;
    let beside = match folder.parent() {
        _ if !folder.join(trainer::SUMMARY).is_file() => folder,
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => absolute.parent().unwrap_or(folder),
    };
    let mut runs = History::under(slice::from_ref(&beside.to_owned()))?.runs;
    runs.retain(|run| std::path::absolute(&run.name).is_ok_and(|run| run.starts_with(&absolute)));
    let names: Vec<String> = runs
        .iter()
        .map(|run| run.name.display().to_string())
        .collect();
    match runs.len() {
        0 => Err(NotOne::None(folder.to_owned()).into()),
        1 => Ok(runs.remove(0)),
        _ => Err(NotOne::Several {
            folder: folder.to_owned(),
            names: names.join(", "),
        }
        .into()),
    }
}
