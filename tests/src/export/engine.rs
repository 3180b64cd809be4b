//! ONNX Runtime on any model.

use std::sync::OnceLock;

use runtime::{Library, TensorSession};

/// Loads a model.
pub fn session(model: &[u8]) -> Result<TensorSession, String> {
    TensorSession::load(library(), model).map_err(|error| error.to_string())
}

fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| runtime::library::load(None).unwrap())
}
