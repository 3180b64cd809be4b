//! Hundreds of malformed files, each with the error that it must give: its
//! kind, words of its message, no panic, and no more memory than SECURITY.md
//! says. Each is a valid file with one thing wrong.
#![allow(clippy::unwrap_used)]

mod case;
mod checkpoint;
mod external;
mod idx;
mod memory;
mod onnx_file;
mod pictures;
mod results;
mod signature;
mod weights;
mod yaml;

#[test]
fn there_are_hundreds_of_them() {
    let _turn = case::turn();
    let elsewhere = std::path::Path::new("/elsewhere");
    let tables = [
        checkpoint::cases(),
        external::cases(elsewhere),
        idx::gzipped(),
        idx::labels(),
        idx::raw(),
        onnx_file::metadata(),
        onnx_file::structure(),
        onnx_file::tensors(),
        pictures::cifar(),
        pictures::pictures(),
        results::evaluations(),
        results::metrics(),
        signature::cases(),
        signature::keys(),
        weights::pytorch(),
        weights::safetensors(),
        yaml::layers(),
        yaml::locks(),
        yaml::shapes(),
        yaml::texts(),
    ];
    let files: usize = tables.iter().map(Vec::len).sum();
    assert!(files >= 400, "{files}");
}
