//! Burnish's cache: what was fetched, kept for later runs.

use std::env;
use std::path::PathBuf;

use super::wheel::Build;

/// A machine on which the cache has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no cache folder: neither BURNISH_CACHE nor a home folder is set")]
pub struct NoCache;

/// The cache: `BURNISH_CACHE`, or `burnish` in the platform's folder for caches.
pub(super) fn folder() -> Result<PathBuf, NoCache> {
    match variable("BURNISH_CACHE") {
        Some(folder) => Ok(std::path::absolute(&folder).unwrap_or(folder)),
        None => Ok(platform_folder().ok_or(NoCache)?.join("burnish")),
    }
}

fn platform_folder() -> Option<PathBuf> {
    if cfg!(target_os = "windows") {
        return variable("LOCALAPPDATA");
    }
    let home = || env::home_dir().filter(|home| home.is_absolute());
    if cfg!(target_os = "macos") {
        return Some(home()?.join("Library/Caches"));
    }
    // The XDG specification says to ignore a relative path.
    variable("XDG_CACHE_HOME")
        .filter(|folder| folder.is_absolute())
        .or_else(|| Some(home()?.join(".cache")))
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// The folder of a build of ONNX Runtime.
pub(super) fn library_folder(build: Build) -> Result<PathBuf, NoCache> {
    Ok(folder()?.join(format!("{}-{}", build.package(), super::VERSION)))
}

/// The folders of all builds. CUDA's comes first: who has fetched it wants it,
/// and it runs on the CPU as well.
pub(super) fn library_folders() -> Result<Vec<PathBuf>, NoCache> {
    [Build::Cuda, Build::Cpu]
        .map(library_folder)
        .into_iter()
        .collect()
}
