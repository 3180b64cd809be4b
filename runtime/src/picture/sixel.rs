//! DEC's Sixel: a character for six pixels below each other, in one colour
//! after the other (VT330/VT340 Programmer Reference Manual, chapter 14).

use std::collections::BTreeSet;

use image::RgbImage;
use image::imageops::{self, FilterType};

use super::Cells;
use super::cell::Cell;
use super::palette::Palette;

/// Rows of pixels in a band.
const BAND: usize = 6;

/// The picture at its size in pixels, dithered to the colours of [`Palette`].
pub(super) fn encode(picture: &RgbImage, Cells { columns, rows }: Cells, cell: Cell) -> String {
    let (width, height) = (columns * cell.width, rows * cell.height);
    let mut scaled = imageops::resize(picture, width, height, FilterType::Triangle);
    imageops::dither(&mut scaled, &Palette);
    let numbers: Vec<u8> = scaled.pixels().map(|p| Palette::nearest(p.0)).collect();
    let colours: BTreeSet<u8> = numbers.iter().copied().collect();
    // Square pixels; nothing is left transparent.
    let mut text = format!("\x1bP7;0;0q\"1;1;{width};{height}");
    text.extend(colours.into_iter().map(definition));
    let width = width as usize;
    let bands = numbers.chunks(BAND * width).map(|rows| band(rows, width));
    // The cursor stays in the last band, and so in the last row of the picture.
    text += &bands.collect::<Vec<_>>().join("-");
    text + "\x1b\\\n"
}

/// A colour in hundredths of red, green and blue.
fn definition(number: u8) -> String {
    let hundredths = |value: u8| (u16::from(value) * 100 + 127) / 255;
    let [red, green, blue] = Palette::colour(number).map(hundredths);
    format!("#{number};2;{red};{green};{blue}")
}

/// Up to six rows of pixels: each of their colours over the whole width.
fn band(rows: &[u8], width: usize) -> String {
    let colours: BTreeSet<u8> = rows.iter().copied().collect();
    let line = |&colour: &u8| {
        let sixels = (0..width).map(|x| {
            let column = rows.iter().skip(x).step_by(width);
            let set = column.enumerate().filter(|&(_, &pixel)| pixel == colour);
            set.fold(0, |bits, (y, _)| bits | 1 << y)
        });
        format!("#{colour}{}", run_lengths(sixels))
    };
    let lines: Vec<String> = colours.iter().map(line).collect();
    lines.join("$")
}

/// Sixels (six bits each, the topmost first) with their repetitions.
fn run_lengths(sixels: impl Iterator<Item = u8>) -> String {
    let mut text = String::new();
    let mut sixels = sixels.peekable();
    while let Some(sixel) = sixels.next() {
        let mut count = 1;
        while sixels.next_if_eq(&sixel).is_some() {
            count += 1;
        }
        let character = char::from(b'?' + sixel);
        match count {
            1..=3 => text.extend(std::iter::repeat_n(character, count)),
            _ => text += &format!("!{count}{character}"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn repetitions_are_counted() {
        let text = run_lengths([0, 63, 63, 63, 1, 1, 1, 1].into_iter());
        assert_eq!(text, "?~~~!4@");
    }

    #[test]
    fn halves_of_a_picture_have_their_colours() {
        let halves = |_, y| Rgb([if y == 0 { 255 } else { 0 }; 3]);
        let picture = RgbImage::from_fn(6, 2, halves);
        let cells = Cells {
            columns: 1,
            rows: 1,
        };
        // Bilinear in between, hence dithered: a picture that needs no scaling.
        let scaled = imageops::resize(&picture, 6, 12, FilterType::Nearest);
        assert_eq!(
            encode(&scaled, cells, Cell::SMALL),
            "\x1bP7;0;0q\"1;1;6;12#16;2;0;0;0#231;2;100;100;100#231!6~-#16!6~\x1b\\\n"
        );
    }

    #[test]
    fn colours_of_a_band_are_laid_over_each_other() {
        // Two columns, six rows: the left one white above, the right one black.
        let rows = [231, 16, 231, 16, 16, 16, 16, 16, 16, 16, 16, 16];
        assert_eq!(band(&rows, 2), "#16{~$#231B?");
    }
}
