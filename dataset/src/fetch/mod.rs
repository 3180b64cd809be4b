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

pub use report::{FetchError, Fetched, FetchedFile, Needed, Problem, Unmet};
pub use source::{Source, SourceError};

use std::fs::File;
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
/// A file that is there with the right checksum stays, whatever brought it. A
/// file with another checksum stays until the right one has arrived.
///
/// # Errors
///
/// When `folder` cannot be written, or no source has a file that is needed;
/// the error then lists what each source answered, and which files to put
/// where.
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
        unmet: unmet(manifest, folder),
        fetched: Fetched::default(),
    };
    if fetch.unmet.is_empty() {
        return Ok(fetch.fetched);
    }
    artifact::sweep_abandoned(folder)?;
    // A folder that cannot be written is told before anything is downloaded.
    artifact::temporary_beside(&folder.join("probe"))?;

    let mut refusals = Vec::new();
    fetch.uncover();
    for source in sources {
        if fetch.unmet.is_empty() {
            break;
        }
        if let Err(reason) = fetch.ask(source) {
            refusals.push((source.to_string(), reason));
        }
    }
    if fetch.unmet.is_empty() {
        return Ok(fetch.fetched);
    }
    Err(Error::from(Box::new(FetchError {
        name: manifest.name,
        folder: folder.to_owned(),
        refusals,
        needed: Needed::Files(fetch.unmet),
    })))
}

impl DatasetName {
    /// Whether `folder` holds the files of this dataset, unaltered as far as
    /// their digests are published.
    pub fn is_complete(self, folder: &Path) -> bool {
        match self.manifest() {
            Some(manifest) => unmet(&manifest, folder).is_empty(),
            None => crate::cifar10::is_complete(folder),
        }
    }
}

fn unmet(manifest: &Manifest, folder: &Path) -> Vec<Unmet> {
    let needs = |file: DatasetFile| {
        let expected = manifest.sha256(file);
        let problem = match file.find(folder) {
            None => Problem::Missing,
            Some(path) => match idx::raw_sha256(&path) {
                Ok(found) if found == expected => return None,
                Ok(found) => Problem::Altered { path, found },
                Err(error) => Problem::Unreadable(Box::new(error)),
            },
        };
        Some(Unmet {
            file,
            expected,
            problem,
        })
    };
    DatasetFile::ALL.into_iter().filter_map(needs).collect()
}

/// One fetch under way.
struct Fetch<'a> {
    manifest: &'a Manifest,
    folder: &'a Path,
    unmet: Vec<Unmet>,
    fetched: Fetched,
}

impl Fetch<'_> {
    /// Takes what is needed from files in the folder that a wrong one hides.
    fn uncover(&mut self) {
        let wanted: Vec<_> = self.unmet.iter().map(|unmet| unmet.file).collect();
        for file in wanted {
            let places = file.places(self.folder).into_iter();
            for path in places.filter(|path| path.is_file()) {
                // One that does not serve is no reason to stop: the sources come next.
                let Ok(mut content) = File::open(&path) else {
                    continue;
                };
                let source = path.display().to_string();
                if self.receive(file, &mut content, &source).is_ok() {
                    break;
                }
            }
        }
    }

    /// Takes from `source` what is still needed, as far as it has it.
    fn ask(&mut self, source: &Source) -> Result<(), SourceError> {
        let wanted: Vec<_> = self.unmet.iter().map(|unmet| unmet.file).collect();
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
        let met = self.unmet.extract_if(.., |unmet| unmet.file == file);
        self.fetched.files.extend(met.map(|unmet| FetchedFile {
            file: file.label(),
            source: source.to_string(),
            instead_of: unmet.problem,
        }));
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
