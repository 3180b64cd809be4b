//! Pictures, and CIFAR-10's files.

use std::fs;
use std::io::Write;

use dataset::{Fit, cifar10, fitted_pixels, picture};
use flate2::{Compression, write::ZlibEncoder};

use crate::case::{self, Case, Format, case, changed};
use crate::memory;

/// The file, as it is read, in the decoder, and what it says of the picture; the
/// pixels, and three times as much that decoders need beside them.
const MEMORY: fn(usize) -> usize = |length| 3 * length + 4 * picture::MAX_DECODED as usize;

const PNG: &[u8] = include_bytes!("../../../dataset/fixtures/digits/0/00.png");
const JPEG: &[u8] = include_bytes!("../../../dataset/fixtures/digits/0/01.jpg");
const WEBP: &[u8] = include_bytes!("../../../dataset/fixtures/digits/0/02.webp");
const ANIMATED: &[u8] = include_bytes!("../../../dataset/fixtures/webp/animated.webp");

/// CRC-32 of a chunk's type and data (PNG, annex D).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

/// The PNG with a byte of its header (IHDR, from 16 on) changed, and its
/// checksum made to fit.
fn png(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    changed(PNG, |file| {
        change(&mut file[16..29]);
        let crc = crc(&file[12..29]);
        file[29..33].copy_from_slice(&crc.to_be_bytes());
    })
}

fn png_of(width: u32, height: u32) -> Vec<u8> {
    png(|header| {
        header[..4].copy_from_slice(&width.to_be_bytes());
        header[4..8].copy_from_slice(&height.to_be_bytes());
    })
}

/// Where a marker of a JPEG stands.
fn marker(kind: u8) -> usize {
    let mut pairs = JPEG.windows(2);
    pairs.position(|pair| pair == [0xff, kind]).unwrap()
}

fn pngs() -> Vec<Case> {
    let data = PNG.windows(4).position(|kind| kind == b"IDAT").unwrap();
    let end = PNG.len() - 12;
    vec![
        case("empty", b"", "Format", "neither PNG, JPEG nor WebP"),
        case(
            "text",
            b"<!DOCTYPE html>",
            "Format",
            "neither PNG, JPEG nor WebP",
        ),
        case(
            "a GIF",
            b"GIF89a\x01\0\x01\0\0\0\0;",
            "Format",
            "neither PNG",
        ),
        case(
            "a BMP",
            b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0",
            "Format",
            "neither PNG",
        ),
        case("a TIFF", b"II*\0\x08\0\0\0\0\0", "Format", "neither PNG"),
        case(
            "a drawing",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            "Format",
            "neither PNG",
        ),
        case("PNG: signature cut", &PNG[..7], "Format", "neither PNG"),
        case("PNG: signature alone", &PNG[..8], "Damaged", "damaged"),
        case(
            "PNG: line ends converted",
            changed(PNG, |f| {
                f.remove(4);
            }),
            "Format",
            "neither PNG",
        ),
        case("PNG: cut in the header", &PNG[..20], "Damaged", "damaged"),
        case(
            "PNG: cut after the header",
            &PNG[..33],
            "Damaged",
            "damaged",
        ),
        case(
            "PNG: cut in the data",
            &PNG[..data + 20],
            "Damaged",
            "damaged",
        ),
        case(
            "PNG: without data",
            changed(PNG, |f| {
                f.drain(data - 4..end);
            }),
            "Damaged",
            "damaged",
        ),
        case(
            "PNG: other checksum of the header",
            changed(PNG, |f| f[30] ^= 1),
            "Damaged",
            "damaged",
        ),
        case(
            "PNG: no zlib stream",
            changed(PNG, |f| f[data + 4] ^= 0xff),
            "Damaged",
            "damaged",
        ),
        case(
            "PNG: chunk of gigabytes",
            changed(PNG, |f| f[data - 4] = 0x7f),
            "Damaged",
            "damaged",
        ),
        case(
            "PNG: chunk beyond 2 GiB",
            changed(PNG, |f| f[data - 4] = 0xff),
            "Damaged",
            "damaged",
        ),
        case("PNG: no width", png_of(0, 28), "Damaged", "damaged"),
        case("PNG: no height", png_of(28, 0), "Damaged", "damaged"),
        case(
            "PNG: wider than its data",
            png_of(29, 28),
            "Damaged",
            "damaged",
        ),
        case(
            "PNG: higher than its data",
            png_of(28, 16384),
            "Damaged",
            "damaged",
        ),
        case(
            "PNG: a side of 16385",
            png_of(16385, 1),
            "Dimensions",
            "too large",
        ),
        case(
            "PNG: negative side",
            png_of(1 << 31, 1),
            "Dimensions",
            "too large",
        ),
        case(
            "PNG: exapixels",
            png_of(0x7fff_ffff, 0x7fff_ffff),
            "Dimensions",
            "too large",
        ),
        case(
            "PNG: a gigabyte in 16-bit RGBA",
            png(|header| header.copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0, 16, 6, 0, 0, 0])),
            "Dimensions",
            "too large",
        ),
        case(
            "PNG: 3 bits",
            png(|header| header[8] = 3),
            "Damaged",
            "damaged",
        ),
        case(
            "PNG: unknown colours",
            png(|header| header[9] = 1),
            "Damaged",
            "damaged",
        ),
        case(
            "PNG: colours without a palette",
            png(|header| header[9] = 3),
            "Damaged",
            "damaged",
        ),
        case(
            "PNG: unknown compression",
            png(|header| header[10] = 1),
            "Damaged",
            "damaged",
        ),
        case(
            "PNG: unknown interlacing",
            png(|header| header[12] = 2),
            "Damaged",
            "damaged",
        ),
    ]
}

