//! `runtime predict` as a user runs it.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use common::{library_path, mnist, runtime};
use dataset::Part;
use image::GrayImage;
use serde_json::Value;
use tempfile::TempDir;

fn predict(folder: &Path) -> Command {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/digits.onnx");
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
