#![no_main]
//! Checkpoints: the archive and the state in it.

use libfuzzer_sys::fuzz_target;
use trainer::check_checkpoint;

fuzz_target!(|content: &[u8]| {
    let _ = check_checkpoint(&fuzz::file("step-00000001.tar", content));
});
