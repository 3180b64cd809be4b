//! Pictures from PNG, JPEG and WebP files, whoever made them.
//!
//! A picture of a few kilobytes can claim to be gigapixels. Files are read up to
//! [`MAX_FILE`], sides up to [`MAX_SIDE`] and decoded pixels up to [`MAX_DECODED`];
//! sizes are checked before anything is allocated for them.

use std::borrow::Cow;
use std::io::{Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

use crate::webp;

/// The most bytes that a file of a picture may have: 64 MiB.
pub const MAX_FILE: u64 = 64 << 20;
/// The most pixels that a side of a picture may have.
pub const MAX_SIDE: u32 = 1 << 14;
/// The most bytes that the pixels of a picture may take: 256 MiB, 89 megapixels
/// in 8-bit RGB.
pub const MAX_DECODED: u64 = 256 << 20;

/// A picture that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct PictureError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: PictureProblem,
}

/// What is wrong with a picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureProblem {
    /// The operating system refused it.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// The file is larger than [`MAX_FILE`].
    #[error("larger than {} MiB", MAX_FILE >> 20)]
    FileSize,
    /// The content is in no format that is known.
    #[error("neither PNG, JPEG nor WebP")]
    Format,
    /// The picture calls for more than [`MAX_SIDE`] or [`MAX_DECODED`].
    #[error(
        "too large: at most {MAX_SIDE} pixels a side and {} MiB in all are read",
        MAX_DECODED >> 20
    )]
    Dimensions,
    /// There are several pictures, one after the other.
    #[error("animated: save one of its pictures by itself")]
    Animated,
    /// The picture is divided into parts with too many Huffman codes, each of which
    /// takes memory.
    #[error("too many codes: at most {} groups of them are read", webp::MAX_GROUPS)]
    Codes,
    /// The file ends before the picture does.
    #[error("truncated: the end of the picture is missing")]
    Truncated,
    /// The content is damaged.
    #[error("damaged: {0}")]
    Damaged(image::ImageError),
}

/// The picture in the file at `path`, as [`decode`] has it.
///
/// # Errors
///
/// When the file cannot be read, is too large, or holds no picture.
pub fn open(path: &Path) -> Result<DynamicImage, PictureError> {
    let read = || decode(&artifact::read_at_most(path, MAX_FILE).map_err(unread)?);
    read().map_err(|problem| PictureError {
        path: path.to_owned(),
        problem,
    })
}

/// All bytes of `reader`, up to [`MAX_FILE`].
///
/// # Errors
///
/// When reading fails or there are more.
pub fn read_bounded(reader: impl Read) -> Result<Vec<u8>, PictureProblem> {
    let mut bytes = Vec::new();
    reader.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(PictureProblem::FileSize);
    }
    // It grew to up to twice what it holds.
    bytes.shrink_to_fit();
    Ok(bytes)
}

/// The picture that `bytes` hold: in 8 bits, grey or RGB; upright, as its EXIF
/// orientation says; and without transparency, as if it lay on white paper. It takes
/// no more than four times [`MAX_DECODED`] meanwhile, and twice what `bytes` do: beside
/// the pixels, JPEG may have all their coefficients, and WebP a frame of them twice.
///
/// # Errors
///
/// When it is of another format than PNG, JPEG and WebP, too large or damaged.
pub fn decode(bytes: &[u8]) -> Result<DynamicImage, PictureProblem> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let format = reader.format();
    if !matches!(
        format,
        Some(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP)
    ) {
        return Err(PictureProblem::Format);
    }
    if format == Some(ImageFormat::Jpeg) && !ends_as_jpeg(bytes) {
        return Err(PictureProblem::Truncated);
    }
    reader.limits(limits());
    let mut decoder = reader.into_decoder().map_err(problem)?;
    if decoder.total_bytes() > MAX_DECODED {
        return Err(PictureProblem::Dimensions);
    }
    if format == Some(ImageFormat::WebP) {
        webp::check(bytes, decoder.dimensions())?;
    }
    // A damaged EXIF block does not make the pixels worse.
    let orientation = decoder.orientation().ok();
    let mut picture = DynamicImage::from_decoder(decoder).map_err(problem)?;
    if let Some(orientation) = orientation {
        picture.apply_orientation(orientation);
    }
    Ok(on_paper(picture))
}

