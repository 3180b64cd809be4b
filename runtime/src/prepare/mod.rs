//! Pictures as a model knows them: in its size and channels, fitted as in
//! training, ink and paper the right way round, digits in the place that they
//! had in training.

mod center;
mod ink;

use dataset::{DatasetName, Fit, fitted_pixels, picture};
use image::{DynamicImage, GrayImage, imageops};

use crate::ModelMetadata;

/// Whether dark and light are exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invert {
    /// Where the border of the picture is lighter than the rest, as paper is.
    Auto,
    /// Always.
    Yes,
    /// Never.
    No,
}

/// Whether what is drawn is scaled and moved to where MNIST has its digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Center {
    /// Unless the picture is one of the dataset already: of the model's size,
    /// light on dark.
    Auto,
    /// Always.
    Yes,
    /// Never.
    No,
}

/// What is done to a picture before a model sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preparation {
    /// Whether dark and light are exchanged.
    pub invert: Invert,
    /// Whether what is drawn is centred.
    pub center: Center,
    /// How it comes to the model's proportions where it is not centred.
    pub fit: Fit,
}

/// A picture that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The pixels: [channels, height, width].
    pub pixels: Vec<u8>,
    /// Whether dark and light were exchanged.
    pub inverted: bool,
    /// Whether what is drawn was centred.
    pub centered: bool,
}

/// A picture that cannot be made into what a model takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The model takes neither grey nor colours.
    #[error("the model takes images of {channels} channels; pictures have 1 (grey) or 3 (RGB)")]
    Channels {
        /// The channels that it takes.
        channels: usize,
    },
    /// Ink is looked for, which has no colour, but the model wants colours.
    #[error("only grey pictures can be centred, but the model takes colours")]
    CenterColours,
    /// There is nothing on the paper.
    #[error("nothing is drawn on the picture: it has about the same brightness everywhere")]
    Blank,
}

impl Preparation {
    /// What pictures need for the model of `metadata`: MNIST's digits are white
    /// on black and centred, Fashion-MNIST's clothes white on black. Others are
    /// taken as they are, and fitted as those that the model was trained on.
    pub fn for_model(metadata: &ModelMetadata) -> Self {
        let (invert, center) = match metadata.dataset.parse() {
            Ok(DatasetName::Mnist) => (Invert::Auto, Center::Auto),
            Ok(DatasetName::FashionMnist) => (Invert::Auto, Center::No),
            Ok(DatasetName::Cifar10) | Err(_) => (Invert::No, Center::No),
        };
        let fit = metadata.pictures.map(|options| options.fit);
        Self {
            invert,
            center,
            fit: fit.unwrap_or_default(),
        }
    }
}

/// Makes `picture`, which has 8 bits, into an image of shape `input` [channels, height, width].
///
/// # Errors
///
/// When the model takes other channels than pictures have, or ink is looked for
/// and there is none.
pub fn prepare(
    picture: DynamicImage,
    input: [usize; 3],
    preparation: Preparation,
) -> Result<Prepared, Error> {
    match (input[0], preparation.center) {
        (1, _) => grey(picture::grey(&picture), input, preparation),
        (3, Center::Yes) => Err(Error::CenterColours),
        (3, Center::Auto | Center::No) => Ok(colours(picture, input, preparation)),
        (channels, _) => Err(Error::Channels { channels }),
    }
}

fn grey(
    mut picture: GrayImage,
    input: [usize; 3],
    preparation: Preparation,
) -> Result<Prepared, Error> {
    let size = size(input);
    let inverted = is_inverted(preparation.invert, || border_is_light(&picture));
    let centered = match preparation.center {
        Center::Yes => true,
        Center::No => false,
        Center::Auto => inverted || picture.dimensions() != size,
    };
    // Ink on paper is what the search for ink expects.
    if inverted != centered {
        imageops::invert(&mut picture);
    }
    let pixels = match centered {
        true => center::center(&ink::find(&picture).ok_or(Error::Blank)?, size).into_raw(),
        false => fitted_pixels(&picture.into(), input, preparation.fit),
    };
    Ok(Prepared {
        pixels,
        inverted,
        centered,
    })
}

fn colours(mut picture: DynamicImage, input: [usize; 3], preparation: Preparation) -> Prepared {
    let is_paper = || border_is_light(&picture::grey(&picture));
    let inverted = is_inverted(preparation.invert, is_paper);
    // Before it is fitted: what is padded is black, as in training.
    if inverted {
        picture.invert();
    }
    Prepared {
        pixels: fitted_pixels(&picture, input, preparation.fit),
        inverted,
        centered: false,
    }
}

