//! CIFAR-10, which is published as one archive.
//!
//! Only the six files are taken out of it, under their own names: what else an
//! archive holds, or where it would have it put, does not matter.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use artifact::Sha256;
use flate2::bufread::GzDecoder;
use tar::Archive;

use super::report::{FetchError, Fetched, FetchedFile, Needed};
use super::source::{Source, SourceError};
use super::{http, transfer_bar};
use crate::cifar10::{ARCHIVE_FOLDER, MAX_BATCH_BYTES, batches, missing};
use crate::{DatasetName, Error};

/// An archive, as published.
pub(super) struct Published {
    pub(super) name: &'static str,
    pub(super) bytes: u64,
    pub(super) sha256: &'static str,
}

/// Its MD5 is c32a1d4ab5d03f1284b67883e8d87530, by which its site knows it.
pub(super) const ARCHIVE: Published = Published {
    name: "cifar-10-binary.tar.gz",
    bytes: 170_052_171,
    sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
};

/// What is transferred, in words.
const LABEL: &str = "archive";

impl Published {
    fn digest(&self) -> Sha256 {
        self.sha256.parse().expect("the constant is a digest")
    }
}

/// Brings those of the six files that it lacks into `folder`: out of the archive there, else out of
/// the one that the first of `sources` has.
pub(super) fn complete(
    archive: &Published,
    folder: &Path,
    sources: &[Source],
) -> Result<Fetched, Error> {
    let wanted = missing(folder)?;
    if wanted.is_empty() {
        return Ok(Fetched::default());
    }
    let at_hand = folder.join(archive.name);
    if at_hand.is_file() {
        let (expected, found) = (archive.digest(), Sha256::of_file(&at_hand)?);
        if found != expected {
            return Err(Error::Checksum {
                path: at_hand,
                expected,
                found,
            });
        }
        extract(&at_hand, folder, wanted).map_err(artifact::Error::new("unpack", &at_hand))?;
        return Ok(fetched(at_hand.display().to_string()));
    }
    artifact::sweep_abandoned(folder)?;
    // A folder that cannot be written is told before anything is downloaded.
    artifact::temporary_beside(&at_hand)?;
    let mut refusals = Vec::new();
    for source in sources {
        match ask(source, archive, folder, &wanted) {
            Ok(()) => return Ok(fetched(source.to_string())),
            Err(reason) => refusals.push((source.to_string(), reason)),
        }
    }
    Err(Error::from(Box::new(FetchError {
        name: DatasetName::Cifar10.as_str(),
        folder: folder.to_owned(),
        refusals,
        needed: Needed::Archive {
            name: archive.name,
            sha256: archive.digest(),
            members: batches().to_vec(),
        },
    })))
}

fn fetched(source: String) -> Fetched {
    Fetched {
        files: vec![FetchedFile {
            file: LABEL,
            source,
        }],
    }
}

