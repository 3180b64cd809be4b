#![no_main]
//! Networks in YAML, and the inference of their shapes.

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use models::ModelSpec;
use pipeline::config::Document;

fuzz_target!(|text: &str| {
    let document = Document::new(Path::new("net.yaml"), text.to_owned());
    if let Ok(network) = document.parse::<ModelSpec>() {
        let _ = network.resolve([3, 32, 32]);
    }
});
