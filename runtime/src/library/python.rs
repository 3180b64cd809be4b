//! What the Python environment has installed.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Prints the folders of the package that is the first argument, without
/// importing it (that would take a second) and without looking into the working
/// folder, where anybody may have put a file of that name.
const FIND_PACKAGE: &str = "\
import sys
sys.path = [p for p in sys.path if p]
import importlib.util
spec = importlib.util.find_spec(sys.argv[1])
print('\\n'.join(spec.submodule_search_locations or []) if spec else '')
";

/// The interpreters to ask: of the active environment, then the usual one.
pub(super) fn interpreters() -> Vec<PathBuf> {
    let program = if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python3"
    };
    ["VIRTUAL_ENV", "CONDA_PREFIX"]
        .into_iter()
        .filter_map(env::var_os)
        .map(|environment| PathBuf::from(environment).join(program))
        // A relative one would be sought in the working folder.
        .filter(|interpreter| interpreter.is_absolute() && interpreter.is_file())
        .chain([if cfg!(windows) { "python" } else { "python3" }.into()])
        .collect()
}

/// The folders where the package `onnxruntime` keeps its libraries; never none.
/// The error is a reason in words.
pub(super) fn library_folders() -> Result<Vec<PathBuf>, String> {
    let mut reasons = Vec::new();
    for interpreter in interpreters() {
        match package_folders(&interpreter, "onnxruntime") {
            Ok(folders) if !folders.is_empty() => {
                return Ok(folders.iter().map(|folder| folder.join("capi")).collect());
            }
            Ok(_) => reasons.push(format!(
                "the package is not installed in `{}`",
                interpreter.display()
            )),
            Err(reason) => reasons.push(format!("`{}`: {reason}", interpreter.display())),
        }
    }
    Err(reasons.join("; "))
}

/// The folders of the CUDA and cuDNN libraries that the `nvidia-*` packages
/// install: (CUDA, cuDNN).
pub(crate) fn nvidia_folders() -> (Option<PathBuf>, Option<PathBuf>) {
    let roots: Vec<_> = interpreters()
        .iter()
        .filter_map(|interpreter| package_folders(interpreter, "nvidia").ok())
        .flatten()
        .collect();
    // In Windows, the packages for CUDA 13 have a folder for the processor.
    let names: &[&str] = match cfg!(windows) {
        true => &["bin/x86_64", "bin"],
        false => &["lib"],
    };
    let find = |package| first_folder(&roots, package, names);
    (find("cu13"), find("cudnn"))
}

/// The first folder of the `package` in `roots` that has one of these names.
fn first_folder(roots: &[PathBuf], package: &str, names: &[&str]) -> Option<PathBuf> {
    let packages = roots.iter().map(|root| root.join(package));
    packages
        .flat_map(|package| names.iter().map(move |name| package.join(name)))
        .find(|folder| folder.is_dir())
}

/// The folders of `package`, which are printed in UTF-8 whatever the system's own
/// encoding is: users have names of all languages.
fn package_folders(interpreter: &Path, package: &str) -> Result<Vec<PathBuf>, String> {
    let output = command(interpreter, Path::new("/"))
        .args(["-X", "utf8", "-c", FIND_PACKAGE, package])
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, last_line(&output.stderr)));
    }
    let folders = text.lines().filter(|line| !line.is_empty());
    Ok(folders.map(PathBuf::from).collect())
}

/// A call of `interpreter` in `folder`, which must be one that only who may be
/// trusted writes: Python runs what it finds there under the name of a module.
pub(super) fn command(interpreter: &Path, folder: &Path) -> Command {
    let mut command = Command::new(interpreter);
    command.current_dir(folder);
    command
}

/// The last line of what a program printed: where Python names its error.
pub(super) fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.trim().lines().last().unwrap_or_default().to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn folder_of_the_processor_comes_first() {
        let names = ["bin/x86_64", "bin"];
        let root = tempfile::tempdir().unwrap();
        let package = root.path().join("cu13");
        let roots = [PathBuf::from("none"), root.path().to_owned()];
        assert_eq!(first_folder(&roots, "cu13", &names), None);
        for name in ["bin", "bin/x86_64"] {
            std::fs::create_dir(package.join(name).parent().unwrap()).ok();
            std::fs::create_dir(package.join(name)).unwrap();
            let found = first_folder(&roots, "cu13", &names);
            assert_eq!(found, Some(package.join(name)));
        }
    }
}
