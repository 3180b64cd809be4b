//! ONNX Runtime as a shared library: found on this machine, or fetched once.
//!
//! ONNX Runtime is not linked but loaded at run time, so that a program builds
//! and starts without it. [`load`] looks in these places, in this order:
//!
//! 1. the path the caller gives (`--ort-lib`)
//! 2. the path in `ORT_DYLIB_PATH`
//! 3. the folder of the executable
//! 4. Burnish's cache, where [`fetch`] puts it
//! 5. the `onnxruntime` package of the Python environment
//! 6. the system's library folders
//!
//! and fetches it if it is in none of them. A path that somebody names (1, 2)
//! must work: nothing else is tried in its place.

mod cache;
mod places;
mod python;
mod wheel;

pub use places::Place;
pub use wheel::{Build, FetchError, VERSION, fetch};

pub(crate) use python::nvidia_folders;

use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;
use output::message;

/// ONNX Runtime, loaded into this process. Clones are the same library.
#[derive(Debug, Clone)]
pub struct Library {
    path: PathBuf,
    version: String,
    place: Place,
    environment: Environment,
}

impl Library {
    /// The file that was loaded.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its version, like `1.31.1`; `1.31` where it does not tell the rest.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where it was found.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The process' environment, for sessions of one's own.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// A library that is not found or does not load.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The library that somebody named does not work.
    #[error("cannot load ONNX Runtime from `{}` ({place}): {reason}", path.display())]
    Named {
        /// Who named it.
        place: Place,
        /// The file.
        path: PathBuf,
        /// Why it does not load.
        reason: String,
    },
    /// It is nowhere and cannot be fetched.
    #[error(
        "ONNX Runtime is not on this machine and could not be fetched; tried:{}",
        list(tried)
    )]
    NotFound {
        /// Every place, with what was wrong there.
        tried: Vec<Attempt>,
        /// Why it could not be fetched.
        #[source]
        fetch: FetchError,
    },
    /// What was fetched, now or earlier, does not load here.
    #[error("ONNX Runtime in Burnish's cache, `{}`, does not load: {reason}", path.display())]
    Fetched {
        /// The file.
        path: PathBuf,
        /// Why it does not load.
        reason: String,
    },
    /// A process can load one library only.
    #[error(
        "cannot load ONNX Runtime from `{}`: this process has already loaded `{}`",
        asked.display(),
        loaded.display()
    )]
    AlreadyLoaded {
        /// The library that is loaded.
        loaded: PathBuf,
        /// The library that was asked for.
        asked: PathBuf,
    },
}

impl Error {
    /// What the user can do.
    pub fn hint(&self) -> String {
        match self {
            Self::Named { place, .. } => format!(
                "correct {place} or leave it out: ONNX Runtime is then searched for and fetched"
            ),
            Self::NotFound { fetch, .. } => fetch.hint(),
            Self::Fetched { .. } => "delete that file's folder to fetch it again, or name \
                                     another library with ORT_DYLIB_PATH"
                .to_owned(),
            Self::AlreadyLoaded { .. } => "start a new process for another library".to_owned(),
        }
    }
}

/// A place where the library was looked for in vain.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The place.
    pub place: Place,
    /// What was wrong there.
    pub reason: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

/// One attempt a line, indented.
fn list(tried: &[Attempt]) -> String {
    tried.iter().fold(String::new(), |mut text, attempt| {
        let _ = write!(text, "\n  {attempt}");
        text
    })
}

/// A process holds one ONNX Runtime with one environment, for as long as it lives.
static LOADED: Mutex<Option<Library>> = Mutex::new(None);

/// Loads ONNX Runtime: `explicit` if it is given, else the first that works of
/// the places above, else the one that is fetched. Later calls return the
/// library that is loaded.
///
/// # Errors
///
/// When a library that is named does not load, when there is none and none can
/// be fetched, or when another one is loaded already.
pub fn load(explicit: Option<&Path>) -> Result<Library, Error> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(library) = &*loaded {
        return reuse(library, explicit);
    }
    let library = find(explicit)?;
    *loaded = Some(library.clone());
    Ok(library)
}

fn reuse(library: &Library, explicit: Option<&Path>) -> Result<Library, Error> {
    let same = |path: &Path| path.canonicalize().ok() == library.path.canonicalize().ok();
    match explicit {
        Some(path) if !same(path) => Err(Error::AlreadyLoaded {
            loaded: library.path.clone(),
            asked: path.to_owned(),
        }),
        _ => Ok(library.clone()),
    }
}

fn find(explicit: Option<&Path>) -> Result<Library, Error> {
    if let Some((place, path)) = places::named(explicit) {
        return open(&path, place).map_err(|reason| Error::Named {
            place,
            path,
            reason,
        });
    }
    let mut tried = Vec::new();
    for place in Place::SEARCHED {
        match search(place) {
            Ok(library) => return Ok(library),
            Err(attempts) => tried.extend(attempts),
        }
    }
    let path = fetch(Build::Cpu).map_err(|fetch| Error::NotFound { tried, fetch })?;
    open(&path, Place::Cache).map_err(|reason| Error::Fetched { path, reason })
}

/// The first library of `place` that loads, or what was wrong with each.
fn search(place: Place) -> Result<Library, Vec<Attempt>> {
    let attempt = |reason| Attempt { place, reason };
    let candidates = places::candidates(place).map_err(|reason| vec![attempt(reason)])?;
    let mut failures = Vec::new();
    for path in candidates {
        match open(&path, place) {
            Ok(library) => return Ok(library),
            Err(reason) => failures.push(attempt(format!("`{}`: {reason}", path.display()))),
        }
    }
    Err(failures)
}

/// Loads the library at `path`; the error is a reason in words.
///
/// What ONNX Runtime logs, with names from models in it, is printed as all else is.
///
/// `ort::init` is never used: it reads `ORT_DYLIB_PATH` itself and panics when
/// that is wrong.
fn open(path: &Path, place: Place) -> Result<Library, String> {
    // ort looks for relative paths beside the executable first.
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    let environment = ort::init_from(&path)
        .map_err(|error| load_failure(&error))?
        .with_name("burnish")
        .with_telemetry(false)
        .with_logger(Arc::new(|level, _, _, _, message| {
            if level >= LogLevel::Error {
                message!("ONNX Runtime: {}", message.trim_end());
            }
        }))
        .build()
        .map_err(|error| error.to_string())?;
    environment.set_log_level(LogLevel::Error);
    Ok(Library {
        version: version(&path),
        path,
        place,
        environment,
    })
}

/// The reason in words; the system's own, where it is the system that refused.
fn load_failure(error: &ort::LoadDynamicError) -> String {
    use ort::LoadDynamicError as E;
    match error {
        E::Dlopen { error, .. } => match std::error::Error::source(error) {
            Some(cause) => cause.to_string(),
            None => error.to_string(),
        },
        E::MissingApi { .. } => "it is a library, but not ONNX Runtime".to_owned(),
        E::InvalidVersionString => "it does not tell its version".to_owned(),
        E::BadVersion { version_str, .. } => format!(
            "its version {version_str} is too old, 1.{} or later is needed",
            ort::MINOR_VERSION
        ),
    }
}

/// The version of the library at `path`. It tells only the minor one itself;
/// the name of the file has the rest, if it has it.
fn version(path: &Path) -> String {
    let Some(minor) = ort::util::probe(path) else {
        return "unknown".to_owned();
    };
    let file = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
    match places::version_in(name).as_deref() {
        Some([1, named, patch]) if *named == minor => format!("1.{minor}.{patch}"),
        _ => format!("1.{minor}"),
    }
}
