#![no_main]
//! Weights as `torch.save` writes them.

use libfuzzer_sys::fuzz_target;
use trainer::load_weights;

fuzz_target!(|content: &[u8]| {
    let network = fuzz::network();
    let _ = load_weights(network, &fuzz::file("w.pth", content));
});
