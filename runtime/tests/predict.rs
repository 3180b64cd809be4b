//! `runtime predict` as a user runs it.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use common::{Files, library_path, linear, metadata, mnist, runtime, with_metadata};
use dataset::{Fit, ImageFolder, ImageFolderOptions, Part, TestSplit};
use image::{GrayImage, Rgb, RgbImage};
use runtime::ModelMetadata;
use serde_json::Value;
use tempfile::TempDir;

fn predict(folder: &Path) -> Command {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/digits.onnx");
    predict_with(&model, folder)
}

fn predict_with(model: &Path, folder: &Path) -> Command {
    let mut command = runtime();
    command.arg("predict").arg(model).current_dir(folder);
    command.arg("--ort-lib").arg(library_path());
    command
}

/// Five test images as PNG, named after their label and place: `7-0.png`.
fn digits() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let test = mnist(Part::Test);
    for index in 0..5 {
        let image = GrayImage::from_raw(28, 28, test.images().image(index).to_vec()).unwrap();
        let name = format!("{}-{index}.png", test.labels()[index]);
        image.save(folder.path().join(name)).unwrap();
    }
    folder
}

fn json(command: &mut Command) -> Vec<Value> {
    let output = command.arg("--json").assert().success();
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

/// Each label that was found is the one in the file's name.
#[track_caller]
fn assert_labels(answers: &[Value]) {
    for answer in answers {
        let file = PathBuf::from(answer["file"].as_str().unwrap());
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(
            name.starts_with(answer["label"].as_str().unwrap()),
            "{answer}"
        );
    }
}

#[test]
fn files_folders_and_patterns_are_read_in_the_order_of_their_names() {
    let folder = digits();
    fs::write(folder.path().join("notes.txt"), "no picture").unwrap();
    let files = |arguments: &[&str]| -> Vec<String> {
        let answers = json(predict(folder.path()).args(arguments));
        assert_labels(&answers);
        let file = |answer: &Value| answer["file"].as_str().unwrap().to_owned();
        answers.iter().map(file).collect()
    };
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".png"))
        .collect();
    names.sort();
    assert_eq!(files(&["*.png"]), names);
    let in_folder: Vec<_> = names.iter().map(|name| format!("./{name}")).collect();
    assert_eq!(files(&["."]), in_folder);
    assert_eq!(files(&[&names[3], &names[0]]), [&*names[3], &*names[0]]);
}

#[test]
fn stdin_is_a_picture_too() {
    let folder = digits();
    let (label, bytes) = (
        mnist(Part::Test).labels()[0].to_string(),
        fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_str().unwrap().ends_with("-0.png"))
            .map(|path| fs::read(path).unwrap())
            .unwrap(),
    );
    let answers = json(predict(folder.path()).arg("-").write_stdin(bytes));
    assert_eq!(answers[0]["file"], "stdin");
    assert_eq!(answers[0]["label"], label);
}

#[test]
fn probabilities_are_ranked_and_add_up_to_one() {
    let folder = digits();
    let answers = json(predict(folder.path()).arg("."));
    for answer in &answers {
        let top = answer["top"].as_array().unwrap();
        let of = |ranked: &Value| ranked["probability"].as_f64().unwrap();
        assert_eq!(top.len(), 10);
        assert!(top.is_sorted_by(|a, b| of(a) >= of(b)));
        assert!((top.iter().map(of).sum::<f64>() - 1.0).abs() < 1e-6);
        assert_eq!(answer["label"], top[0]["class"]);
        assert_eq!(answer["probability"], top[0]["probability"]);
        // Images of the dataset are seen as they are.
        assert_eq!(answer["inverted"], false);
        assert_eq!(answer["centered"], false);
    }
    let answers = json(predict(folder.path()).args([".", "--top", "2"]));
    assert_eq!(answers[0]["top"].as_array().unwrap().len(), 2);
}

#[test]
fn text_has_a_bar_for_each_class_and_nothing_that_a_file_could_not_hold() {
    let folder = digits();
    let output = predict(folder.path()).args([".", "--top", "3"]).assert();
    let text = String::from_utf8(output.success().get_output().stdout.clone()).unwrap();
    assert!(text.contains("-0.png: 7\n  7  "), "{text}");
    assert!(text.contains('█'), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains('%')).count(), 15);
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn pictures_that_cannot_be_used_are_told_and_the_others_are_predicted() {
    let folder = digits();
    fs::write(folder.path().join("bad.png"), "no picture").unwrap();
    let blank = GrayImage::new(50, 50);
    blank.save(folder.path().join("blank.png")).unwrap();
    let output = predict(folder.path())
        .args([".", "--json"])
        .assert()
        .code(1);
    let answers: Vec<Value> = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(answers.len(), 5);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    for line in [
        "error: ./bad.png: neither PNG, JPEG nor WebP\n",
        "error: ./blank.png: nothing is drawn on the picture",
        "error: 2 of 7 pictures cannot be used\n",
    ] {
        assert!(stderr.contains(line), "no `{line}` in:\n{stderr}");
    }
}

