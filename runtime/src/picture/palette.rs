//! The 240 colours that terminals of 256 have in common: a cube of six levels a
//! channel, and 24 greys between black and white.

use image::Rgb;
use image::imageops::ColorMap;

/// The number of the first: those below are the user's own.
const FIRST: u8 = 16;
/// The number of the first grey.
const GREYS: u8 = 232;
/// The brightness of each step of the cube.
const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The colours, which [`image`] can reduce a picture to.
pub(super) struct Palette;

impl Palette {
    /// The number of the colour that is nearest to this.
    pub(super) fn nearest(colour: [u8; 3]) -> u8 {
        let [red, green, blue] = colour.map(level);
        let cube = FIRST + 36 * red + 6 * green + blue;
        let mean = colour.map(u16::from).iter().sum::<u16>() / 3;
        let grey = GREYS + (mean.saturating_sub(3) / 10).min(23) as u8;
        match distance(Self::colour(grey), colour) < distance(Self::colour(cube), colour) {
            true => grey,
            false => cube,
        }
    }

    /// The colour of a number from 16 to 255.
    pub(super) fn colour(number: u8) -> [u8; 3] {
        if number >= GREYS {
            return [8 + 10 * (number - GREYS); 3];
        }
        let place = number.saturating_sub(FIRST);
        [place / 36, place / 6 % 6, place % 6].map(|level| LEVELS[usize::from(level)])
    }
}

/// The step of the cube that is nearest to a brightness.
fn level(value: u8) -> u8 {
    match value {
        0..=47 => 0,
        48..=114 => 1,
        _ => (value - 35) / 40,
    }
}

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    let squared = |(a, b): (u8, u8)| u32::from(a.abs_diff(b)).pow(2);
    a.into_iter().zip(b).map(squared).sum()
}

impl ColorMap for Palette {
    type Color = Rgb<u8>;

    fn index_of(&self, colour: &Rgb<u8>) -> usize {
        usize::from(Self::nearest(colour.0))
    }

    fn map_color(&self, colour: &mut Rgb<u8>) {
        colour.0 = Self::colour(Self::nearest(colour.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_their_own_nearest() {
        for number in FIRST..=255 {
            let colour = Palette::colour(number);
            assert_eq!(Palette::colour(Palette::nearest(colour)), colour);
        }
    }

    #[test]
    fn no_colour_is_nearer_than_the_nearest() {
        let values = (0..=255_u8).step_by(17);
        let colours = values.clone().flat_map(|red| {
            let values = values.clone();
            values.map(move |green| [red, green, (red ^ green).wrapping_add(40)])
        });
        for colour in colours {
            let least = (FIRST..=255)
                .map(|number| distance(Palette::colour(number), colour))
                .min();
            let nearest = Palette::colour(Palette::nearest(colour));
            assert_eq!(Some(distance(nearest, colour)), least, "{colour:?}");
        }
    }
}