/// Whether the scans of a JPEG are followed by its end: the decoder fills what a
/// truncated one lacks with grey. Markers are 0xFF and a letter. Pictures within
/// segments are passed over with them; what stands behind the end, as in photographs
/// that move, is no part of the picture (ITU T.81, B.1.1).
fn ends_as_jpeg(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut is_scanned = false;
    while let Some((marker, behind)) = next_marker(rest) {
        rest = match marker {
            END if is_scanned => return true,
            // These have no length; those that are reserved are found in damaged scans.
            ..0xc0 | 0xd0..=END => behind,
            _ => past_segment(behind),
        };
        is_scanned |= marker == SCAN;
    }
    false
}

/// The markers of a JPEG's scans,
const SCAN: u8 = 0xda;
/// and of its end.
const END: u8 = 0xd9;

/// The letter of the next marker, and what is behind it. 0xFF may be repeated; before
/// a zero it is a value of the scan.
fn next_marker(mut bytes: &[u8]) -> Option<(u8, &[u8])> {
    loop {
        let start = bytes.iter().position(|byte| *byte == 0xff)?;
        bytes = &bytes[start..];
        let letter = bytes.iter().position(|byte| *byte != 0xff)?;
        let behind = &bytes[letter + 1..];
        match bytes[letter] {
            0 => bytes = behind,
            marker => return Some((marker, behind)),
        }
    }
}

/// What is behind the segment that begins with its length, those two bytes included.
fn past_segment(bytes: &[u8]) -> &[u8] {
    match bytes {
        [high, low, ..] => {
            let length = u16::from_be_bytes([*high, *low]);
            bytes.get(length.into()..).unwrap_or_default()
        }
        _ => &[],
    }
}

fn unread(error: artifact::Error) -> PictureProblem {
    match error.source.kind() {
        ErrorKind::FileTooLarge => PictureProblem::FileSize,
        _ => PictureProblem::Read(error.source),
    }
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED);
    limits
}

fn problem(error: image::ImageError) -> PictureProblem {
    match error {
        image::ImageError::Limits(_) => PictureProblem::Dimensions,
        other => PictureProblem::Damaged(other),
    }
}

/// The picture in 8 bits, what is transparent of it on white.
fn on_paper(picture: DynamicImage) -> DynamicImage {
    match (picture.color().has_color(), picture.color().has_alpha()) {
        (false, false) => picture.into_luma8().into(),
        (true, false) => picture.into_rgb8().into(),
        (false, true) => {
            let drawn = picture.into_luma_alpha8();
            let mut paper = GrayImage::new(drawn.width(), drawn.height());
            for (out, pixel) in paper.pixels_mut().zip(drawn.pixels()) {
                let [grey, alpha] = pixel.0;
                out.0 = [blend(grey, alpha)];
            }
            paper.into()
        }
        (true, true) => {
            let drawn = picture.into_rgba8();
            let mut paper = RgbImage::new(drawn.width(), drawn.height());
            for (out, pixel) in paper.pixels_mut().zip(drawn.pixels()) {
                let [red, green, blue, alpha] = pixel.0;
                out.0 = [red, green, blue].map(|value| blend(value, alpha));
            }
            paper.into()
        }
    }
}