/// Logits overflow where both pixels are bright.
#[test]
fn picture_without_a_finite_answer_is_told_by_its_name_and_the_others_are_predicted() {
    let (folder, files) = (tempfile::tempdir().unwrap(), Files::new());
    let weights = [f32::MAX, 0.0, f32::MAX, 0.0];
    let model = linear(None, [1, 1, 2], &weights, &[0.0, 1.0]);
    let metadata = metadata("pairs", [1, 1, 2], &["left", "right"]);
    let model = files.model(&with_metadata(model, &metadata));
    for index in 0..70 {
        let shade = if index == 68 { 255 } else { 0 };
        let picture = GrayImage::from_raw(2, 1, vec![shade; 2]).unwrap();
        picture
            .save(folder.path().join(format!("{index:02}.png")))
            .unwrap();
    }
    let output = predict_with(&model, folder.path())
        .args([".", "--json"])
        .assert()
        .code(1);
    let answers: Vec<Value> = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(answers.len(), 69);
    assert!(answers.iter().all(|answer| answer["label"] == "right"));
    let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    for line in [
        "error: ./68.png: the model's answer is infinite or not a number\n",
        "error: 1 of 70 pictures cannot be used\n",
    ] {
        assert!(stderr.contains(line), "no `{line}` in:\n{stderr}");
    }
}

#[test]
fn model_without_metadata_is_refused_with_what_it_lacks() {
    let (folder, files) = (digits(), Files::new());
    let model = files.model(&linear(None, [1, 28, 28], &[0.0; 7840], &[0.0; 10]));
    let output = predict_with(&model, folder.path())
        .arg(".")
        .assert()
        .code(1);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    for text in [
        "no metadata of Burnish",
        "hint: Burnish writes it into the models",
    ] {
        assert!(stderr.contains(text), "no `{text}` in:\n{stderr}");
    }
}

/// Pictures that are not square, in a folder for each class.
fn wide_and_tall() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let colour = |x: u32, y: u32| Rgb([17 * x, 17 * y, 8 * (x + y)].map(|value| value as u8));
    for (class, width, height) in [("tall", 7, 15), ("wide", 15, 6)] {
        let path = folder.path().join(class);
        fs::create_dir(&path).unwrap();
        let picture = RgbImage::from_fn(width, height, colour);
        picture.save(path.join("ramp.png")).unwrap();
    }
    folder
}

/// A model that tells what it sees: a class for each pixel, whose logit is the
/// pixel's brightness, and a last one with that of black.
fn mirror(files: &Files, options: ImageFolderOptions) -> PathBuf {
    let pixels: usize = options.shape.iter().product();
    let mut weights = vec![0.0; pixels * (pixels + 1)];
    weights
        .iter_mut()
        .step_by(pixels + 2)
        .for_each(|x| *x = 1.0);
    let bias = vec![0.0; pixels + 1];
    let model = linear(None, options.shape.map(|side| side as i64), &weights, &bias);
    let classes: Vec<_> = (0..=pixels).map(|class| class.to_string()).collect();
    let classes: Vec<_> = classes.iter().map(String::as_str).collect();
    let metadata = ModelMetadata {
        pictures: Some(options),
        ..metadata("ramps", options.shape, &classes)
    };
    files.model(&with_metadata(model, &metadata))
}

/// The pixels that a [`mirror`] saw.
fn seen(answer: &Value) -> Vec<u8> {
    let top = answer["top"].as_array().unwrap();
    let mut logits = vec![0.0; top.len()];
    for ranked in top {
        let class: usize = ranked["class"].as_str().unwrap().parse().unwrap();
        logits[class] = ranked["probability"].as_f64().unwrap().ln();
    }
    let black = logits.pop().unwrap();
    let pixel = |logit: f64| (255.0 * (logit - black)).round() as u8;
    logits.into_iter().map(pixel).collect()
}

#[test]
fn pictures_are_fitted_as_those_of_the_training() {
    let (folder, files) = (wide_and_tall(), Files::new());
    for fit in [Fit::Stretch, Fit::Crop, Fit::Pad] {
        for channels in [1, 3] {
            let options = ImageFolderOptions {
                shape: [channels, 4, 4],
                fit,
                test: TestSplit {
                    fraction: 1.0,
                    seed: 0,
                },
            };
            let trained = ImageFolder::open(folder.path(), options).unwrap();
            let trained = trained.load(Part::Test).unwrap();
            let mut command = predict_with(&mirror(&files, options), folder.path());
            let answers = json(command.args(["tall", "wide", "--top", "49"]));
            assert_eq!(answers.len(), 2);
            for (index, answer) in answers.iter().enumerate() {
                let image = trained.images().image(index);
                assert_eq!(seen(answer), image, "{fit:?}, {channels} channels");
            }
        }
    }
}

#[test]
fn paths_without_pictures_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    for (path, reason) in [
        ("none.png", "no file or folder `none.png`"),
        ("*.png", "no file matches `*.png`"),
        (".", "no picture in `.`"),
        ("[", "no pattern"),
    ] {
        let output = predict(folder.path()).arg(path).assert().code(1);
        let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        assert!(stderr.contains(reason), "{path}: {stderr}");
    }
}
