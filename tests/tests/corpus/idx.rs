//! IDX files of images and labels, raw and gzipped.

use std::io::Write;

use dataset::{Idx, Part, load_split};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::case::{Case, Format, case, changed};

/// The reader's buffers, and what the file holds.
const MEMORY: fn(usize) -> usize = |length| (1 << 18) + length;

/// Two images of 3 × 2 pixels: magic number, count, height, width, pixels.
fn images() -> Vec<u8> {
    let header = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 2];
    header.into_iter().chain(0..12).collect()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn with_dims(dims: [u32; 3]) -> Vec<u8> {
    changed(&images(), |file| {
        file.splice(4..16, dims.into_iter().flat_map(u32::to_be_bytes));
    })
}

pub fn raw() -> Vec<Case> {
    let cut = |length: usize| images()[..length].to_vec();
    let set = |at: usize, byte: u8| changed(&images(), |file| file[at] = byte);
    let header = "expected 16 bytes, found";
    let mut cases = vec![
        case("empty", cut(0), "Truncated", header),
        case("cut in the magic number", cut(2), "Truncated", header),
        case("cut after the magic number", cut(4), "Truncated", header),
        case("cut in the count", cut(7), "Truncated", header),
        case("cut after the count", cut(8), "Truncated", header),
        case("cut in the height", cut(9), "Truncated", header),
        case("cut after the height", cut(12), "Truncated", header),
        case("cut in the width", cut(15), "Truncated", header),
        case(
            "no pixels",
            cut(16),
            "Truncated",
            "expected 28 bytes, found 16",
        ),
        case(
            "a pixel short",
            cut(27),
            "Truncated",
            "expected 28 bytes, found 27",
        ),
        case("signed bytes", set(2, 9), "Magic", "found 0x00000903"),
        case("32-bit floats", set(2, 13), "Magic", "found 0x00000d03"),
        case("labels", set(3, 1), "Magic", "found 0x00000801"),
        case("four dimensions", set(3, 4), "Magic", "found 0x00000804"),
        case("first byte not 0", set(0, 1), "Magic", "found 0x01000803"),
        case(
            "little-endian",
            [3, 8, 0, 0].repeat(7),
            "Magic",
            "0x03080000",
        ),
        case(
            "text",
            *b"label,pixel0,pixel1,pixel2\n",
            "Magic",
            "0x6c616265",
        ),
        case(
            "a pixel more",
            changed(&images(), |f| f.push(0)),
            "Oversized",
            "found 29",
        ),
        case("two files", images().repeat(2), "Oversized", "found 56"),
        case("no images", with_dims([0, 3, 2]), "Dimensions", "[0, 3, 2]"),
        case("no height", with_dims([2, 0, 2]), "Dimensions", "[2, 0, 2]"),
        case("no width", with_dims([2, 3, 0]), "Dimensions", "[2, 3, 0]"),
        case(
            "more than 64 bits",
            with_dims([u32::MAX; 3]),
            "Dimensions",
            "4294967295",
        ),
        case(
            "negative count",
            with_dims([1 << 31, 3, 2]),
            "Dimensions",
            "2147483648",
        ),
        case(
            "over 4 GiB",
            with_dims([1 << 16, 1 << 16, 2]),
            "Dimensions",
            "65536",
        ),
    ];
    for (name, dims) in [
        ("count", [u32::MAX >> 4, 3, 2]),
        ("height", [2, u32::MAX >> 4, 2]),
        ("width", [2, 3, u32::MAX >> 4]),
        ("terabytes less one", [1 << 16, 1 << 15, 2]),
    ] {
        let name = format!("{name} beyond the file");
        cases.push(case(name, with_dims(dims), "Truncated", "found 28"));
    }
    cases
}