/// `value` on white, rounded; at most 255, as both parts add up to it.
fn blend(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

/// The picture in shades of grey: the luma of ITU-R BT.601,
/// 0.299 R + 0.587 G + 0.114 B, rounded as Pillow and torchvision do.
pub fn grey(picture: &DynamicImage) -> GrayImage {
    if !picture.color().has_color() {
        return picture.to_luma8();
    }
    let rgb = match picture.as_rgb8() {
        Some(rgb) => Cow::Borrowed(rgb),
        None => Cow::Owned(picture.to_rgb8()),
    };
    let mut out = GrayImage::new(rgb.width(), rgb.height());
    for (out, pixel) in out.pixels_mut().zip(rgb.pixels()) {
        let [red, green, blue] = pixel.0.map(u32::from);
        out.0 = [((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16) as u8];
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use image::{GrayAlphaImage, Luma, Rgb, Rgba, RgbaImage};
    use proptest::prelude::*;

    const FORMATS: [ImageFormat; 3] = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP];

    /// A ramp from left to right.
    fn encoded(side: u32, format: ImageFormat) -> Vec<u8> {
        let ramp = GrayImage::from_fn(side, side, |x, _| Luma([(x * 255 / side) as u8]));
        let mut bytes = Cursor::new(Vec::new());
        let ramp = DynamicImage::from(ramp).to_rgb8();
        ramp.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn truncated_pictures_are_rejected_in_every_format() {
        for format in FORMATS {
            let whole = encoded(64, format);
            assert!(decode(&whole).is_ok());
            for length in (0..whole.len() - 8).step_by(7) {
                assert!(decode(&whole[..length]).is_err(), "{format:?} {length}");
            }
        }
    }

    /// Bytes as there are in films and in compressed files, by xorshift.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_u32;
        let next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 24) as u8
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    /// A segment of a JPEG.
    fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
        let length = (content.len() as u16 + 2).to_be_bytes();
        [&[0xff, marker][..], &length, content].concat()
    }

    #[test]
    fn what_follows_the_end_of_a_jpeg_is_left_aside() {
        let whole = encoded(64, ImageFormat::Jpeg);
        let film = noise(2 << 20);
        // Some of it looks like a part of a picture.
        assert!(film.windows(2).any(|pair| pair == [0xff, SCAN]));
        let scan = [&film[..], &[0xff, SCAN, 0, 0]].concat();
        let expected = decode(&whole).unwrap();
        for trailer in [film, scan, whole[..whole.len() / 2].to_vec()] {
            let found = decode(&[&whole[..], &trailer].concat()).unwrap();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn jpeg_without_its_end_is_refused_whatever_it_carries() {
        let whole = encoded(64, ImageFormat::Jpeg);
        let small = encoded(8, ImageFormat::Jpeg);
        let exif = segment(0xe1, &[b"Exif\0\0", &small[..]].concat());
        let comment = segment(0xfe, &[0xff; 40]);
        let fill = [0xff; 3];
        let carrying = [&whole[..2], &exif, &fill, &comment, &whole[2..]].concat();
        assert_eq!(decode(&carrying).unwrap(), decode(&whole).unwrap());
        for length in 3..carrying.len() {
            let error = decode(&carrying[..length]).unwrap_err();
            assert!(
                matches!(error, PictureProblem::Truncated),
                "{length}: {error}"
            );
        }
    }

    /// Tables between scans, restarts and stuffed values within them.
    #[test]
    fn jpeg_ends_behind_its_last_scan() {
        let scan = [
            &segment(SCAN, &[1, 1, 0, 0, 0, 0])[..],
            &[7, 0xff, 0, 0xd9, 0xff, 0xd3, 9],
        ];
        let table = segment(0xc4, &[0xff, END, 0xff, SCAN]);
        let start = [0xff, 0xd8];
        let end = [0xff, 0xff, END];
        let [header, values] = scan;
        let scans = [&start[..], &table, header, values, &table, header, values].concat();
        assert!(ends_as_jpeg(&[&scans[..], &end].concat()));
        for length in 0..scans.len() {
            assert!(!ends_as_jpeg(&scans[..length]), "{length}");
        }
        assert!(!ends_as_jpeg(&[&start[..], &table, &end].concat()));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            format in prop::sample::select(FORMATS.to_vec()),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut stored = encoded(8, format);
            stored.truncate(cut.index(stored.len()));
            stored.extend(bytes);
            if let Ok(picture) = decode(&stored) {
                prop_assert!(picture.as_bytes().len() as u64 <= MAX_DECODED);
            }
        }
    }

    fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture
            .into()
            .write_to(&mut bytes, ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    }

    #[test]
    fn grey_is_that_of_pillow() {
        // What `Image.new("RGB", (1, 1), colour).convert("L")` holds.
        for (colour, expected) in [
            ([255, 0, 0], 76),
            ([0, 255, 0], 150),
            ([0, 0, 255], 29),
            ([10, 200, 90], 131),
            ([255, 255, 255], 255),
        ] {
            let picture = RgbImage::from_pixel(1, 1, Rgb(colour));
            assert_eq!(grey(&picture.into()).get_pixel(0, 0).0, [expected]);
        }
    }

    /// What is kept of a picture takes no more than its colours need.
    #[test]
    fn decoded_pictures_have_8_bits_and_colours_only_where_there_are_some() {
        use DynamicImage as D;
        for (grey, kind) in [
            (true, D::new_luma8(2, 1)),
            (true, D::new_luma16(2, 1)),
            (true, D::new_luma_a8(2, 1)),
            (true, D::new_luma_a16(2, 1)),
            (false, D::new_rgb8(2, 1)),
            (false, D::new_rgb16(2, 1)),
            (false, D::new_rgba8(2, 1)),
            (false, D::new_rgba16(2, 1)),
        ] {
            let channels = if grey { 1 } else { 3 };
            let decoded = decode(&png(kind)).unwrap();
            assert_eq!(decoded.color().channel_count(), channels);
            assert_eq!(decoded.as_bytes().len(), usize::from(channels) * 2);
        }
    }

    #[test]
    fn transparent_pixels_are_paper() {
        let picture = RgbaImage::from_vec(3, 1, vec![0, 0, 0, 0, 9, 8, 7, 255, 0, 0, 0, 128]);
        let decoded = decode(&png(picture.unwrap())).unwrap().into_rgb8();
        assert_eq!(decoded.as_raw(), &[255, 255, 255, 9, 8, 7, 127, 127, 127],);
        let picture = GrayAlphaImage::from_vec(3, 1, vec![0, 0, 9, 255, 0, 128]);
        let decoded = decode(&png(picture.unwrap())).unwrap();
        assert_eq!(decoded.as_bytes(), &[255, 9, 127]);
        let opaque = RgbaImage::from_pixel(1, 1, Rgba([1, 2, 3, 255]));
        assert_eq!(
            decode(&png(opaque)).unwrap().into_rgb8().as_raw(),
            &[1, 2, 3]
        );
    }

    /// A PNG of a few bytes whose header claims another size.
    fn claiming(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = png(GrayImage::new(1, 1));
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        bytes
    }

    #[test]
    fn bombs_are_refused_by_their_header() {
        for (width, height) in [(MAX_SIDE + 1, 1), (1, u32::MAX >> 1), (MAX_SIDE, MAX_SIDE)] {
            let bytes = claiming(width, height);
            // 16,384 squared grey pixels are 256 MiB to the byte.
            let within = (width, height) == (MAX_SIDE, MAX_SIDE);
            let error = decode(&bytes).unwrap_err();
            match error {
                PictureProblem::Dimensions => assert!(!within),
                PictureProblem::Damaged(_) => assert!(within),
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn what_is_no_picture_is_told() {
        assert!(matches!(decode(b""), Err(PictureProblem::Format)));
        assert!(matches!(decode(b"<svg/>"), Err(PictureProblem::Format)));
        assert!(matches!(decode(b"GIF89a"), Err(PictureProblem::Format)));
        let whole = png(GrayImage::new(20, 20));
        let half = &whole[..whole.len() / 2];
        assert!(matches!(decode(half), Err(PictureProblem::Damaged(_))));
        let endless = read_bounded(std::io::repeat(0));
        assert!(matches!(endless, Err(PictureProblem::FileSize)));
        let error = open(Path::new("none.png")).unwrap_err();
        assert!(error.to_string().starts_with("none.png: cannot be read"));
    }
}