/// Downloads the archive under a temporary name, checks it and unpacks it.
fn ask(
    source: &Source,
    archive: &Published,
    folder: &Path,
    wanted: &[&'static str],
) -> Result<(), SourceError> {
    let Source::Mirror { base } = source else {
        return Err(SourceError::Archive(io::Error::other(
            "only a mirror has CIFAR-10's archive",
        )));
    };
    let temporary = artifact::temporary_beside(&folder.join(archive.name))?;
    let mut content = http::open(base, archive.name, archive.bytes + 1)?;
    let bar = transfer_bar(LABEL, archive.bytes);
    let copied = io::copy(&mut content, &mut bar.wrap_write(temporary.as_file()));
    bar.finish_and_clear();
    copied.map_err(|reason| SourceError::Transfer {
        file: LABEL,
        reason,
    })?;
    let (expected, found) = (archive.digest(), Sha256::of_file(temporary.path())?);
    if found != expected {
        return Err(SourceError::Checksum {
            file: LABEL,
            expected,
            found,
        });
    }
    extract(temporary.path(), folder, wanted.to_vec()).map_err(SourceError::Archive)
}

/// Takes the `missing` files out of the archive at `path` into `folder`.
fn extract(path: &Path, folder: &Path, mut missing: Vec<&'static str>) -> io::Result<()> {
    let decoder = GzDecoder::new(BufReader::new(File::open(path)?));
    // Besides the six there are a page and a list of names.
    let limit = MAX_BATCH_BYTES * (batches().len() as u64 + 1);
    let mut archive = Archive::new(decoder.take(limit));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let member = entry.path()?.into_owned();
        let is_at = |name: &&str| member == Path::new(ARCHIVE_FOLDER).join(name);
        let Some(index) = missing.iter().position(is_at) else {
            continue;
        };
        let name = missing.swap_remove(index);
        let mut content = (&mut entry).take(MAX_BATCH_BYTES + 1);
        artifact::write(&folder.join(name), |file| {
            io::copy(&mut content, file).map(|_| ())
        })
        .map_err(io::Error::other)?;
    }
    match missing.first() {
        None => Ok(()),
        Some(name) => Err(io::Error::other(format!("it holds no `{name}`"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    /// A gzipped tar archive with these files.
    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            // `set_path` would refuse what a hostile archive holds.
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    fn six(content: &[u8]) -> Vec<(String, &[u8])> {
        let path = |name| format!("{ARCHIVE_FOLDER}/{name}");
        batches().map(|name| (path(name), content)).to_vec()
    }

    fn published(bytes: &[u8]) -> Published {
        let sha256 = Sha256::of_bytes(bytes).to_string();
        Published {
            name: ARCHIVE.name,
            bytes: bytes.len() as u64,
            sha256: sha256.leak(),
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn only_the_six_files_are_taken_out_of_an_archive() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("cifar");
        let mut files = six(b"records");
        files.push(("../outside.bin".to_owned(), b"x"));
        files.push(("/tmp/burnish-outside.bin".to_owned(), b"x"));
        files.push((format!("{ARCHIVE_FOLDER}/../../test_batch.bin"), b"x"));
        let files: Vec<_> = files.iter().map(|(path, x)| (path.as_str(), *x)).collect();
        let bytes = archive(&files);
        artifact::write_bytes(&folder.join(ARCHIVE.name), &bytes).unwrap();

        complete(&published(&bytes), &folder, &[]).unwrap();

        assert_eq!(names(parent.path()), ["cifar"]);
        let mut expected = batches().map(str::to_owned).to_vec();
        expected.push(ARCHIVE.name.to_owned());
        expected.sort();
        assert_eq!(names(&folder), expected);
        assert_eq!(fs::read(folder.join("test_batch.bin")).unwrap(), b"records");
        assert!(!Path::new("/tmp/burnish-outside.bin").exists());
    }

    #[test]
    fn files_that_are_there_are_kept_and_one_of_another_length_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let files = six(b"records");
        let files: Vec<_> = files.iter().map(|(path, x)| (path.as_str(), *x)).collect();
        let bytes = archive(&files);
        artifact::write_bytes(&folder.path().join(ARCHIVE.name), &bytes).unwrap();
        let own = folder.path().join("data_batch_3.bin");
        let whole = vec![7; MAX_BATCH_BYTES as usize];
        fs::write(&own, &whole).unwrap();
        complete(&published(&bytes), folder.path(), &[]).unwrap();
        assert!(fs::read(&own).unwrap() == whole);

        let other = tempfile::tempdir().unwrap();
        let own = other.path().join("data_batch_3.bin");
        fs::write(&own, &whole[..3073]).unwrap();
        let error = complete(&published(&bytes), other.path(), &[]).unwrap_err();
        assert!(error.to_string().contains("move it away"), "{error}");
        assert_eq!(names(other.path()), ["data_batch_3.bin"]);
    }

    #[test]
    fn another_archive_is_refused_with_both_digests() {
        let folder = tempfile::tempdir().unwrap();
        artifact::write_bytes(&folder.path().join(ARCHIVE.name), b"cut off").unwrap();
        let error = complete(&ARCHIVE, folder.path(), &[]).unwrap_err();
        assert!(error.to_string().contains(ARCHIVE.sha256), "{error}");
        assert_eq!(names(folder.path()), [ARCHIVE.name]);
    }

    #[test]
    fn archive_without_one_of_the_files_is_refused_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let files = six(b"records");
        let files: Vec<_> = files.iter().map(|(path, x)| (path.as_str(), *x)).collect();
        let bytes = archive(&files[..5]);
        artifact::write_bytes(&folder.path().join(ARCHIVE.name), &bytes).unwrap();
        let error = complete(&published(&bytes), folder.path(), &[]).unwrap_err();
        assert!(error.to_string().contains("test_batch.bin"), "{error}");
    }
}
