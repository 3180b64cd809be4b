//! iTerm's inline images: <https://iterm2.com/documentation-images.html>.

use std::io::{self, Cursor};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{ImageFormat, RgbImage};

use super::Cells;

/// The picture as a PNG, which the terminal scales to these cells: they are in
/// proportion, and labels below count on them.
pub(super) fn encode(picture: &RgbImage, Cells { columns, rows }: Cells) -> io::Result<String> {
    let mut png = Cursor::new(Vec::new());
    picture
        .write_to(&mut png, ImageFormat::Png)
        .map_err(io::Error::other)?;
    let png = png.into_inner();
    Ok(format!(
        "\x1b]1337;File=inline=1;preserveAspectRatio=0;size={};width={columns};height={rows}:{}\x07\n",
        png.len(),
        STANDARD.encode(&png)
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn sequence_holds_the_picture() {
        let picture = RgbImage::from_fn(3, 2, |x, y| Rgb([x as u8, y as u8, 7]));
        let cells = Cells {
            columns: 4,
            rows: 1,
        };
        let text = encode(&picture, cells).unwrap();
        let (keys, data) = text.split_once(':').unwrap();
        let png = STANDARD
            .decode(data.strip_suffix("\x07\n").unwrap())
            .unwrap();
        assert_eq!(
            keys,
            format!(
                "\x1b]1337;File=inline=1;preserveAspectRatio=0;size={};width=4;height=1",
                png.len()
            )
        );
        assert_eq!(image::load_from_memory(&png).unwrap().into_rgb8(), picture);
    }
}
