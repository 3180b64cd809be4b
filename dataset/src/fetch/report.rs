//! What a fetch did, and why one failed.

use std::fmt;
use std::path::PathBuf;

use artifact::Sha256;

use crate::{DatasetFile, SourceError};

/// What a fetch brought; nothing when all was there.
#[derive(Debug, Default)]
pub struct Fetched {
    /// The files that were brought, in the order of their arrival.
    pub files: Vec<FetchedFile>,
}

/// A file that a fetch brought. Displayed as a line for people.
#[derive(Debug)]
pub struct FetchedFile {
    /// What it holds, in words.
    pub file: &'static str,
    /// Where it came from.
    pub source: String,
}

/// A dataset that could not be fetched: what each source answered, and which
/// files to put where.
#[derive(Debug)]
pub struct FetchError {
    /// The dataset's name.
    pub name: &'static str,
    /// The folder it was to be in.
    pub folder: PathBuf,
    /// Each source with its reason, in the order they were asked.
    pub refusals: Vec<(String, SourceError)>,
    /// What is still needed.
    pub needed: Needed,
}

/// What the folder of a dataset still lacks.
#[derive(Debug)]
pub enum Needed {
    /// Some of four files, with the digests of the raw ones, as published.
    Files(Vec<(DatasetFile, Sha256)>),
    /// An archive, or the files in it.
    Archive {
        /// The archive's name.
        name: &'static str,
        /// The archive's digest, as published.
        sha256: Sha256,
        /// The files that serve as well.
        members: Vec<&'static str>,
    },
}

impl fmt::Display for FetchedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.file, self.source)
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "cannot fetch {}: no source has all files", self.name)?;
        for (source, reason) in &self.refusals {
            writeln!(f, "  {source}: {reason}")?;
        }
        let folder = self.folder.display();
        match &self.needed {
            Needed::Files(files) => {
                write!(
                    f,
                    "put these files, raw or gzipped with `.gz` added, in {folder}:"
                )?;
                files.iter().try_for_each(|(file, sha256)| {
                    write!(f, "\n  {}  SHA-256 {sha256}", file.names()[0])
                })
            }
            Needed::Archive {
                name,
                sha256,
                members,
            } => write!(
                f,
                "put these files in {folder}:\n  {name}  SHA-256 {sha256}\n\
                 or those that are in it:\n  {}",
                members.join("\n  ")
            ),
        }
    }
}

impl std::error::Error for FetchError {}
