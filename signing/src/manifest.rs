//! The files of a model, with their digests.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use artifact::Sha256;

use crate::{Difference, Error};

/// The name of a model that is a single file.
const ALONE: &str = ".";

/// What git keeps in a folder for itself.
const GIT: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];

/// The files of a model by name, each component of a path compared by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest(BTreeMap<Vec<String>, Sha256>);

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its path within the model, with `/`; `.` for a model of one file.
    pub name: String,
    /// The SHA-256 of its content.
    pub digest: Sha256,
}

impl Manifest {
    /// The files at `model`, without those under the `ignored` paths.
    pub(crate) fn of(model: &Path, ignored: &[String]) -> Result<Self, Error> {
        let mut files = BTreeMap::new();
        if kind(model)? == Kind::File {
            files.insert(key(ALONE), Sha256::of_file(model)?);
        } else {
            let ignored: Vec<_> = ignored.iter().map(|name| key(name)).collect();
            collect(model, &mut Vec::new(), &ignored, &mut files)?;
        }
        Ok(Self(files))
    }

    /// Of resources that a bundle lists; the name that is there twice else.
    pub(crate) fn from_resources(
        resources: impl IntoIterator<Item = Resource>,
    ) -> Result<Self, String> {
        let mut files = BTreeMap::new();
        for Resource { name, digest } in resources {
            if files.insert(key(&name), digest).is_some() {
                return Err(name);
            }
        }
        Ok(Self(files))
    }

    /// The files, in order.
    pub fn resources(&self) -> impl Iterator<Item = Resource> {
        self.0.iter().map(|(name, digest)| Resource {
            name: name.join("/"),
            digest: *digest,
        })
    }

    /// How `found` differs from what was signed, in the order of the names.
    pub(crate) fn differences(&self, found: &Self) -> Vec<Difference> {
        let missing = self.0.keys().filter(|name| !found.0.contains_key(*name));
        let missing = missing.map(|name| Difference::Missing {
            name: name.join("/"),
        });
        let others = found.0.iter().filter_map(|(name, &found)| {
            let signed = self.0.get(name).copied();
            let name = name.join("/");
            match signed {
                None => Some(Difference::Added { name }),
                Some(signed) if signed == found => None,
                Some(signed) => Some(Difference::Content {
                    name,
                    signed,
                    found,
                }),
            }
        });
        missing.chain(others).collect()
    }
}

/// The digest over all files of a model: the SHA-256 of their digests, one after
/// the other, as bytes.
pub(crate) fn root<'a>(digests: impl Iterator<Item = &'a Sha256>) -> Sha256 {
    let bytes: Vec<u8> = digests.flat_map(|digest| *digest.bytes()).collect();
    Sha256::of_bytes(&bytes)
}

/// What is not signed in the folder `model`: git's files and the signature
/// itself. A single file has nothing of that.
pub(crate) fn usually_ignored(model: &Path, signature: &Path) -> Vec<String> {
    if !model.is_dir() {
        return Vec::new();
    }
    let mut names = GIT.map(str::to_owned).to_vec();
    names.extend(inside(model, signature));
    names.sort();
    names
}

/// The path of `file` within `folder`, if it lies there.
fn inside(folder: &Path, file: &Path) -> Option<String> {
    let parent = match file.parent()? {
        parent if parent.as_os_str().is_empty() => Path::new("."),
        parent => parent,
    };
    let parent = fs::canonicalize(parent).ok()?;
    let parent = parent.strip_prefix(fs::canonicalize(folder).ok()?).ok()?;
    let names = parent.join(file.file_name()?);
    let names: Option<Vec<_>> = names.iter().map(|name| name.to_str()).collect();
    Some(names?.join("/"))
}

/// The components of a path in a bundle.
fn key(name: &str) -> Vec<String> {
    name.split('/').map(ToOwned::to_owned).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
}

/// Links are not followed.
fn kind(path: &Path) -> Result<Kind, Error> {
    let found = fs::symlink_metadata(path).map_err(artifact::Error::new("read", path))?;
    if found.is_file() {
        Ok(Kind::File)
    } else if found.is_dir() {
        Ok(Kind::Folder)
    } else {
        let path = path.to_owned();
        Err(Error::NotAFile { path })
    }
}

/// Adds all files under `folder`, whose path within the model is `within`.
fn collect(
    folder: &Path,
    within: &mut Vec<String>,
    ignored: &[Vec<String>],
    files: &mut BTreeMap<Vec<String>, Sha256>,
) -> Result<(), Error> {
    let failed = |error| Error::File(artifact::Error::new("read", folder)(error));
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        within.push(name(&path)?);
        if !ignored.contains(within) {
            match kind(&path)? {
                Kind::File => {
                    files.insert(within.clone(), Sha256::of_file(&path)?);
                }
                Kind::Folder => collect(&path, within, ignored, files)?,
            }
        }
        within.pop();
    }
    Ok(())
}

fn name(path: &Path) -> Result<String, Error> {
    match path.components().next_back() {
        Some(Component::Normal(name)) => name.to_str().map(ToOwned::to_owned),
        _ => None,
    }
    .ok_or_else(|| Error::Name {
        path: PathBuf::from(path),
    })
}