fn jpegs() -> Vec<Case> {
    let frame = marker(0xc0);
    let set = |at: usize, bytes: &[u8]| {
        changed(JPEG, |file| {
            file[at..at + bytes.len()].copy_from_slice(bytes)
        })
    };
    vec![
        case(
            "JPEG: start alone",
            &JPEG[..3],
            "Truncated",
            "end of the picture",
        ),
        case(
            "JPEG: cut in its tables",
            &JPEG[..marker(0xdb) + 9],
            "Truncated",
            "end of the picture",
        ),
        case(
            "JPEG: cut in the frame",
            &JPEG[..frame + 6],
            "Truncated",
            "end of the picture",
        ),
        case(
            "JPEG: cut in the scan",
            &JPEG[..JPEG.len() - 40],
            "Truncated",
            "end of the picture",
        ),
        case(
            "JPEG: without its end",
            &JPEG[..JPEG.len() - 2],
            "Truncated",
            "end of the picture",
        ),
        case(
            "JPEG: no width",
            set(frame + 7, &[0, 0]),
            "Damaged",
            "damaged",
        ),
        case(
            "JPEG: 65535 pixels a side",
            set(frame + 5, &[0xff; 4]),
            "Dimensions",
            "too large",
        ),
        case(
            "JPEG: a side of 16385",
            set(frame + 5, &[0x40, 0x01]),
            "Dimensions",
            "too large",
        ),
        case(
            "JPEG: no components",
            set(frame + 9, &[0]),
            "Damaged",
            "damaged",
        ),
        case(
            "JPEG: 255 components",
            set(frame + 9, &[255]),
            "Damaged",
            "damaged",
        ),
        case("JPEG: 12 bits", set(frame + 4, &[12]), "Damaged", "damaged"),
        case(
            "JPEG: lossless",
            set(frame + 1, &[0xc3]),
            "Damaged",
            "damaged",
        ),
        case(
            "JPEG: sampled not at all",
            set(frame + 11, &[0]),
            "Damaged",
            "damaged",
        ),
        case(
            "JPEG: table of no length",
            set(marker(0xdb) + 2, &[0, 0]),
            "Damaged",
            "damaged",
        ),
        case(
            "JPEG: unknown quantization",
            set(frame + 12, &[9]),
            "Damaged",
            "damaged",
        ),
        case(
            "JPEG: Huffman codes that overflow",
            set(marker(0xc4) + 5, &[0xff; 4]),
            "Damaged",
            "damaged",
        ),
    ]
}

