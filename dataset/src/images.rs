//! Images and labels in memory, as bytes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The two parts that a dataset comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The images that a model learns from.
    Train,
    /// The images that a finished model is evaluated on.
    Test,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Test => "test",
        })
    }
}

/// Images of one size, as bytes: [n, channels, height, width], row-major.
#[derive(Clone, PartialEq, Eq)]
pub struct Images {
    pixels: Vec<u8>,
    shape: [usize; 4],
}

/// A number of pixels that is not what the shape needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("images of shape {shape:?} do not consist of {pixels} pixels")]
pub struct ShapeError {
    /// The shape that was asked for: [n, channels, height, width].
    pub shape: [usize; 4],
    /// The number of pixels that were given.
    pub pixels: usize,
}

impl Images {
    /// Images of `shape` [n, channels, height, width].
    ///
    /// # Errors
    ///
    /// When `pixels` has not exactly n · channels · height · width bytes.
    pub fn new(pixels: Vec<u8>, shape: [usize; 4]) -> Result<Self, ShapeError> {
        let expected = shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d));
        if expected == Some(pixels.len()) {
            Ok(Self { pixels, shape })
        } else {
            Err(ShapeError {
                shape,
                pixels: pixels.len(),
            })
        }
    }

    /// All pixels, image after image.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The shape: [n, channels, height, width].
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// The shape of one image: [channels, height, width].
    pub fn image_shape(&self) -> [usize; 3] {
        let [_, channels, height, width] = self.shape;
        [channels, height, width]
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.shape[0]
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of bytes of one image: channels · height · width.
    pub fn image_len(&self) -> usize {
        self.image_shape().iter().product()
    }

    /// The pixels of image `index`, [channels, height, width].
    ///
    /// # Panics
    ///
    /// When there is no such image.
    pub fn image(&self, index: usize) -> &[u8] {
        let length = self.image_len();
        &self.pixels[index * length..][..length]
    }

    /// The images at `indices`, in that order, as a new set.
    ///
    /// # Panics
    ///
    /// When an index is out of range.
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut pixels = Vec::with_capacity(indices.len() * self.image_len());
        for &index in indices {
            pixels.extend_from_slice(self.image(index));
        }
        let [_, channels, height, width] = self.shape;
        let shape = [indices.len(), channels, height, width];
        Self { pixels, shape }
    }
}

impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Images")
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

/// Images with their labels; as many of the one as of the other.
#[derive(Clone, PartialEq, Eq)]
pub struct Split {
    images: Images,
    labels: Vec<u8>,
}

/// Labels that do not match their images one to one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{images} images cannot be paired with {labels} labels")]
pub struct SplitError {
    /// The number of images.
    pub images: usize,
    /// The number of labels.
    pub labels: usize,
}

impl Split {
    /// Pairs image i with label i.
    ///
    /// # Errors
    ///
    /// When there are not as many labels as images.
    pub fn new(images: Images, labels: Vec<u8>) -> Result<Self, SplitError> {
        if images.len() == labels.len() {
            Ok(Self { images, labels })
        } else {
            Err(SplitError {
                images: images.len(),
                labels: labels.len(),
            })
        }
    }

    /// The images, [n, channels, height, width].
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// The labels, one for each image.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The number of labelled images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no labelled image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The labelled images at `indices`, in that order, as a new split.
    ///
    /// # Panics
    ///
    /// When an index is out of range.
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            images: self.images.select(indices),
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
        }
    }

    /// The images and the labels, as owned values.
    pub fn into_parts(self) -> (Images, Vec<u8>) {
        (self.images, self.labels)
    }
}

impl fmt::Debug for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Split")
            .field("images", &self.images)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn two_colour_images() -> Images {
        Images::new((0..12).collect(), [2, 3, 1, 2]).unwrap()
    }

    #[test]
    fn image_is_the_slice_of_its_index() {
        let images = two_colour_images();
        assert_eq!(images.image(1), [6, 7, 8, 9, 10, 11]);
        assert_eq!(images.image_shape(), [3, 1, 2]);
    }

    #[test]
    fn shapes_that_do_not_fit_or_overflow_are_rejected() {
        for shape in [[2, 1, 1, 1], [usize::MAX, 2, 2, 2], [0, 1, 1, 1]] {
            let error = Images::new(vec![0; 3], shape).unwrap_err();
            assert_eq!(error, ShapeError { shape, pixels: 3 });
        }
    }

    #[test]
    fn split_needs_a_label_for_each_image() {
        let error = Split::new(two_colour_images(), vec![1, 2, 3]).unwrap_err();
        assert_eq!(error.to_string(), "2 images cannot be paired with 3 labels");
    }

    #[test]
    fn select_keeps_images_and_labels_together() {
        let split = Split::new(two_colour_images(), vec![7, 8]).unwrap();
        let selected = split.select(&[1, 1, 0]);
        assert_eq!(selected.labels(), [8, 8, 7]);
        assert_eq!(selected.images().image(0), split.images().image(1));
        assert_eq!(selected.images().image(2), split.images().image(0));
    }
}
