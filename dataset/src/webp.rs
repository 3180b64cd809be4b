//! What decoding a WebP takes beside its pixels.
//!
//! A lossless picture can be divided into blocks with Huffman codes of their own. The
//! decoder makes all of them that could be named, used or not: of 10 bytes each in the
//! file up to 120 KiB in memory, 65,536 times.
//!
//! Source: RFC 9649, "WebP Image Format".

use image::ImageFormat;
use image::error::{DecodingError, ImageError};

use crate::picture::{MAX_SIDE, PictureProblem};

/// The most groups of codes that a picture may have; libwebp writes up to 2600.
pub(crate) const MAX_GROUPS: u32 = 3072;

/// The order in which the lengths of the code for lengths are given.
const LENGTHS: [usize; 19] = [
    17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
];
/// The bytes of an extended file's header.
const HEADER: usize = 10;
/// Symbols for green from here on are lengths of what is copied,
const COPIES: u16 = 256;
/// and from here on places in the cache of colours.
const CACHED: u16 = COPIES + 24;
/// Symbols for red, blue, alpha and distances.
const SYMBOLS: [usize; 4] = [256, 256, 256, 40];

/// Checks the WebP in `file`, of `size` (width, height). What else is wrong with it
/// is left to the decoder.
///
/// # Errors
///
/// When it is animated, its header is too short, its EXIF block is cut short, or it has
/// more codes than are read.
pub(crate) fn check(file: &[u8], size: (u32, u32)) -> Result<(), PictureProblem> {
    let chunks = file.get(12..).unwrap_or_default();
    let has = |kind| Chunk::first(chunks, kind).is_some();
    // Whatever the flags say: the decoder takes frames for as large as the animation
    // says, and looks for pixels, transparency and EXIF in the first of them.
    if has(b"ANIM") || has(b"ANMF") {
        return Err(PictureProblem::Animated);
    }
    // The decoder reads a header of any length as if it were whole.
    let header = Chunk::first(chunks, b"VP8X");
    if header.is_some_and(|header| header.content.len() < HEADER && !header.is_cut) {
        return Err(damaged("the extended header is too short"));
    }
    // The decoder takes memory for it before it is read.
    if Chunk::first(chunks, b"EXIF").is_some_and(|exif| exif.is_cut) {
        return Err(PictureProblem::Truncated);
    }
    match groups(chunks, size) {
        Some(groups) if groups > MAX_GROUPS => Err(PictureProblem::Codes),
        _ => Ok(()),
    }
}

fn damaged(reason: &str) -> PictureProblem {
    let error = DecodingError::new(ImageFormat::WebP.into(), reason);
    PictureProblem::Damaged(ImageError::Decoding(error))
}

/// A part of the file.
struct Chunk<'a> {
    content: &'a [u8],
    /// Whether it ends before its length is there.
    is_cut: bool,
}

impl<'a> Chunk<'a> {
    /// The first of its kind in `chunks`, which is the one that is decoded.
    fn first(mut chunks: &'a [u8], kind: &[u8; 4]) -> Option<Self> {
        loop {
            let (header, rest) = chunks.split_first_chunk::<8>()?;
            let length = Bits::of(&header[4..]).take(32)? as usize;
            if header.starts_with(kind) {
                let content = &rest[..length.min(rest.len())];
                let is_cut = content.len() < length;
                return Some(Self { content, is_cut });
            }
            chunks = rest.get(length.saturating_add(length % 2)..)?;
        }
    }
}

/// The groups of codes in the pixels or the transparency of a picture of `size`,
/// where one of them is lossless and its codes are whole.
fn groups(chunks: &[u8], size: (u32, u32)) -> Option<u32> {
    let pixels = Chunk::first(chunks, b"VP8L").and_then(|chunk| {
        let mut bits = Bits::of(chunk.content);
        bits.take(8)?;
        let size = (bits.take(14)? + 1, bits.take(14)? + 1);
        bits.take(4)?;
        bits.groups(size)
    });
    let alpha = Chunk::first(chunks, b"ALPH").and_then(|chunk| {
        let mut bits = Bits::of(chunk.content);
        let is_lossless = bits.take(8)? & 3 == 1;
        is_lossless.then(|| bits.groups(size))?
    });
    pixels.max(alpha)
}

/// A stream of bits, the lowest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    /// The position in bits.
    at: usize,
}

