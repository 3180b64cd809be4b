//! What the targets share: files for readers that take a path.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

/// A file of this name with this content, until the next one.
///
/// # Panics
///
/// When it cannot be written.
pub fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = folder().join(name);
    fs::write(&path, content).expect("the folder for temporary files can be written");
    path
}

fn folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    FOLDER
        .get_or_init(|| TempDir::new_in(parent).expect("a folder can be made"))
        .path()
}

/// The network of the seeds for weights: `fc1` from 4 to 3.
///
/// # Panics
///
/// Never, as a built-in description is valid.
#[cfg(feature = "burn")]
pub fn network() -> models::Network {
    use burn::tensor::Device;
    use models::ModelSpec;
    use pipeline::config::Document;

    let text = "layers: [flatten, linear: 3]".to_owned();
    let document = Document::new(Path::new("net.yaml"), text);
    let spec: ModelSpec = document.parse().expect("valid YAML");
    let architecture = spec.resolve([1, 2, 2]).expect("valid shapes");
    architecture.init(&Device::flex())
}
