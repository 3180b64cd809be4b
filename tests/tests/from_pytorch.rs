//! The page for those who come from PyTorch: each of its commands runs, on the
//! images of the fixture and for one epoch.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use tests::{Workspace, fixture, onnx_runtime, program, succeed};

/// What stands for the 60,000 images that a reader has, and their ten epochs.
fn with_fixture(text: &str) -> String {
    let small = format!(
        "{{ name: digits, dir: {}, classes: [a, b, c, d, e, f, g, h, i, j] }}",
        fixture().display()
    );
    let pictures = root().join("dataset/fixtures/digits");
    let text = text
        .replace("{ name: mnist }", &small)
        .replace("dir: photos", &format!("dir: {}", pictures.display()))
        .replace("photos/0", &format!("{}/0", pictures.display()));
    let epochs = match text.contains("validation: ") {
        true => "epochs: 1",
        false => "epochs: 1\n      validation: test",
    };
    text.replace("epochs: 10", epochs)
}

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().unwrap()
}

/// The fenced blocks of the page, each with its language.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let fenced = page.split("```").skip(1).step_by(2);
    fenced
        .map(|block| block.split_once('\n').unwrap())
        .collect()
}

/// The files that the page shows, under the names in their first lines.
fn files<'a>(blocks: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let yaml = blocks.iter().filter(|(language, _)| *language == "yaml");
    yaml.map(|(_, text)| {
        let name = text.lines().next().unwrap().trim_start_matches("# ");
        assert!(name.ends_with(".yaml"), "a file without a name: {text}");
        (name, *text)
    })
    .collect()
}

fn commands<'a>(blocks: &[(&'a str, &'a str)]) -> Vec<&'a str> {
    let console = blocks.iter().filter(|(language, _)| *language == "console");
    let lines = console.flat_map(|(_, text)| text.lines());
    lines.filter_map(|line| line.strip_prefix("$ ")).collect()
}

/// The recipe for CIFAR-10, and files of its format and size in place of its own, which are not at
/// hand: each class is a brightness.
fn cifar10_at_hand(workspace: &Workspace) {
    const RECIPE: &str = "recipes/cifar10-lenet5.yaml";
    workspace.write(RECIPE, std::fs::read(root().join(RECIPE)).unwrap());
    let record = |index: usize| {
        let label = (index % 10) as u8;
        let pixel = move |place: usize| 20 * label + (place * 7 % 20) as u8;
        std::iter::once(label).chain((0..3 * 32 * 32).map(pixel))
    };
    let batch: Vec<u8> = (0..10_000).flat_map(record).collect();
    let training = (1..=5).map(|number| format!("data_batch_{number}.bin"));
    for name in training.chain(["test_batch.bin".to_owned()]) {
        workspace.write(&format!("data/cifar-10/{name}"), &batch);
    }
}

#[test]
fn every_command_of_the_page_runs() {
    let page = std::fs::read_to_string(root().join("docs/from-pytorch.md")).unwrap();
    let blocks = blocks(&page);
    let files = files(&blocks);
    let workspace = Workspace::new("");
    for (name, text) in &files {
        workspace.write(name, with_fixture(text));
    }
    cifar10_at_hand(&workspace);
    let commands = commands(&blocks);
    assert!(commands.len() > 12, "{commands:?}");
    for command in commands {
        let command = with_fixture(command);
        println!("$ {command}");
        let mut words = command.split(' ');
        let mut program = program(words.next().unwrap());
        program.current_dir(workspace.path("")).args(words);
        program.env("ORT_DYLIB_PATH", onnx_runtime());
        if command.starts_with("runtime eval") {
            program.arg("--data").arg(fixture());
        }
        succeed(&mut program);
    }
}
