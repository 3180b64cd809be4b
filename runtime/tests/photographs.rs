//! Digits on paper, as a camera has them, are recognised as MNIST's own are.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Cursor;
use std::num::NonZeroUsize;
use std::path::Path;

use common::{load_library, mnist};
use dataset::{Fit, Images, Part, Split, picture};
use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageFormat, Luma};
use runtime::prepare::{Center, Invert, Preparation, prepare};
use runtime::{ModelMetadata, Provider, Session, SessionOptions, predict};

/// How a photograph is taken.
#[derive(Clone, Copy)]
struct Camera {
    /// The photograph's size.
    size: (u32, u32),
    /// The side of the 28 × 28 pixels on it.
    digit: u32,
    /// The brightness of the paper at the left and at the right.
    paper: (f32, f32),
    /// The brightness of the ink, as a part of the paper's.
    ink: f32,
    /// The largest deviation of a pixel.
    noise: f32,
}

const DESK: Camera = Camera {
    size: (400, 300),
    digit: 220,
    paper: (235.0, 235.0),
    ink: 0.2,
    noise: 8.0,
};

/// The same numbers each time: Knuth's linear congruential generator.
struct Random(u64);

impl Random {
    /// From 0 to 1.
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }
}

impl Camera {
    /// The digit, white on black, as ink somewhere on paper, as JPEG.
    fn photograph(self, digit: &[u8], random: &mut Random) -> Vec<u8> {
        let digit = GrayImage::from_raw(28, 28, digit.to_vec()).unwrap();
        let digit = imageops::resize(&digit, self.digit, self.digit, FilterType::CatmullRom);
        let (width, height) = self.size;
        let mut place = |room: u32| (random.next() * (room - self.digit) as f32) as i64;
        let (left, top) = (place(width), place(height));
        let mut ink = GrayImage::new(width, height);
        imageops::replace(&mut ink, &digit, left, top);
        let photograph = GrayImage::from_fn(width, height, |x, y| {
            let right = x as f32 / width as f32;
            let paper = self.paper.0 + (self.paper.1 - self.paper.0) * right;
            let drawn = f32::from(ink.get_pixel(x, y).0[0]) / 255.0;
            let noise = (2.0 * random.next() - 1.0) * self.noise;
            Luma([(paper * (1.0 - drawn * (1.0 - self.ink)) + noise).clamp(0.0, 255.0) as u8])
        });
        let mut bytes = Cursor::new(Vec::new());
        photograph.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
        bytes.into_inner()
    }
}

struct Reader {
    session: Session,
    metadata: ModelMetadata,
}

impl Reader {
    fn new() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/digits.onnx");
        let options = SessionOptions {
            provider: Provider::Cpu,
            threads: NonZeroUsize::new(1),
        };
        let session = Session::open(&load_library(), &path, &options).unwrap();
        let metadata = ModelMetadata::of_model(session.model()).unwrap();
        Self { session, metadata }
    }

    /// How many of the images are taken for what they are.
    fn correct(&mut self, pixels: Vec<u8>, labels: &[u8]) -> usize {
        let images = Images::new(pixels, [labels.len(), 1, 28, 28]).unwrap();
        let batch = NonZeroUsize::new(64).unwrap();
        let predictions = predict(&mut self.session, &self.metadata, &images, batch).unwrap();
        let hits = predictions.iter().zip(labels);
        hits.filter(|(prediction, label)| prediction.ranking[0].class == label.to_string())
            .count()
    }

    /// The same of photographs of the images.
    fn correct_photographs(&mut self, test: &Split, camera: Camera) -> usize {
        let mut random = Random(1);
        let mnist = Preparation::for_model(&self.metadata);
        let pixels = (0..test.len()).flat_map(|index| {
            let jpeg = camera.photograph(test.images().image(index), &mut random);
            let picture = picture::decode(&jpeg).unwrap();
            let prepared = prepare(picture, [1, 28, 28], mnist).unwrap();
            assert!(prepared.inverted && prepared.centered);
            prepared.pixels
        });
        let pixels = pixels.collect();
        self.correct(pixels, test.labels())
    }
}

/// A third of the test images.
fn some_digits() -> Split {
    let test = mnist(Part::Test);
    let some: Vec<usize> = (0..test.len()).step_by(3).collect();
    test.select(&some)
}

/// 97 of 100 at least.
#[track_caller]
fn assert_recognised(correct: usize, total: usize) {
    assert!(correct * 100 >= total * 97, "{correct} of {total}");
}

#[test]
fn digits_on_white_paper_are_recognised() {
    let (mut reader, test) = (Reader::new(), some_digits());
    assert_recognised(reader.correct_photographs(&test, DESK), test.len());
}

#[test]
fn shadow_noise_and_pale_ink_do_no_harm() {
    let camera = Camera {
        paper: (230.0, 130.0),
        ink: 0.6,
        noise: 20.0,
        ..DESK
    };
    let (mut reader, test) = (Reader::new(), some_digits());
    assert_recognised(reader.correct_photographs(&test, camera), test.len());
}

#[test]
fn size_of_the_photograph_and_of_the_digit_on_it_do_not_matter() {
    let (mut reader, test) = (Reader::new(), some_digits());
    for (size, digit) in [((60, 80), 50), ((800, 600), 200)] {
        let camera = Camera {
            size,
            digit,
            ..DESK
        };
        assert_recognised(reader.correct_photographs(&test, camera), test.len());
    }
}

#[test]
fn centring_keeps_images_that_are_centred_already() {
    let (mut reader, test) = (Reader::new(), some_digits());
    let plain = reader.correct(test.images().pixels().to_vec(), test.labels());
    assert_recognised(plain, test.len());
    let always = Preparation {
        invert: Invert::Auto,
        center: Center::Yes,
        fit: Fit::Stretch,
    };
    let mut difference = 0_u64;
    let centred: Vec<u8> = (0..test.len())
        .flat_map(|index| {
            let image = test.images().image(index);
            let picture = GrayImage::from_raw(28, 28, image.to_vec()).unwrap();
            let picture = DynamicImage::from(picture);
            let prepared = prepare(picture, [1, 28, 28], always).unwrap();
            let differences = prepared.pixels.iter().zip(image);
            difference += differences
                .map(|(a, b)| u64::from(a.abs_diff(*b)))
                .sum::<u64>();
            prepared.pixels
        })
        .collect();
    let mean = difference as f64 / centred.len() as f64;
    assert!(mean < 10.0, "pixels differ by {mean} on average");
    assert_recognised(reader.correct(centred, test.labels()), test.len());
}
