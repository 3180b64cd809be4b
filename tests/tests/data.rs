//! Folders of pictures, CIFAR-10 and augmentation, from pipeline.yaml to ONNX.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use serde_json::Value;
use tests::{REST, Workspace, digits, refuse, stderr, stdout, succeed};

/// The layers of a small network for three classes.
const LAYERS: &str = "[conv2d: { channels: 4, kernel: 5, stride: 2 }, relu, max_pool: 2, \
                      dropout: 0.1, flatten, linear: 3]";

/// A pipeline on the pictures in `pictures`, with further train settings.
fn pictures(settings: &str) -> Workspace {
    let workspace = Workspace::new(&format!(
        "output: runs
stages:
  pictures:
    dataset:
      name: few-digits
      dir: pictures
      images: {{ size: 28, color: grey, test: {{ fraction: 0.25 }} }}
  fit:
    train:
      dataset: pictures
      model: {{ layers: {LAYERS} }}
      epochs: 2
      batch_size: 4
      learning_rate: 0.01
      validation: {{ hold_out: 5 }}
      device: cpu
{settings}{REST}"
    ));
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dataset/fixtures/digits");
    for class in ["0", "1", "2"] {
        for entry in fs::read_dir(from.join(class)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let to = format!("pictures/{class}/{name}");
            workspace.write(&to, fs::read(&path).unwrap());
        }
    }
    workspace
}

const AUGMENT: &str = "      augment:
        rotate: 10
        translate: 0.1
        scale: [0.9, 1.1]
        elastic: { alpha: 20 }
        erase: { probability: 0.3 }
        cutmix: { alpha: 1.0 }
";

#[test]
fn pictures_become_an_onnx_that_names_their_folders() {
    let workspace = pictures(AUGMENT);
    succeed(&mut workspace.run(&[]));
    let verification = workspace.json("runs/proof/verification.json");
    assert_eq!(verification["images"], 9);
    let inspected = succeed(&mut workspace.runtime(&["inspect", "runs/model.onnx", "--json"]));
    let inspected: Value = serde_json::from_slice(&inspected.stdout).unwrap();
    let text = inspected.to_string();
    assert!(text.contains("few-digits"), "{text}");

    // The same nine are found in the folder by the file alone.
    let mut eval = workspace.runtime(&["eval", "runs/model.onnx", "--data", "pictures", "--json"]);
    eval.arg("--ort-lib").arg(tests::onnx_runtime());
    let eval = succeed(eval.args(["--provider", "cpu"]));
    let found: Value = serde_json::from_slice(&eval.stdout).unwrap();
    let expected = workspace.json("runs/score/evaluation.json");
    assert_eq!(found["confusion"], expected["confusion"]);
    assert_eq!(found["total"], 9);
    let names = found["classes"].as_array().unwrap().iter();
    assert!(
        names
            .zip(["0", "1", "2"])
            .all(|(class, name)| class["class"] == name)
    );

    // Folders of other names are other classes.
    fs::rename(workspace.path("pictures/2"), workspace.path("pictures/two")).unwrap();
    let mut eval = workspace.runtime(&["eval", "runs/model.onnx", "--data", "pictures"]);
    eval.arg("--ort-lib").arg(tests::onnx_runtime());
    refuse(
        &mut eval,
        &["has the classes 0, 1, two", "made for 0, 1, 2"],
    );
}

#[test]
fn pictures_that_are_the_same_are_up_to_date_and_another_one_is_seen() {
    let workspace = pictures("");
    succeed(&mut workspace.run(&["--stage", "fit"]));
    let message = stderr(&succeed(&mut workspace.run(&["--stage", "fit"])));
    assert!(message.contains("nothing to do"), "{message}");
    let one = workspace.read("pictures/1/00.png");
    workspace.write("pictures/0/00.png", one);
    let message = stderr(&succeed(&mut workspace.run(&["--stage", "fit"])));
    assert!(
        message.contains("its input pictures has changed"),
        "{message}"
    );
}

#[test]
fn pictures_that_are_fitted_otherwise_are_trained_on_again() {
    let workspace = pictures("");
    succeed(&mut workspace.run(&["--stage", "fit"]));
    let crop = ["--stage", "fit", "--set", "pictures.images.fit=crop"];
    let message = stderr(&succeed(&mut workspace.run(&crop)));
    let reason = "[fit] train runs: its settings have changed: pictures.fit stretch, now crop";
    assert!(message.contains(reason), "{message}");
    let again = stderr(&succeed(&mut workspace.run(&crop)));
    assert!(again.contains("nothing to do"), "{again}");
}

/// Every kind of kernel: the direct and Winograd's convolutions, with and without pooling, batch
/// normalisation, pooling by itself and linear layers.
const ALL_KERNELS: &str = "[conv2d: { channels: 8, kernel: 5, padding: same }, batch_norm, relu, \
                           max_pool: 2, conv2d: { channels: 16, kernel: 3, padding: same }, relu, \
                           conv2d: { channels: 8, kernel: 5 }, relu, max_pool: 2, avg_pool: 2, \
                           batch_norm, dropout: 0.1, flatten, linear: 16, relu, linear: 3]";

