#![no_main]
//! IDX files, raw and gzipped: what is read is written as it was.

use dataset::Idx;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    let path = fuzz::file("idx", content);
    for rank in [1, 3] {
        if let Ok(idx) = Idx::read(&path, rank) {
            let mut raw = Vec::new();
            idx.encode(&mut raw).expect("memory can be written");
            let again = Idx::read(&fuzz::file("again", &raw), rank);
            assert_eq!(again.expect("it was just written"), idx);
        }
    }
});
