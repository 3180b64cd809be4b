//! The report as files.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use dataset::{Images, Part, Split, load_split};
use report::{
    ClassMeasures, Epoch, Evaluation, FILES, Graph, Link, Node, PAGE, Run, Sample, Section, Times,
    Verification,
};

/// Names that would break out of the page, of an attribute or of a plot.
const NAMES: [&str; 10] = [
    "<script>alert(1)</script>",
    "\" onload=\"alert(1)",
    "'&amp;",
    "$\\frac{a}{b}$",
    "]]></style>",
    "{{ run }}",
    "a very long name of a class that nobody would give, but somebody does",
    "🦒",
    "--><img src=x>",
    "9",
];

fn digits() -> Split {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../dataset/fixtures/mnist");
    load_split(Path::new(folder), Part::Test, 10).unwrap()
}

/// Right with 90% on every image but each seventh, which is taken for the
/// next class.
fn evaluation<'a>(images: &'a Images, labels: &'a [u8]) -> Evaluation<'a> {
    let mut confusion = vec![vec![0; 10]; 10];
    let mut probabilities = Vec::new();
    for (image, &label) in labels.iter().enumerate() {
        let label = usize::from(label);
        let predicted = if image % 7 == 0 {
            (label + 1) % 10
        } else {
            label
        };
        confusion[label][predicted] += 1;
        probabilities.extend((0..10).map(|class| if class == predicted { 0.91 } else { 0.01 }));
    }
    let class = |name: &&str| ClassMeasures {
        name: (*name).to_owned(),
        precision: Some(0.9),
        recall: None,
        f1: Some(0.85),
        support: 20,
    };
    Evaluation {
        provider: "CPU".to_owned(),
        accuracy: 0.85,
        loss: 0.5,
        classes: NAMES.iter().map(class).collect(),
        confusion,
        images,
        labels,
        probabilities,
    }
}

fn run<'a>(split: &'a Split, seconds: f64) -> Run<'a> {
    let epoch = |epoch: usize| Epoch {
        epoch,
        train_loss: 1.0 / epoch as f64,
        train_accuracy: 1.0 - 0.1 / epoch as f64,
        validation_loss: 1.1 / epoch as f64,
        validation_accuracy: 1.0 - 0.12 / epoch as f64,
        learning_rate: 0.001,
    };
    let node = |op: &str, name: &str| Node {
        op: op.to_owned(),
        name: name.to_owned(),
        shapes: vec!["[batch, 1, 28, 28]".to_owned()],
    };
    let line = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Run {
        title: "<b>digits</b>".to_owned(),
        model: "lenet5".to_owned(),
        dataset: "digits & more".to_owned(),
        parameters: 61_706,
        settings: vec![Section {
            title: "fit (train)".to_owned(),
            lines: vec![line("seed", "1")],
        }],
        history: (1..=12).map(epoch).collect(),
        exported_epoch: 12,
        evaluation: evaluation(split.images(), split.labels()),
        samples: vec![Sample {
            shape: split.images().image_shape(),
            pixels: split.images().image(0),
            label: split.labels()[0],
        }],
        graph: Graph {
            nodes: vec![
                node("input", "image"),
                node("Conv", "<conv>"),
                node("Relu", ""),
            ],
            links: vec![Link { from: 0, to: 1 }, Link { from: 0, to: 2 }],
            facts: vec![line("opset", "20")],
        },
        verification: Some(Verification {
            images: 200,
            max_difference: 1.2e-6,
            tolerance: 1e-4,
        }),
        times: Times {
            training_seconds: Some(seconds),
            training_images_per_second: vec![1000.0 / seconds],
            evaluated_images_per_second: None,
        },
        sources: Vec::new(),
    }
}

fn written(seconds: f64) -> tempfile::TempDir {
    let split = digits();
    let folder = tempfile::tempdir().unwrap();
    report::write(&run(&split, seconds), folder.path()).unwrap();
    folder
}

#[test]
fn files_are_those_that_are_listed() {
    let folder = written(1.0);
    let files = |folder: &str| {
        let prefix = folder.to_owned();
        move |entry: fs::DirEntry| format!("{prefix}{}", entry.file_name().display())
    };
    let list = |path: &Path| fs::read_dir(path).unwrap().map(Result::unwrap);
    let plots = list(&folder.path().join("plots")).map(files("plots/"));
    let found: BTreeSet<String> = plots.chain([PAGE.to_owned()]).collect();
    assert_eq!(found, FILES.map(str::to_owned).into());
}