impl<'a> Bits<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// A number of up to 32 bits.
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut number = 0;
        for place in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            number |= u32::from(byte >> (self.at % 8) & 1) << place;
            self.at += 1;
        }
        Some(number)
    }

    /// How many groups of codes the picture that begins here may have: one more than the
    /// largest number that its blocks can be given.
    fn groups(&mut self, (mut width, height): (u32, u32)) -> Option<u32> {
        let is_seen = &mut [false; 4];
        while self.take(1)? == 1 {
            let transform = self.take(2)?;
            if width.max(height) > MAX_SIDE || is_seen[transform as usize] {
                return None;
            }
            is_seen[transform as usize] = true;
            match transform {
                2 => {} // Green is subtracted.
                3 => {
                    let colours = self.take(8)? + 1;
                    self.skip_pixels(colours)?;
                    width = width.div_ceil(pixels_in_one(colours));
                }
                _ => {
                    let block = 4 << self.take(3)?;
                    self.skip_pixels(width.div_ceil(block) * height.div_ceil(block))?;
                }
            }
        }
        self.cache()?;
        if self.take(1)? == 0 {
            return Some(1);
        }
        self.take(3)?;
        // The numbers are pixels: their high byte is red and their low one green.
        let [green, red, ..] = self.codes()?;
        Some((red.largest() << 8 | green.largest()) + 1)
    }

    /// How many colours are kept to be named again.
    fn cache(&mut self) -> Option<usize> {
        match self.take(1)? {
            0 => Some(0),
            _ => Some(1 << self.take(4)?),
        }
    }

    /// The codes for green, red, blue, alpha and distances.
    fn codes(&mut self) -> Option<[Code; 5]> {
        let greens = usize::from(CACHED) + self.cache()?;
        let [red, blue, alpha, distance] = SYMBOLS;
        Some([
            self.code(greens)?,
            self.code(red)?,
            self.code(blue)?,
            self.code(alpha)?,
            self.code(distance)?,
        ])
    }

    /// Reads `count` pixels with the codes before them.
    fn skip_pixels(&mut self, count: u32) -> Option<()> {
        let [green, red, blue, alpha, distance] = self.codes()?;
        let mut left = count;
        while left > 0 {
            let symbol = self.symbol(&green)?;
            let pixels = match symbol {
                ..COPIES => {
                    for code in [&red, &blue, &alpha] {
                        self.symbol(code)?;
                    }
                    1
                }
                COPIES..CACHED => {
                    let length = self.number(symbol - COPIES)?;
                    let distance = self.symbol(&distance)?;
                    self.number(distance)?;
                    length
                }
                _ => 1,
            };
            left = left.checked_sub(pixels)?;
        }
        Some(())
    }

    /// A length or a distance, which begins with `prefix`.
    fn number(&mut self, prefix: u16) -> Option<u32> {
        if prefix < 4 {
            return Some(u32::from(prefix) + 1);
        }
        let bits = u32::from(prefix - 2) / 2;
        let first = (2 + u32::from(prefix % 2)) << bits;
        Some(first + self.take(bits)? + 1)
    }

    fn symbol(&mut self, code: &Code) -> Option<u16> {
        if let [only] = code.symbols[..] {
            return Some(only);
        }
        let (mut word, mut first, mut index) = (0, 0, 0);
        for count in &code.counts[1..] {
            word = word << 1 | self.take(1)?;
            let place = word - first;
            if place < *count {
                return code.symbols.get((index + place) as usize).copied();
            }
            index += count;
            first = (first + count) << 1;
        }
        None
    }

    /// A code for some of `alphabet` symbols.
    fn code(&mut self, alphabet: usize) -> Option<Code> {
        if self.take(1)? == 0 {
            return Code::of(&self.lengths(alphabet)?);
        }
        let (has_two, is_wide) = (self.take(1)?, self.take(1)?);
        let mut symbols = vec![self.take(1 + 7 * is_wide)? as u16];
        if has_two == 1 {
            symbols.push(self.take(8)? as u16);
        }
        let mut counts = [0; 16];
        counts[1] = symbols.len() as u32;
        let is_known = symbols.iter().all(|symbol| usize::from(*symbol) < alphabet);
        is_known.then_some(Code { counts, symbols })
    }

    /// The length of each symbol's code, 0 of one that does not occur.
    fn lengths(&mut self, alphabet: usize) -> Option<Vec<u8>> {
        let mut of_lengths = [0; LENGTHS.len()];
        let count = 4 + self.take(4)?;
        for symbol in &LENGTHS[..count as usize] {
            of_lengths[*symbol] = self.take(3)? as u8;
        }
        let code = Code::of(&of_lengths)?;
        let mut left = alphabet;
        if self.take(1)? == 1 {
            let bits = 2 + 2 * self.take(3)?;
            left = 2 + self.take(bits)? as usize;
        }
        let (mut lengths, mut last) = (vec![], 8);
        while lengths.len() < alphabet && left > 0 {
            left -= 1;
            let (count, length) = match self.symbol(&code)? {
                16 => (3 + self.take(2)?, last),
                17 => (3 + self.take(3)?, 0),
                18 => (11 + self.take(7)?, 0),
                length => (1, length as u8),
            };
            if length > 0 {
                last = length;
            }
            lengths.extend(std::iter::repeat_n(length, count as usize));
        }
        (lengths.len() <= alphabet).then_some(lengths)
    }
}