pub fn gzipped() -> Vec<Case> {
    let whole = gzip(&images());
    let end = whole.len();
    let set = |at: usize, byte: u8| changed(&whole, |file| file[at] ^= byte);
    let mut promise = with_dims([1 << 10, 1 << 10, 1 << 10]);
    promise.truncate(16);
    let bomb = changed(&images(), |file| file.resize(1 << 25, 0));
    vec![
        case("magic number alone", &whole[..2], "Truncated", "found 0"),
        case("cut in the header", &whole[..9], "Truncated", "found 0"),
        case("cut in the stream", &whole[..20], "Truncated", "expected"),
        case(
            "without its checksum",
            &whole[..end - 8],
            "Read",
            "cannot be read",
        ),
        case(
            "cut in the checksum",
            &whole[..end - 5],
            "Read",
            "cannot be read",
        ),
        case(
            "another compression",
            set(2, 1),
            "Read",
            "invalid gzip header",
        ),
        case("damaged blocks", set(10, 0x06), "Read", "cannot be read"),
        case("another checksum", set(end - 8, 1), "Read", "checksum"),
        case("another length", set(end - 4, 1), "Read", "checksum"),
        case(
            "of nothing",
            gzip(b""),
            "Truncated",
            "expected 16 bytes, found 0",
        ),
        case(
            "of a header",
            gzip(&images()[..16]),
            "Truncated",
            "expected 28 bytes, found 16",
        ),
        case(
            "of labels",
            gzip(&[0, 0, 8, 1, 0, 0, 0, 0]),
            "Magic",
            "0x00000801",
        ),
        case("twice compressed", gzip(&whole), "Magic", "0x1f8b08"),
        case(
            "with bytes behind it",
            changed(&whole, |f| f.push(0)),
            "TrailingData",
            "further bytes",
        ),
        case(
            "two of them",
            whole.repeat(2),
            "TrailingData",
            "further bytes",
        ),
        case(
            "of a pixel more",
            gzip(&[images(), vec![0]].concat()),
            "Oversized",
            "found 29",
        ),
        case(
            "of 32 MiB more",
            gzip(&bomb),
            "Oversized",
            "expected 28 bytes",
        ),
        case(
            "of a GiB that is not there",
            gzip(&promise),
            "Truncated",
            "expected 1073741840",
        ),
        case(
            "of no images",
            gzip(&with_dims([0, 1, 1])),
            "Dimensions",
            "[0, 1, 1]",
        ),
    ]
}

#[test]
fn raw_files() {
    let folder = tempfile::tempdir().unwrap();
    let format = Format {
        folder: folder.path(),
        file: "images",
        memory: MEMORY,
    };
    format.refuses(&images(), raw, |path| Idx::read(path, 3));
}

#[test]
fn gzipped_files() {
    let folder = tempfile::tempdir().unwrap();
    let format = Format {
        folder: folder.path(),
        file: "images.gz",
        memory: MEMORY,
    };
    format.refuses(&gzip(&images()), gzipped, |path| Idx::read(path, 3));
}

/// Labels of two images, of three classes.
pub fn labels() -> Vec<Case> {
    let labels = |labels: &[u8]| [&[0, 0, 8, 1, 0, 0, 0, labels.len() as u8], labels].concat();
    vec![
        case("a class too many", labels(&[0, 3]), "Label", "label 1 is 3"),
        case(
            "no class at all",
            labels(&[255, 0]),
            "Label",
            "label 0 is 255",
        ),
        case("a label short", labels(&[1]), "Count", "holds 1 labels"),
        case(
            "a label more",
            labels(&[1, 2, 0]),
            "Count",
            "holds 3 labels",
        ),
        case("no labels", labels(&[]), "Dimensions", "[0]"),
        case("images", images(), "Magic", "0x00000803"),
    ]
}

#[test]
fn label_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t10k-images-idx3-ubyte"), images()).unwrap();
    let format = Format {
        folder: folder.path(),
        file: "t10k-labels-idx1-ubyte",
        memory: MEMORY,
    };
    let seed = [0, 0, 8, 1, 0, 0, 0, 2, 0, 2];
    format.refuses(&seed, labels, |_| load_split(folder.path(), Part::Test, 3));
}