#[test]
fn equal_runs_give_equal_bytes_but_for_their_times() {
    let [first, second, slower] = [written(1.0), written(1.0), written(2.0)];
    for file in FILES {
        let read = |folder: &tempfile::TempDir| fs::read(folder.path().join(file)).unwrap();
        let digest =
            |folder: &tempfile::TempDir| report::digest(&folder.path().join(file)).unwrap();
        assert!(read(&first) == read(&second), "{file}");
        assert_eq!(digest(&first), digest(&slower), "{file}");
        assert_eq!(read(&first) == read(&slower), file != PAGE, "{file}");
    }
}

#[test]
fn network_that_was_not_trained_has_no_curves() {
    let split = digits();
    let mut untrained = run(&split, 1.0);
    untrained.history.truncate(1);
    untrained.history[0].epoch = 0;
    untrained.history[0].learning_rate = 0.0;
    untrained.exported_epoch = 0;
    let folder = tempfile::tempdir().unwrap();
    report::write(&untrained, folder.path()).unwrap();
    let page = fs::read_to_string(folder.path().join(PAGE)).unwrap();
    assert!(page.contains("Not trained"));
    assert!(!page.contains("id=\"learning-rate\""));
}

#[test]
fn text_from_files_is_never_markup() {
    let folder = written(1.0);
    for file in FILES.iter().filter(|file| !file.ends_with("png")) {
        let text = fs::read_to_string(folder.path().join(file)).unwrap();
        for markup in [
            "<script>alert",
            "<b>",
            "<conv>",
            "<img src=x",
            "]]></style",
            "\" onload=\"",
        ] {
            assert!(!text.contains(markup), "{file} has {markup}");
        }
    }
    let page = fs::read_to_string(folder.path().join(PAGE)).unwrap();
    assert!(
        page.contains("&#60;script&#62;alert(1)"),
        "the names are there"
    );
    let plot = fs::read_to_string(folder.path().join("plots/confusion.svg")).unwrap();
    assert!(plot.contains("$\\frac{a}{b}$"), "{plot}");
}

#[test]
fn page_asks_nothing_of_a_network() {
    let folder = written(1.0);
    let page = fs::read_to_string(folder.path().join(PAGE)).unwrap();
    let addresses = page.split("://").count() - 1;
    let namespaces = page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count();
    assert_eq!(addresses, namespaces);
    let pictures = page.matches("src=\"").count();
    assert_eq!(
        pictures,
        page.matches("src=\"data:image/png;base64,").count()
    );
}

#[test]
fn every_plot_names_its_axes() {
    let folder = written(1.0);
    for (plot, x, y) in [
        ("loss", "epoch", "cross-entropy (nats)"),
        ("accuracy", "epoch", "accuracy (%)"),
        ("learning-rate", "epoch", "learning rate (of the last step)"),
        ("confusion", "predicted class", "true class"),
        ("classes", "class", "part of the images (%)"),
        (
            "reliability",
            "confidence: probability of the predicted class (%)",
            "accuracy (%)",
        ),
        (
            "confidence",
            "confidence: probability of the predicted class (%)",
            "part of the images (%)",
        ),
    ] {
        let svg = fs::read_to_string(folder.path().join(format!("plots/{plot}.svg"))).unwrap();
        for name in [x, y] {
            assert!(svg.contains(&format!(">{name}</text>")), "{plot}: {name}");
        }
    }
}

#[test]
fn mistakes_are_shown_with_what_they_were_taken_for() {
    let folder = written(1.0);
    let page = fs::read_to_string(folder.path().join(PAGE)).unwrap();
    let count = digits().len().div_ceil(7);
    assert!(page.contains(&format!("24 of {count} test images")));
    assert!(page.contains("91.00%, is "));
}

#[test]
fn description_that_contradicts_itself_is_refused() {
    let split = digits();
    let folder = tempfile::tempdir().unwrap();
    type Change = fn(&mut Run<'_>);
    let changes: [Change; 7] = [
        |run| run.history.clear(),
        |run| _ = run.evaluation.probabilities.pop(),
        |run| run.evaluation.probabilities[0] = f32::NAN,
        |run| _ = run.evaluation.confusion.pop(),
        |run| run.evaluation.classes.truncate(3),
        |run| run.samples[0].label = 10,
        |run| run.graph.links[0].to = 0,
    ];
    for change in changes {
        let mut run = run(&split, 1.0);
        change(&mut run);
        let error = report::write(&run, folder.path()).unwrap_err();
        assert!(
            error.to_string().starts_with("the run cannot be shown: "),
            "{error}"
        );
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
