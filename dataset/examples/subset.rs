//! Writes a class-balanced subset of a published dataset as gzipped IDX files:
//! the first images of each class, in the order of the dataset.
//!
//! ```text
//! cargo run --release -p dataset --example subset -- mnist data/mnist dataset/fixtures/mnist 60 20
//! ```

use std::error::Error;
use std::path::{Path, PathBuf};

use dataset::{DatasetFile, DatasetName, Idx, Part, Split, fetch};
use flate2::{Compression, GzBuilder};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, from, to, train, test] = arguments.as_slice() else {
        return Err("usage: subset NAME FROM TO TRAIN_PER_CLASS TEST_PER_CLASS".into());
    };
    let name: DatasetName = name.parse()?;
    let (from, to) = (PathBuf::from(from), PathBuf::from(to));
    for file in fetch(name, &from)?.files {
        eprintln!("{file}");
    }
    write_part(&name.load(&from, Part::Train)?, train.parse()?, &to, TRAIN)?;
    write_part(&name.load(&from, Part::Test)?, test.parse()?, &to, TEST)
}

const TRAIN: [DatasetFile; 2] = [DatasetFile::TrainImages, DatasetFile::TrainLabels];
const TEST: [DatasetFile; 2] = [DatasetFile::TestImages, DatasetFile::TestLabels];

fn write_part(
    split: &Split,
    per_class: usize,
    folder: &Path,
    [images, labels]: [DatasetFile; 2],
) -> Result<(), Box<dyn Error>> {
    let subset = split.select(&first_of_each_class(split.labels(), per_class));
    let [n, _, height, width] = subset.images().shape().map(|dim| dim as u32);
    let (pixels, numbers) = (subset.images().pixels(), subset.labels());
    let pixels = Idx::new(vec![n, height, width], pixels.to_vec())?;
    write_gzip(&pixels, &folder.join(gzip_name(images)))?;
    write_gzip(
        &Idx::new(vec![n], numbers.to_vec())?,
        &folder.join(gzip_name(labels)),
    )
}

fn gzip_name(file: DatasetFile) -> String {
    format!("{}.gz", file.names()[0])
}

fn first_of_each_class(labels: &[u8], per_class: usize) -> Vec<usize> {
    let mut taken = [0; 256];
    let mut take = |&index: &usize| {
        let count = &mut taken[usize::from(labels[index])];
        *count += 1;
        *count <= per_class
    };
    (0..labels.len()).filter(|index| take(index)).collect()
}

/// The same bytes on every run: the gzip header holds no time and no name.
fn write_gzip(idx: &Idx, path: &Path) -> Result<(), Box<dyn Error>> {
    artifact::write(path, |file| {
        let mut encoder = GzBuilder::new().mtime(0).write(file, Compression::best());
        idx.encode(&mut encoder)?;
        encoder.finish().map(|_| ())
    })?;
    Ok(())
}
