#![no_main]
//! Bundles of signatures.

use libfuzzer_sys::fuzz_target;
use signing::Bundle;

fuzz_target!(|content: &[u8]| {
    if let Ok(bundle) = Bundle::from_json(content) {
        let json = bundle.to_json().expect("it was just read");
        assert_eq!(
            Bundle::from_json(&json).expect("it was just written"),
            bundle
        );
    }
});
