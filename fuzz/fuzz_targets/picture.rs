#![no_main]
//! Pictures of any format.

use dataset::picture;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    if let Ok(picture) = picture::decode(content) {
        assert!(picture.width() <= picture::MAX_SIDE && picture.height() <= picture::MAX_SIDE);
        assert!(picture.as_bytes().len() as u64 <= picture::MAX_DECODED);
    }
});