fn webps() -> Vec<Case> {
    let set = |at: usize, bytes: &[u8]| {
        changed(WEBP, |file| {
            file[at..at + bytes.len()].copy_from_slice(bytes)
        })
    };
    // Its length is that of what is not there.
    let exif = webp(
        &[
            &chunk(b"VP8X", &[&[0x08][..], &[0; 9]].concat()),
            &lossless((1, 1))[..],
            b"EXIF\xff\xff\xff\xff",
        ]
        .concat(),
    );
    // A picture of one pixel, whose block has the group 65,535: no transforms, no cache,
    // a picture of numbers with five codes of a symbol each.
    let codes = [0x2f, 0, 0, 0, 0, 0x84, 0xfe, 0xf7, 0x3f, 0x22, 0, 0];
    // Without the flag of animations, a frame of it has the pixels.
    let frame = chunk(b"ANMF", &[&[0; 16][..], &chunk(b"VP8L", &codes)].concat());
    let still = chunk(b"VP8X", &[0; 10]);
    let hidden = webp(&[still, chunk(b"VP8 ", &[0; 10]), frame].concat());
    // Flags, sides of 3 and 1 pixels and a chunk stand behind a header of no length.
    let behind = chunk(&[0; 4], &[0; 2]);
    let short = webp(&[chunk(b"VP8X", b""), behind, lossless((3, 1))].concat());
    let canvas = [&b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0"[..], &[0xff; 6]].concat();
    vec![
        case(
            "WebP: another RIFF",
            set(8, b"WAVE"),
            "Format",
            "neither PNG",
        ),
        case("WebP: header alone", &WEBP[..12], "Damaged", "damaged"),
        case(
            "WebP: cut in the first chunk",
            &WEBP[..24],
            "Damaged",
            "damaged",
        ),
        case(
            "WebP: cut in the data",
            &WEBP[..WEBP.len() - 20],
            "Damaged",
            "damaged",
        ),
        case(
            "WebP: unknown chunk first",
            set(12, b"XXXX"),
            "Damaged",
            "damaged",
        ),
        case(
            "WebP: chunk of no length",
            set(16, &[0; 4]),
            "Damaged",
            "damaged",
        ),
        case(
            "WebP: no start code",
            set(20, &[0; 6]),
            "Damaged",
            "damaged",
        ),
        case("WebP: canvas of terapixels", canvas, "Damaged", "damaged"),
        case(
            "WebP: EXIF of 4 GiB",
            exif,
            "Truncated",
            "end of the picture",
        ),
        case(
            "WebP: 65,536 groups of codes",
            webp(&chunk(b"VP8L", &codes)),
            "Codes",
            "too many codes",
        ),
        case("WebP: animated", ANIMATED, "Animated", "save one of"),
        case(
            "WebP: codes in a frame without the flag of animations",
            hidden,
            "Animated",
            "save one of",
        ),
        case(
            "WebP: extended header of no length",
            short,
            "Damaged",
            "header is too short",
        ),
    ]
}

pub fn pictures() -> Vec<Case> {
    [pngs(), jpegs(), webps()].into_iter().flatten().collect()
}

#[test]
fn picture_files() {
    let folder = tempfile::tempdir().unwrap();
    let format = Format {
        folder: folder.path(),
        file: "picture",
        memory: MEMORY,
    };
    for seed in [PNG, JPEG, WEBP] {
        format.refuses(seed, Vec::new, picture::open);
    }
    format.refuses(PNG, pictures, picture::open);
}

/// The width and height of a picture with 256 MiB of pixels of so many bytes.
fn largest(pixel: u32) -> (u32, u32) {
    let side = picture::MAX_SIDE - 1;
    (side, side.min(picture::MAX_DECODED as u32 / side / pixel))
}

/// A PNG of zeros: its type of colours, the bits of a sample, the samples of a pixel.
fn largest_png(colours: u8, bits: u8, samples: u32) -> Vec<u8> {
    let pixel = samples * u32::from(bits) / 8;
    let (width, height) = largest(pixel);
    let mut zeros = ZlibEncoder::new(vec![], Compression::fast());
    let row = vec![0; 1 + (width * pixel) as usize];
    (0..height).for_each(|_| zeros.write_all(&row).unwrap());
    let [width, height] = [width, height].map(u32::to_be_bytes);
    let header = [&width[..], &height, &[bits, colours, 0, 0, 0]].concat();
    let chunk = |kind: &[u8], data: &[u8]| {
        let content = [kind, data].concat();
        let length = (data.len() as u32).to_be_bytes();
        [&length[..], &content, &crc(&content).to_be_bytes()].concat()
    };
    [
        &PNG[..8],
        &chunk(b"IHDR", &header),
        &chunk(b"IDAT", &zeros.finish().unwrap()),
        &chunk(b"IEND", b""),
    ]
    .concat()
}

/// A JPEG with the frame of SOF`process` (0: baseline, 2: progressive), of which
/// decoders keep all coefficients where its first scan has not all components.
fn largest_jpeg(process: u8, components: u8, scanned: u8) -> Vec<u8> {
    let (width, height) = largest(3);
    let segment = |kind: u8, content: &[u8]| {
        let length = (content.len() as u16 + 2).to_be_bytes();
        [&[0xff, kind][..], &length, content].concat()
    };
    let each = |count: u8, of: fn(u8) -> Vec<u8>| (1..=count).flat_map(of).collect::<Vec<u8>>();
    let [width, height] = [width, height].map(|side| (side as u16).to_be_bytes());
    let sampled = each(components, |id| vec![id, 0x11, 0]);
    let frame = [&[8][..], &height, &width, &[components], &sampled].concat();
    // One code, of one bit: no difference for DC, the end of the block for AC.
    let code = |class: u8| [&[class, 1][..], &[0; 16]].concat();
    let last = if process == 2 { 0 } else { 63 };
    let scan = [
        &[scanned][..],
        &each(scanned, |id| vec![id, 0]),
        &[0, last, 0],
    ]
    .concat();
    [
        &[0xff, 0xd8][..],
        &segment(0xdb, &[&[0][..], &[1; 64]].concat()),
        &segment(0xc0 + process, &frame),
        &segment(0xc4, &[code(0x00), code(0x10)].concat()),
        &segment(0xda, &scan),
        &[0; 64],
        &[0xff, 0xd9],
    ]
    .concat()
}

fn webp(chunks: &[u8]) -> Vec<u8> {
    let length = (chunks.len() as u32 + 4).to_le_bytes();
    [b"RIFF", &length[..], b"WEBP", chunks].concat()
}

/// A chunk of a WebP; its data have an even length.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    [kind, &(data.len() as u32).to_le_bytes()[..], data].concat()
}

