#![no_main]
//! Files of CIFAR-10.

use dataset::cifar10;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    if let Ok(split) = cifar10::decode(content) {
        assert_eq!(split.len() * 3073, content.len());
    }
});