#[test]
fn training_has_the_same_bytes_whatever_the_threads() {
    // More than are kept awake, too.
    let weights = [1, 2, 4, 17].map(|threads: u32| {
        let workspace = pictures(AUGMENT);
        let yaml = String::from_utf8(workspace.read("pipeline.yaml")).unwrap();
        workspace.write("pipeline.yaml", yaml.replace(LAYERS, ALL_KERNELS));
        let mut command = workspace.run(&["--stage", "fit"]);
        succeed(command.env("RAYON_NUM_THREADS", threads.to_string()));
        workspace.read("runs/fit/last.safetensors")
    });
    assert!(weights.iter().all(|others| *others == weights[0]));
}

#[test]
fn augmentation_changes_what_is_learned() {
    let weights = [AUGMENT, ""].map(|settings| {
        let workspace = pictures(settings);
        succeed(&mut workspace.run(&["--stage", "fit"]));
        workspace.read("runs/fit/last.safetensors")
    });
    assert!(weights[0] != weights[1]);
}

#[test]
fn damaged_picture_stops_the_stage_with_its_name() {
    let workspace = pictures("");
    workspace.write("pictures/1/05.webp", "RIFF");
    refuse(&mut workspace.run(&[]), &["pictures/1/05.webp"]);
}

#[test]
fn wrong_settings_of_data_are_refused_where_they_stand() {
    let refused = |from: &str, to: &str, settings: &str, texts: &[&str]| {
        let workspace = pictures(settings);
        let yaml = String::from_utf8(workspace.read("pipeline.yaml")).unwrap();
        assert!(yaml.contains(from));
        workspace.write("pipeline.yaml", yaml.replacen(from, to, 1));
        refuse(&mut workspace.pipeline(&["status"]), texts);
    };
    refused(
        "size: 28",
        "size: 0",
        "",
        &["pipeline.yaml:7", "pictures cannot be resized", "1 to 4096"],
    );
    refused(
        "color: grey",
        "color: blue",
        "",
        &["pipeline.yaml:7", "blue"],
    );
    refused(
        "dir: pictures",
        "dir: nowhere",
        "",
        &["pipeline.yaml:6", "nowhere"],
    );
    refused(
        "name: few-digits",
        "name: few-digits\n      classes: [a, b, c]",
        "",
        &["the names of their folders"],
    );
    refused(
        "fraction: 0.25",
        "fraction: 1.0",
        "",
        &["pipeline.yaml:7", "no pictures are left to train on"],
    );
    refused(
        "name: few-digits",
        "name: fashion-mnist",
        "",
        &["pipeline.yaml:5", "`fashion-mnist` is a published dataset"],
    );
    refused(
        "rotate: 10",
        "crop: 28",
        AUGMENT,
        &["`crop` is 28, but the images are 28×28"],
    );
    refused(
        "rotate: 10",
        "rotate: 400",
        AUGMENT,
        &["`augment`: `rotate` is 400", "an angle from 0 to 180"],
    );
    refused(
        "rotate: 10",
        "rotat: 10",
        AUGMENT,
        &["did you mean `rotate`?"],
    );
    refused(
        "epochs: 2",
        "epochs: 2\n      normalize: { fixed: { mean: [0.5, 0.5], std: [0.5, 0.5] } }",
        "",
        &["`normalize` has 2 channels, but the images have 1"],
    );
}

#[test]
fn cifar_10_that_cannot_be_fetched_says_which_file_to_put_where() {
    let workspace =
        Workspace::new("output: runs\nstages:\n  c: { dataset: { name: cifar-10, dir: c10 } }\n");
    let mut command = workspace.pipeline(&["run"]);
    command.env("PATH", "/nonexistent");
    refuse(
        &mut command,
        &[
            "www.cs.toronto.edu",
            "put these files in c10",
            "cifar-10-binary.tar.gz",
            "data_batch_1.bin",
        ],
    );
}

#[test]
fn data_show_counts_measures_and_draws() {
    let workspace = pictures(AUGMENT);
    let arguments = ["data", "show", "--png", "grid.png", "--augmented"];
    let output = succeed(&mut workspace.pipeline(&arguments));
    let text = stdout(&output);
    assert!(
        text.contains("few-digits: 27 train and 9 test images of 1×28×28"),
        "{text}"
    );
    assert!(text.contains("grey"), "{text}");
    assert!(
        !text.contains('\u{1b}'),
        "no pictures where there is no terminal"
    );
    assert!(workspace.read("grid.png").starts_with(b"\x89PNG"));

    let json = succeed(&mut workspace.pipeline(&["data", "show", "--json"]));
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        json["classes"][2],
        serde_json::json!({ "class": "2", "train": 9, "test": 3 })
    );
    let mean = json["mean"][0].as_f64().unwrap();
    assert!((0.05..0.3).contains(&mean), "{mean}");

    refuse(
        &mut pictures("").pipeline(&["data", "show", "--augmented"]),
        &["`fit` has no `augment:`"],
    );
    refuse(
        &mut workspace.pipeline(&["data", "show", "--png", "grid.jpg"]),
        &["the file's name must end in .png"],
    );
}

#[test]
fn data_show_takes_the_stage_that_is_named() {
    let yaml = format!("output: runs\nstages:\n{}", digits());
    let workspace = Workspace::new(&yaml);
    let text = stdout(&succeed(
        &mut workspace.pipeline(&["data", "show", "--stage", "digits"]),
    ));
    assert!(text.contains("600 train and 200 test images"), "{text}");
    refuse(
        &mut workspace.pipeline(&["data", "show", "--stage", "digit"]),
        &["there is no dataset stage `digit`"],
    );
}