/// How many pixels are in one where there are so few colours.
fn pixels_in_one(colours: u32) -> u32 {
    match colours {
        0..=2 => 8,
        3..=4 => 4,
        5..=16 => 2,
        _ => 1,
    }
}

/// A canonical Huffman code. One symbol alone takes no bits.
struct Code {
    /// How many codes there are of each length.
    counts: [u32; 16],
    /// In the order of their codes.
    symbols: Vec<u16>,
}

impl Code {
    /// The code with `lengths`, one for each symbol; none unless it is complete.
    fn of(lengths: &[u8]) -> Option<Self> {
        let mut symbols: Vec<u16> = (0..).take(lengths.len()).collect();
        symbols.retain(|symbol| lengths[usize::from(*symbol)] > 0);
        symbols.sort_by_key(|symbol| lengths[usize::from(*symbol)]);
        let mut counts = [0; 16];
        let mut filled = 0;
        for symbol in &symbols {
            let length = lengths[usize::from(*symbol)];
            counts[usize::from(length)] += 1;
            filled += 1_u32 << (15 - length);
        }
        let is_complete = symbols.len() == 1 || filled == 1 << 15;
        is_complete.then_some(Self { counts, symbols })
    }

    /// The largest byte that it has.
    fn largest(&self) -> u32 {
        let bytes = self.symbols.iter().filter(|symbol| **symbol < COPIES);
        bytes.max().copied().unwrap_or(0).into()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::picture;

    const BLOCKS: &[u8] = include_bytes!("../fixtures/webp/blocks.webp");
    const PALETTE: &[u8] = include_bytes!("../fixtures/webp/palette.webp");
    const TRANSPARENT: &[u8] = include_bytes!("../fixtures/webp/transparent.webp");
    const ANIMATED: &[u8] = include_bytes!("../fixtures/webp/animated.webp");
    const SIZE: (u32, u32) = (64, 40);

    fn found(file: &[u8]) -> Option<u32> {
        groups(&file[12..], SIZE)
    }

    #[test]
    fn groups_are_those_that_libwebp_wrote() {
        for file in [BLOCKS, PALETTE, TRANSPARENT] {
            assert_eq!(found(file), Some(2));
            assert!(picture::decode(file).is_ok());
        }
    }

    #[test]
    fn animations_are_refused() {
        let error = picture::decode(ANIMATED).unwrap_err();
        assert!(matches!(error, PictureProblem::Animated), "{error}");
    }

    /// A file of these chunks.
    fn file(chunks: &[&[u8]]) -> Vec<u8> {
        let chunks = chunks.concat();
        let length = (chunks.len() as u32 + 4).to_le_bytes();
        [b"RIFF", &length[..], b"WEBP", &chunks].concat()
    }

    /// A lossless picture of one pixel with this number of groups of codes.
    fn pixel(groups: u32) -> Vec<u8> {
        let header = [(0x2f, 8), (0, 14), (0, 14), (0, 4)];
        let content = bits(&[&header[..], &numbered(groups - 1)].concat());
        chunk(b"VP8L", &content)
    }

    /// What of an extended picture of one pixel stands in a frame is hidden from who
    /// looks at the file's own chunks.
    #[test]
    fn frames_are_refused_whatever_the_flags_say() {
        let extended = |flags| chunk(b"VP8X", &[&[flags][..], &[0; 9]].concat());
        let frame = |content: &[u8]| chunk(b"ANMF", &[&[0; 16], content].concat());
        let lossy = chunk(b"VP8 ", &[0; 10]);
        let codes = bits(&[&[(1, 8)], &numbered(0xffff)[..]].concat());
        let exif = [b"EXIF", &[0xff; 4][..]].concat();
        for (flags, hidden) in [
            (0, pixel(0x1_0000)),
            (0x10, chunk(b"ALPH", &codes)),
            (0x08, exif),
        ] {
            for flags in [flags, flags | 2] {
                let file = file(&[&extended(flags), &lossy, &frame(&hidden)]);
                let error = check(&file, (1, 1)).unwrap_err();
                assert!(matches!(error, PictureProblem::Animated), "{error}");
            }
        }
        let error = check(&file(&[&extended(0), &chunk(b"ANIM", &[0; 6])]), (1, 1)).unwrap_err();
        assert!(matches!(error, PictureProblem::Animated), "{error}");
        let hidden = file(&[&extended(0), &lossy, &frame(&pixel(0x1_0000))]);
        let error = picture::decode(&hidden).unwrap_err();
        assert!(matches!(error, PictureProblem::Animated), "{error}");
    }

    /// It says that it has no bytes; those that follow are flags, sides of 3 and 1 pixels,
    /// and a chunk with another name.
    #[test]
    fn extended_header_that_is_too_short_is_refused() {
        let header =
            |flags| [&chunk(b"VP8X", b"")[..], &chunk(&[flags, 0, 0, 0], &[0; 2])].concat();
        let still = file(&[&header(0), &pixel(1)]);
        let error = picture::decode(&still).unwrap_err();
        assert!(error.to_string().contains("header is too short"), "{error}");
        let frame = chunk(b"ANMF", &[&[0; 16][..], &pixel(1)].concat());
        let animated = file(&[&header(2), &chunk(b"ANIM", &[0; 6]), &frame]);
        let error = picture::decode(&animated).unwrap_err();
        assert!(matches!(error, PictureProblem::Animated), "{error}");
    }

    #[test]
    fn what_is_damaged_is_left_to_the_decoder() {
        for file in [BLOCKS, PALETTE, TRANSPARENT] {
            for at in 0..file.len() {
                assert!(check(&file[..at], SIZE).is_ok());
                for bit in 0..8 {
                    let mut damaged = file.to_vec();
                    damaged[at] ^= 1 << bit;
                    let _ = check(&damaged, SIZE);
                }
            }
        }
    }

    /// Numbers, the lowest bit first, each with as many bits as are said.
    fn bits(numbers: &[(u32, usize)]) -> Vec<u8> {
        let bits = numbers
            .iter()
            .flat_map(|(number, count)| (0..*count).map(move |place| number >> place & 1));
        let bits: Vec<u32> = bits.collect();
        let byte = |bits: &[u32]| bits.iter().rfold(0, |byte, bit| byte << 1 | *bit as u8);
        bits.chunks(8).map(byte).collect()
    }

    fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let padding = vec![0; content.len() % 2];
        let length = (content.len() as u32).to_le_bytes();
        [kind, &length[..], content, &padding].concat()
    }

