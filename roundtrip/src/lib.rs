//! Networks of Burn that were exported by `exporter` and read back by
//! burn-onnx's code generator, both while this crate was built.

pub mod networks;

/// What burn-onnx wrote, a module a file.
#[allow(missing_docs, clippy::all)]
pub mod generated {
    pub mod classifier {
        include!(concat!(env!("OUT_DIR"), "/generated/classifier.rs"));
    }
    pub mod autoencoder {
        include!(concat!(env!("OUT_DIR"), "/generated/autoencoder.rs"));
    }
    pub mod reader {
        include!(concat!(env!("OUT_DIR"), "/generated/reader.rs"));
    }
}
