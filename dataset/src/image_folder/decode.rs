//! Decoding the pictures of a folder, several at a time.

use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;

use super::scan::Listed;
use crate::{Error, ImageFolderOptions, Part, fitted_pixels, picture};

/// The pixels of all `pictures`, brought to their size, one after the other. Progress goes to
/// stderr when that is a terminal.
///
/// # Errors
///
/// When a picture cannot be read or decoded: of several, the first.
pub(super) fn pixels(
    pictures: &[Listed],
    part: Part,
    options: &ImageFolderOptions,
) -> Result<Vec<u8>, Error> {
    let image_len = options.shape.iter().product();
    let mut pixels = vec![0; pictures.len() * image_len];
    let bar = progress_bar(part, pictures.len());
    let failed = pixels
        .par_chunks_mut(image_len)
        .zip(pictures)
        .map(|(out, picture)| {
            out.copy_from_slice(&pixels_of(&picture.path, options)?);
            bar.inc(1);
            Ok(())
        })
        .find_map_first(Result::err);
    bar.finish_and_clear();
    failed.map_or(Ok(pixels), Err)
}

/// The pixels of the picture at `path`, brought to its size.
fn pixels_of(path: &Path, options: &ImageFolderOptions) -> Result<Vec<u8>, Error> {
    let picture = picture::open(path)?;
    Ok(fitted_pixels(&picture, options.shape, options.fit))
}

/// indicatif hides it unless stderr is a terminal.
fn progress_bar(part: Part, pictures: usize) -> ProgressBar {
    let style = "{msg:16} [{bar:30}] {pos}/{len} {per_sec}";
    ProgressBar::new(pictures as u64)
        .with_style(
            ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
        )
        .with_message(format!("{part} pictures"))
}