/// The width and height of a model's images; none that fits into memory has
/// sides beyond u32.
fn size([_, height, width]: [usize; 3]) -> (u32, u32) {
    (width as u32, height as u32)
}

fn is_inverted(invert: Invert, is_paper: impl FnOnce() -> bool) -> bool {
    match invert {
        Invert::Yes => true,
        Invert::No => false,
        Invert::Auto => is_paper(),
    }
}

/// Whether the median of the outermost pixels is nearer to the lightest of the
/// picture than to the darkest.
fn border_is_light(picture: &GrayImage) -> bool {
    let (right, bottom) = (picture.width() - 1, picture.height() - 1);
    let border = picture
        .enumerate_pixels()
        .filter(|&(x, y, _)| x == 0 || y == 0 || x == right || y == bottom);
    let mut border: Vec<u8> = border.map(|(_, _, pixel)| pixel.0[0]).collect();
    let middle = border.len() / 2;
    let median = *border.select_nth_unstable(middle).1;
    let darkest = picture.iter().min().copied().unwrap_or(0);
    let lightest = picture.iter().max().copied().unwrap_or(0);
    u16::from(median) * 2 > u16::from(darkest) + u16::from(lightest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use image::{Luma, Rgb, RgbImage};

    const AUTO: Preparation = Preparation {
        invert: Invert::Auto,
        center: Center::Auto,
        fit: Fit::Stretch,
    };

    const AS_IT_IS: Preparation = Preparation {
        invert: Invert::No,
        center: Center::No,
        ..AUTO
    };

    /// A square of `ink` on `paper`.
    fn square(paper: u8, ink: u8) -> GrayImage {
        GrayImage::from_fn(28, 28, |x, y| {
            let inside = (10..18).contains(&x) && (10..18).contains(&y);
            Luma([if inside { ink } else { paper }])
        })
    }

    #[test]
    fn images_of_the_dataset_are_left_as_they_are() {
        let image = square(0, 200);
        let prepared = prepare(image.clone().into(), [1, 28, 28], AUTO).unwrap();
        assert_eq!(prepared.pixels, image.into_raw());
        assert!(!prepared.inverted && !prepared.centered);
    }

    #[test]
    fn paper_is_told_by_the_border() {
        for (paper, ink, expected) in [(255, 0, true), (0, 255, false), (120, 40, true)] {
            assert_eq!(border_is_light(&square(paper, ink)), expected);
        }
        let forced = |invert| is_inverted(invert, || unreachable!());
        assert!(forced(Invert::Yes) && !forced(Invert::No));
    }

    #[test]
    fn blank_paper_is_an_error() {
        for brightness in [0, 128, 255] {
            let blank = GrayImage::from_pixel(50, 40, Luma([brightness]));
            let result = prepare(blank.into(), [1, 28, 28], AUTO);
            assert_eq!(result, Err(Error::Blank));
        }
    }

    #[test]
    fn colours_become_planes() {
        let picture = RgbImage::from_pixel(4, 4, Rgb([1, 2, 3]));
        let prepared = prepare(picture.into(), [3, 1, 2], AS_IT_IS).unwrap();
        assert_eq!(prepared.pixels, [1, 1, 2, 2, 3, 3]);
    }

    #[test]
    fn padding_is_black_whether_or_not_dark_and_light_are_exchanged() {
        let white = GrayImage::from_pixel(4, 8, Luma([255]));
        for (invert, seen) in [(Invert::No, 255), (Invert::Yes, 0)] {
            let padded = Preparation {
                invert,
                fit: Fit::Pad,
                ..AS_IT_IS
            };
            for channels in [1, 3] {
                let prepared = prepare(white.clone().into(), [channels, 4, 4], padded).unwrap();
                assert_eq!(prepared.pixels, [0, seen, seen, 0].repeat(4 * channels));
            }
        }
    }

    #[test]
    fn models_of_other_channels_are_refused() {
        let picture = DynamicImage::from(square(0, 255));
        let result = prepare(picture.clone(), [2, 28, 28], AUTO);
        assert_eq!(result, Err(Error::Channels { channels: 2 }));
        let center = Preparation {
            center: Center::Yes,
            ..AUTO
        };
        assert_eq!(
            prepare(picture, [3, 28, 28], center),
            Err(Error::CenterColours)
        );
    }
}
