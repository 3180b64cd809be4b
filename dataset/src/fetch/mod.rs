//! Fetching a published dataset into a folder.
//!
//! A file arrives under a temporary name, is checked, and only then takes its
//! place, so that a folder never holds half a file, and several processes can
//! fetch into it at once.

mod cifar10;
mod command;
mod http;
mod package;
mod report;
mod source;
mod stream;

pub use report::{FetchError, Fetched, FetchedFile, Needed};
pub use source::{Source, SourceError};

use std::io::{self, BufReader, Read};
use std::path::Path;

use artifact::Sha256;
use flate2::bufread::GzDecoder;
use indicatif::{ProgressBar, ProgressStyle};

use crate::manifest::Manifest;
use crate::{DatasetFile, DatasetName, Error, idx};

/// Brings the files of dataset `name` into `folder`, from the first of
/// [`DatasetName::sources`] that has them; progress goes to stderr when that
/// is a terminal.
///
/// A file that is there stays: one with another checksum than the published
/// file's may be somebody's own.
///
/// # Errors
///
/// When a file that is there is not the published one, `folder` cannot be
/// written, or no source has a file that is needed; the error then lists what
/// each source answered, and which files to put where.
pub fn fetch(name: DatasetName, folder: &Path) -> Result<Fetched, Error> {
    fetch_from(name, folder, &name.sources())
}

/// As [`fetch`], from `sources` instead.
///
/// # Errors
///
/// As [`fetch`].
pub fn fetch_from(name: DatasetName, folder: &Path, sources: &[Source]) -> Result<Fetched, Error> {
    match name.manifest() {
        Some(manifest) => complete(&manifest, folder, sources),
        None => cifar10::complete(&cifar10::ARCHIVE, folder, sources),
    }
}

fn complete(manifest: &Manifest, folder: &Path, sources: &[Source]) -> Result<Fetched, Error> {
    let mut fetch = Fetch {
        manifest,
        folder,
        wanted: missing(manifest, folder)?,
        fetched: Fetched::default(),
    };
    if fetch.wanted.is_empty() {
        return Ok(fetch.fetched);
    }
    artifact::sweep_abandoned(folder)?;
    // A folder that cannot be written is told before anything is downloaded.
    artifact::temporary_beside(&folder.join("probe"))?;

    let mut refusals = Vec::new();
    for source in sources {
        if let Err(reason) = fetch.ask(source) {
            refusals.push((source.to_string(), reason));
        }
        if fetch.wanted.is_empty() {
            return Ok(fetch.fetched);
        }
    }
    let needed = fetch.wanted.into_iter();
    Err(Error::from(Box::new(FetchError {
        name: manifest.name,
        folder: folder.to_owned(),
        refusals,
        needed: Needed::Files(needed.map(|file| (file, manifest.sha256(file))).collect()),
    })))
}

impl DatasetName {
    /// Whether `folder` holds the files of this dataset, unaltered as far as
    /// their digests are published.
    pub fn is_complete(self, folder: &Path) -> bool {
        match self.manifest() {
            Some(manifest) => missing(&manifest, folder).is_ok_and(|files| files.is_empty()),
            None => crate::cifar10::missing(folder).is_ok_and(|files| files.is_empty()),
        }
    }
}

/// The files that `folder` lacks; those that are there must be the published
/// ones.
fn missing(manifest: &Manifest, folder: &Path) -> Result<Vec<DatasetFile>, Error> {
    let mut missing = Vec::new();
    for file in DatasetFile::ALL {
        let Some(path) = file.find(folder) else {
            missing.push(file);
            continue;
        };
        let (expected, found) = (manifest.sha256(file), idx::raw_sha256(&path)?);
        if found != expected {
            return Err(Error::Checksum {
                path,
                expected,
                found,
            });
        }
    }
    Ok(missing)
}

/// One fetch under way.
struct Fetch<'a> {
    manifest: &'a Manifest,
    folder: &'a Path,
    /// What is still needed.
    wanted: Vec<DatasetFile>,
    fetched: Fetched,
}

impl Fetch<'_> {
    /// Takes from `source` what is still needed, as far as it has it.
    fn ask(&mut self, source: &Source) -> Result<(), SourceError> {
        let wanted = self.wanted.clone();
        let label = source.to_string();
        source.deliver(&wanted, self.manifest, &mut |file, content| {
            self.receive(file, content, &label)
        })
    }

    /// Stores `content`, raw or gzipped, when it proves to be `file`.
    fn receive(
        &mut self,
        file: DatasetFile,
        content: &mut dyn Read,
        source: &str,
    ) -> Result<(), SourceError> {
        let path = self.folder.join(file.names()[0]);
        let temporary = artifact::temporary_beside(&path)?;
        let bar = transfer_bar(file.label(), self.manifest.bytes(file));
        // One byte more than the file has is enough to see that it is another.
        let limit = self.manifest.bytes(file) + 1;
        let copied = copy_raw(content, &mut bar.wrap_write(temporary.as_file()), limit);
        bar.finish_and_clear();
        copied.map_err(|reason| SourceError::Transfer {
            file: file.label(),
            reason,
        })?;

        let (expected, found) = (
            self.manifest.sha256(file),
            Sha256::of_file(temporary.path())?,
        );
        if found != expected {
            return Err(SourceError::Checksum {
                file: file.label(),
                expected,
                found,
            });
        }
        artifact::publish(temporary, &path)?;
        self.settle(file, source);
        Ok(())
    }

    /// Moves `file` from what is needed to what was fetched.
    fn settle(&mut self, file: DatasetFile, source: &str) {
        self.wanted.retain(|wanted| *wanted != file);
        self.fetched.files.push(FetchedFile {
            file: file.label(),
            source: source.to_owned(),
        });
    }
}

/// Copies at most `limit` bytes of the raw file that `content` is or holds.
fn copy_raw(content: &mut dyn Read, out: &mut impl io::Write, limit: u64) -> io::Result<()> {
    let mut content = BufReader::with_capacity(1 << 16, content);
    if idx::is_gzip(&mut content)? {
        io::copy(&mut GzDecoder::new(content).take(limit), out)?;
    } else {
        io::copy(&mut content.take(limit), out)?;
    }
    Ok(())
}

/// A bar for `bytes` of `file`; indicatif hides it unless stderr is a terminal.
fn transfer_bar(file: &'static str, bytes: u64) -> ProgressBar {
    let style = "{msg:16} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}";
    ProgressBar::new(bytes)
        .with_style(
            ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
        )
        .with_message(file)
}

#[cfg(test)]
mod tests;
