//! The generated code answers as the module that was exported.

use burn::tensor::{Device, Distribution, Int, Tensor, Tolerance};
use roundtrip::generated;
use roundtrip::networks::{Autoencoder, Classifier, Reader};

fn images<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
}

fn assert_equal<const D: usize>(found: Tensor<D>, expected: Tensor<D>) {
    let tolerance = Tolerance::<f32>::absolute(1e-5);
    found
        .into_data()
        .assert_approx_eq(&expected.into_data(), tolerance);
}

#[test]
fn the_classifier_comes_back() {
    let (network, generated) = (
        Classifier::default(),
        generated::classifier::Model::default(),
    );
    for batch in [1, 4, 9] {
        let image = images([batch, 3, 16, 16]);
        assert_equal(generated.forward(image.clone()), network.forward(image));
    }
}

#[test]
fn the_autoencoder_comes_back() {
    let (network, generated) = (
        Autoencoder::default(),
        generated::autoencoder::Model::default(),
    );
    for batch in [1, 4, 9] {
        let image = images([batch, 1, 8, 8]);
        assert_equal(generated.forward(image.clone()), network.forward(image));
    }
}

#[test]
fn the_reader_comes_back() {
    let (network, generated) = (Reader::default(), generated::reader::Model::default());
    for (batch, length) in [(1, 12), (4, 1), (9, 6)] {
        let distribution = Distribution::Uniform(0.0, 29.0);
        let words = Tensor::<2, Int>::random([batch, length], distribution, &Device::flex());
        assert_equal(generated.forward(words.clone()), network.forward(words));
    }
}
