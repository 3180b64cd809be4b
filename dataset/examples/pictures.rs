//! Writes the first images of some classes of an IDX folder as picture files,
//! in a folder for each class: PNG, JPEG and WebP in turn.
//!
//!     cargo run -p dataset --example pictures -- FROM TO CLASSES PER_CLASS

use std::error::Error;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use dataset::{Part, load_split};
use image::{GrayImage, ImageFormat};

const FORMATS: [(ImageFormat, &str); 3] = [
    (ImageFormat::Png, "png"),
    (ImageFormat::Jpeg, "jpg"),
    (ImageFormat::WebP, "webp"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [from, to, classes, per_class] = arguments.as_slice() else {
        return Err("usage: pictures FROM TO CLASSES PER_CLASS".into());
    };
    let (from, to) = (PathBuf::from(from), PathBuf::from(to));
    let (classes, per_class): (u8, usize) = (classes.parse()?, per_class.parse()?);
    let split = load_split(&from, Part::Train, 256)?;
    let [_, height, width] = split.images().image_shape();
    for class in 0..classes {
        let of_class = (0..split.len()).filter(|&index| split.labels()[index] == class);
        for (number, index) in of_class.take(per_class).enumerate() {
            let pixels = split.images().image(index).to_vec();
            let picture = GrayImage::from_raw(width as u32, height as u32, pixels)
                .ok_or("the images are not grey")?;
            let (format, ending) = FORMATS[number % FORMATS.len()];
            let path = to
                .join(class.to_string())
                .join(format!("{number:02}.{ending}"));
            write(&picture, format, &path)?;
        }
    }
    Ok(())
}

fn write(picture: &GrayImage, format: ImageFormat, path: &Path) -> Result<(), Box<dyn Error>> {
    let mut bytes = Cursor::new(Vec::new());
    match format {
        // The encoder of WebP takes colours alone.
        ImageFormat::WebP => image::DynamicImage::from(picture.clone())
            .to_rgb8()
            .write_to(&mut bytes, format)?,
        _ => picture.write_to(&mut bytes, format)?,
    }
    artifact::write_bytes(path, bytes.get_ref())?;
    Ok(())
}