/// The stream of a lossless WebP: each of its five codes has one symbol, which takes
/// no bits.
fn lossless((width, height): (u32, u32)) -> Vec<u8> {
    let header = (width - 1) | (height - 1) << 14;
    let stream = [&[0x2f][..], &header.to_le_bytes(), &[0x88, 0x88, 0x08]].concat();
    chunk(b"VP8L", &stream)
}

#[test]
fn largest_pictures_take_what_is_promised() {
    let _turn = case::turn();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture");
    for (name, file) in [
        ("grey PNG", largest_png(0, 8, 1)),
        ("grey PNG with alpha", largest_png(4, 8, 2)),
        ("PNG", largest_png(2, 8, 3)),
        ("16-bit PNG with alpha", largest_png(6, 16, 4)),
        ("JPEG, colour by colour", largest_jpeg(0, 3, 1)),
        ("progressive JPEG", largest_jpeg(2, 3, 3)),
        ("progressive JPEG for print", largest_jpeg(2, 4, 4)),
        ("WebP", webp(&lossless(largest(3)))),
    ] {
        fs::write(&path, &file).unwrap();
        let (pixels, peak) = memory::peak(|| {
            let picture = picture::open(&path).unwrap();
            [1, 3].map(|channels| fitted_pixels(&picture, [channels, 28, 28], Fit::Stretch))
        });
        assert_eq!(pixels.map(|pixels| pixels.len()), [28 * 28, 3 * 28 * 28]);
        let limit = MEMORY(file.len());
        assert!(peak <= limit, "{name}: {peak}");
    }
}

/// A label and 32 · 32 pixels in three colours.
const RECORD: usize = 3073;

fn records(labels: &[u8]) -> Vec<u8> {
    let record = |label: &u8| [&[*label][..], &[7; RECORD - 1]].concat();
    labels.iter().flat_map(record).collect()
}

pub fn cifar() -> Vec<Case> {
    let two = records(&[1, 2]);
    vec![
        case("empty", b"", "Length", "found 0 bytes"),
        case("a label alone", [3], "Length", "found 1 bytes"),
        case(
            "cut in the first record",
            &two[..RECORD - 1],
            "Length",
            "found 3072 bytes",
        ),
        case(
            "cut in the second record",
            &two[..RECORD + 1],
            "Length",
            "found 3074 bytes",
        ),
        case(
            "a byte more",
            changed(&two, |file| file.push(0)),
            "Length",
            "found 6147 bytes",
        ),
        case(
            "CIFAR-100: two labels each",
            vec![0; 3074],
            "Length",
            "found 3074",
        ),
        case(
            "a record too many",
            vec![0; RECORD * 10_001],
            "Length",
            "up to 30730000 bytes",
        ),
        case(
            "first label",
            records(&[10, 0]),
            "Label",
            "record 0 has the label 10",
        ),
        case(
            "last label",
            records(&[0, 9, 255]),
            "Label",
            "record 2 has the label 255",
        ),
        case(
            "pixels alone",
            vec![200; 2 * RECORD],
            "Label",
            "record 0 has the label 200",
        ),
        case(
            "gzipped",
            changed(&[0; RECORD], |file| file[..2].copy_from_slice(b"\x1f\x8b")),
            "Label",
            "31",
        ),
    ]
}

#[test]
fn cifar_files() {
    let folder = tempfile::tempdir().unwrap();
    let format = Format {
        folder: folder.path(),
        file: "test_batch.bin",
        memory: |length| 2 * length + (1 << 20),
    };
    format.refuses(&records(&[9, 0]), cifar, |path| {
        cifar10::load_split(path.parent().unwrap(), dataset::Part::Test)
    });
    fs::remove_file(folder.path().join("test_batch.bin")).unwrap();
}
