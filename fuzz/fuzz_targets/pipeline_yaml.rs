#![no_main]
//! pipeline.yaml, up to the plan of its stages; with another folder of results, which makes
//! another file of it; and as a sweep.

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use pipeline::config::{Config, Document};
use pipeline::plan::plan;

fuzz_target!(|text: &str| {
    let document = Document::new(Path::new("pipeline.yaml"), text.to_owned());
    let _ = plan(&document);
    let _ = document.combinations();
    let output = "output=elsewhere".parse();
    let (Ok(config), Ok(output)) = (document.parse::<Config>(), output) else {
        return;
    };
    if config.matrix.is_empty() {
        let moved = document.with(&[output]).and_then(|moved| moved.parse());
        let moved: Config = moved.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(moved.stages.len(), config.stages.len());
    }
});
