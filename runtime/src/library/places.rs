//! Where ONNX Runtime's shared library may be.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::{cache, python};

/// A place where the library is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The path the caller gave.
    Argument,
    /// The path in `ORT_DYLIB_PATH`.
    Variable,
    /// The folder of the executable.
    Executable,
    /// Burnish's cache.
    Cache,
    /// The Python environment.
    Python,
    /// The system's library folders.
    System,
}

impl Place {
    /// The places that are searched, in order.
    pub(super) const SEARCHED: [Self; 4] =
        [Self::Executable, Self::Cache, Self::Python, Self::System];
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Argument => "--ort-lib",
            Self::Variable => "ORT_DYLIB_PATH",
            Self::Executable => "beside the executable",
            Self::Cache => "Burnish's cache",
            Self::Python => "Python's onnxruntime",
            Self::System => "the system's library folders",
        })
    }
}

/// The library that somebody named, if anybody did.
pub(super) fn named(explicit: Option<&Path>) -> Option<(Place, PathBuf)> {
    let argument = explicit.map(|path| (Place::Argument, path.to_owned()));
    argument.or_else(|| {
        let variable = env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty())?;
        Some((Place::Variable, variable.into()))
    })
}

/// The libraries in `place`, the one to prefer first; never none. The error is
/// a reason in words.
pub(super) fn candidates(place: Place) -> Result<Vec<PathBuf>, String> {
    let folders = match place {
        Place::Argument | Place::Variable => Vec::new(),
        Place::Executable => vec![executable_folder()?],
        Place::Cache => cache::library_folders().map_err(|error| error.to_string())?,
        Place::Python => python::library_folders()?,
        Place::System => system_folders(),
    };
    let found: Vec<_> = folders
        .iter()
        .flat_map(|folder| libraries_in(folder))
        .collect();
    if found.is_empty() {
        return Err(format!("no `{}` in {}", file_name(), join(&folders)));
    }
    Ok(found)
}

fn join(folders: &[PathBuf]) -> String {
    let folders: Vec<_> = folders
        .iter()
        .map(|folder| format!("`{}`", folder.display()))
        .collect();
    folders.join(", ")
}

fn executable_folder() -> Result<PathBuf, String> {
    let executable = env::current_exe().map_err(|error| error.to_string())?;
    let folder = executable.parent().ok_or("the executable has no folder")?;
    Ok(folder.to_owned())
}

/// The library's name without a version.
fn file_name() -> String {
    use env::consts::{DLL_PREFIX, DLL_SUFFIX};
    format!("{DLL_PREFIX}onnxruntime{DLL_SUFFIX}")
}

/// The libraries in `folder`, without a version in the name first, then the
/// highest; none when the folder does not exist.
pub(super) fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = version_in(name.to_str()?)?;
            Some((version, entry.path()))
        })
        .collect();
    found.sort_by(|(a, _), (b, _)| a.is_empty().cmp(&b.is_empty()).then(a.cmp(b)).reverse());
    found.into_iter().map(|(_, path)| path).collect()
}

/// The version in the name of a library, empty where the name has none; none
/// when it is the name of something else. `libonnxruntime.so.1.31.1` (Linux),
/// `libonnxruntime.1.31.1.dylib` (macOS), `onnxruntime.dll` (Windows).
pub(super) fn version_in(name: &str) -> Option<Vec<u32>> {
    use env::consts::{DLL_PREFIX, DLL_SUFFIX};
    let rest = name.strip_prefix(DLL_PREFIX)?.strip_prefix("onnxruntime")?;
    let version = rest
        .strip_suffix(DLL_SUFFIX)
        .or_else(|| rest.strip_prefix(DLL_SUFFIX))?;
    let parts = version.split('.').skip(1);
    let numbers: Result<Vec<u32>, _> = parts.map(str::parse).collect();
    numbers
        .ok()
        .filter(|_| version.is_empty() || version.starts_with('.'))
}

/// The folders that the dynamic linker would search, and the usual ones.
fn system_folders() -> Vec<PathBuf> {
    let (variable, usual): (_, &[&str]) = if cfg!(target_os = "windows") {
        ("PATH", &[])
    } else if cfg!(target_os = "macos") {
        (
            "DYLD_LIBRARY_PATH",
            &["/opt/homebrew/lib", "/usr/local/lib"],
        )
    } else {
        ("LD_LIBRARY_PATH", LINUX_FOLDERS)
    };
    let listed = env::var_os(variable).unwrap_or_default();
    env::split_paths(&listed)
        .filter(|folder| folder.is_absolute())
        .chain(usual.iter().map(PathBuf::from))
        .collect()
}

const LINUX_FOLDERS: &[&str] = &[
    "/usr/local/lib",
    "/usr/lib",
    "/usr/lib64",
    #[cfg(target_arch = "x86_64")]
    "/usr/lib/x86_64-linux-gnu",
    #[cfg(target_arch = "aarch64")]
    "/usr/lib/aarch64-linux-gnu",
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn only_names_of_the_library_itself_are_taken() {
        assert_eq!(version_in("libonnxruntime.so"), Some(vec![]));
        assert_eq!(version_in("libonnxruntime.so.1.31.1"), Some(vec![1, 31, 1]));
        for other in [
            "libonnxruntime_providers_shared.so",
            "libonnxruntime.so.1.31.1.partial",
            "libonnxruntime.so1",
            "onnxruntime.so",
            "libonnxruntime.a",
        ] {
            assert_eq!(version_in(other), None, "{other}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn unversioned_name_comes_first_then_the_highest_version() {
        let folder = tempfile::tempdir().unwrap();
        let names = [
            "libonnxruntime.so.1.9.0",
            "libonnxruntime.so",
            "libonnxruntime.so.1.31.1",
        ];
        for name in names {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let found = libraries_in(folder.path());
        let found: Vec<_> = found.iter().map(|path| path.file_name().unwrap()).collect();
        assert_eq!(found, [names[1], names[2], names[0]]);
    }
}
