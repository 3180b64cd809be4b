//! Two pixels in each character: its background above, a half block below.

use std::env;

use image::RgbImage;
use image::imageops::{self, FilterType};

use super::Cells;
use super::palette::Palette;

/// The colours that a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    /// All of them.
    True,
    /// Those of a [`Palette`].
    Indexed,
}

impl Colours {
    /// As terminals of true colours say in `COLORTERM`.
    pub(super) fn of_terminal() -> Self {
        match env::var("COLORTERM").as_deref() {
            Ok("truecolor" | "24bit") => Self::True,
            _ => Self::Indexed,
        }
    }

    /// A colour as a parameter of SGR 38 (foreground) and 48 (background).
    fn parameter(self, colour: [u8; 3]) -> String {
        match (self, colour) {
            (Self::True, [red, green, blue]) => format!("2;{red};{green};{blue}"),
            (Self::Indexed, _) => format!("5;{}", Palette::nearest(colour)),
        }
    }
}

/// The picture with a pixel for each half of a cell.
pub(super) fn encode(picture: &RgbImage, cells: Cells, colours: Colours) -> String {
    let Cells { columns, rows } = cells;
    let scaled = imageops::resize(picture, columns, 2 * rows, FilterType::Triangle);
    let mut text = String::new();
    for row in 0..rows {
        for column in 0..columns {
            let [above, below] =
                [2 * row, 2 * row + 1].map(|y| colours.parameter(scaled.get_pixel(column, y).0));
            text += &format!("\x1b[48;{above};38;{below}m▄");
        }
        text += "\x1b[0m\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn cell_is_two_pixels() {
        let mut picture = RgbImage::from_pixel(1, 2, Rgb([255, 0, 0]));
        picture.put_pixel(0, 1, Rgb([0, 0, 95]));
        let cells = Cells {
            columns: 1,
            rows: 1,
        };
        assert_eq!(
            encode(&picture, cells, Colours::True),
            "\x1b[48;2;255;0;0;38;2;0;0;95m▄\x1b[0m\n"
        );
        assert_eq!(
            encode(&picture, cells, Colours::Indexed),
            "\x1b[48;5;196;38;5;17m▄\x1b[0m\n"
        );
    }
}
