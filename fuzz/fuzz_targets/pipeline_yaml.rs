#![no_main]
//! pipeline.yaml, up to the plan of its stages.

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use pipeline::config::Document;
use pipeline::plan::plan;

fuzz_target!(|text: &str| {
    let _ = plan(&Document::new(Path::new("pipeline.yaml"), text.to_owned()));
});