    /// A picture of one block with the group of this number: no transforms, no cache,
    /// then a picture with a cache and five codes of one symbol each.
    fn numbered(group: u32) -> [(u32, usize); 8] {
        let symbol = |symbol: u32| (0b101 | symbol << 3, 11);
        let (green, red) = (symbol(group & 0xff), symbol(group >> 8));
        let zero = (1, 4);
        [(0b100, 3), (0, 3), (0, 1), green, red, zero, zero, zero]
    }

    #[test]
    fn too_many_groups_are_refused_wherever_they_are() {
        let header = [(0x2f, 8), (63, 14), (39, 14), (0, 4)];
        let start = b"RIFF\0\0\0\0WEBP";
        for (group, refused) in [(MAX_GROUPS - 1, false), (MAX_GROUPS, true), (0xffff, true)] {
            let numbered = numbered(group);
            let pixels = chunk(b"VP8L", &bits(&[&header[..], &numbered].concat()));
            let alpha = chunk(b"ALPH", &bits(&[&[(1, 8)], &numbered[..]].concat()));
            for content in [pixels, alpha] {
                let result = check(&[&start[..], &content].concat(), SIZE);
                assert_eq!(matches!(result, Err(PictureProblem::Codes)), refused);
            }
        }
    }

    #[test]
    fn exif_that_is_longer_than_the_file_is_refused() {
        let mut file = [TRANSPARENT, &chunk(b"EXIF", b"II*\0")].concat();
        assert!(check(&file, SIZE).is_ok());
        let length = file.len() - 8;
        file[length..][..4].copy_from_slice(&[0xff; 4]);
        let error = check(&file, SIZE).unwrap_err();
        assert!(matches!(error, PictureProblem::Truncated));
    }
}
