//! The metadata's contract: what is written reads back, and what is malformed
//! is named.
#![allow(clippy::unwrap_used)]

use artifact::Sha256;
use dataset::{Fit, ImageFolderOptions, Normalization, TestSplit};
use proptest::prelude::*;
use runtime::{MetadataError, ModelMetadata, Sources};

/// Any metadata that is valid; floats of all magnitudes.
fn metadata() -> impl Strategy<Value = ModelMetadata> {
    let digest = || proptest::option::of(any::<[u8; 4]>().prop_map(|b| Sha256::of_bytes(&b)));
    let channels = prop::collection::vec((finite(), positive()), 1..4);
    (
        (".*", channels, 1..512_usize, 1..512_usize),
        prop::collection::vec(".*", 1..12),
        proptest::option::of(0.0..=1.0_f64),
        (digest(), digest(), digest(), digest()),
    )
        .prop_map(
            |((dataset, channels, height, width), classes, accuracy, digests)| {
                let (mean, std): (Vec<_>, Vec<_>) = channels.into_iter().unzip();
                let planes = mean.len();
                ModelMetadata {
                    dataset,
                    input: [mean.len(), height, width],
                    normalization: Normalization::new(mean, std).unwrap(),
                    classes,
                    pictures: accuracy.map(|accuracy| ImageFolderOptions {
                        shape: [planes, height, width],
                        fit: Fit::Crop,
                        test: TestSplit {
                            fraction: f64::round(100.0 * accuracy) / 100.0,
                            seed: 7,
                        },
                    }),
                    accuracy,
                    sources: Sources {
                        initializers: digests.0,
                        weights: digests.1,
                        dataset: digests.2,
                        settings: digests.3,
                    },
                }
            },
        )
}

fn finite() -> impl Strategy<Value = f32> {
    any::<u32>()
        .prop_map(f32::from_bits)
        .prop_filter("finite", |x| x.is_finite())
}

fn positive() -> impl Strategy<Value = f32> {
    finite()
        .prop_map(f32::abs)
        .prop_filter("normal", |x| x.is_normal())
}

fn read(props: &[(String, String)]) -> Result<ModelMetadata, MetadataError> {
    ModelMetadata::from_props(props.iter().map(|(k, v)| (k.as_str(), v.as_str())))
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

proptest! {
    #[test]
    fn metadata_round_trips_to_the_bit(metadata in metadata()) {
        let read = read(&metadata.to_props()).unwrap();
        prop_assert_eq!(bits(read.normalization.mean()), bits(metadata.normalization.mean()));
        prop_assert_eq!(bits(read.normalization.std()), bits(metadata.normalization.std()));
        prop_assert_eq!(
            read.accuracy.map(f64::to_bits),
            metadata.accuracy.map(f64::to_bits)
        );
        prop_assert_eq!(read, metadata);
    }

    #[test]
    fn any_text_is_read_or_refused(key in 0..9_usize, value in ".*") {
        let mut props = example();
        props[key].1 = value;
        let _ = read(&props);
    }
}

fn example() -> Vec<(String, String)> {
    let digest = Sha256::of_bytes(b"");
    ModelMetadata {
        dataset: "mnist".to_owned(),
        input: [1, 28, 28],
        normalization: Normalization::new(vec![0.1307], vec![0.3081]).unwrap(),
        classes: vec!["zero".to_owned(), "one".to_owned()],
        pictures: None,
        accuracy: Some(0.9912),
        sources: Sources {
            initializers: Some(digest),
            weights: Some(digest),
            dataset: Some(digest),
            settings: Some(digest),
        },
    }
    .to_props()
}

#[test]
fn keys_and_values_are_the_documented_ones() {
    let props = example();
    let digest = Sha256::of_bytes(b"").to_string();
    let expected = [
        ("burnish.dataset", "mnist"),
        ("burnish.input", "[1,28,28]"),
        ("burnish.mean", "[0.1307]"),
        ("burnish.std", "[0.3081]"),
        ("burnish.classes", r#"["zero","one"]"#),
        ("burnish.accuracy", "0.9912"),
        ("burnish.sha256.initializers", &digest),
        ("burnish.sha256.weights", &digest),
        ("burnish.sha256.dataset", &digest),
        ("burnish.sha256.settings", &digest),
    ];
    let props: Vec<_> = props
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(props, expected);
}

#[test]
fn keys_of_other_programs_are_left_alone() {
    let mut props = example();
    props.push(("author".to_owned(), "somebody".to_owned()));
    props.push(("burnish.future".to_owned(), "?".to_owned()));
    assert!(read(&props).is_ok());
    assert_eq!(read(&props[10..11]), Err(MetadataError::Absent));
    assert_eq!(read(&[]), Err(MetadataError::Absent));
}

#[test]
fn each_required_key_is_named_when_it_is_missing() {
    for index in 0..5 {
        let mut props = example();
        let (key, _) = props.remove(index);
        let error = read(&props).unwrap_err();
        assert!(matches!(error, MetadataError::Missing { key: k } if k == key));
    }
}

#[test]
fn malformed_values_are_named_with_their_key() {
    let many = serde_json::to_string(&vec![""; 257]).unwrap();
    for (key, values) in [
        (
            "burnish.input",
            &["", "[1,28]", "[1,28,-1]", "[0,28,28]", "[1,4097,1]", "28"][..],
        ),
        (
            "burnish.mean",
            &["0.1", "[]", "[0.1,0.2]", "[null]", "[\"0.1\"]", "[1e999]"],
        ),
        ("burnish.std", &["[0]", "[-0.3]", "[1e-50]", "[]"]),
        ("burnish.classes", &["[]", "[1,2]", "zero,one", &many]),
        ("burnish.accuracy", &["98%", "1.5", "NaN", ""]),
        ("burnish.sha256.weights", &["", "abc"]),
    ] {
        for value in values {
            let mut props = example();
            let prop = props.iter_mut().find(|(k, _)| k == key).unwrap();
            prop.1 = (*value).to_owned();
            let error = read(&props).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(key), "`{value}`: {text}");
            assert!(text.len() < 400, "{text}");
            assert!(matches!(error, MetadataError::Malformed { .. }), "{text}");
        }
    }
}

#[test]
fn key_that_is_there_twice_is_refused() {
    let mut props = example();
    props.push(props[0].clone());
    assert!(matches!(read(&props), Err(MetadataError::Duplicate { .. })));
}
