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

#[test]
fn every_command_of_the_page_runs() {
    let page = std::fs::read_to_string(root().join("docs/from-pytorch.md")).unwrap();
    let blocks = blocks(&page);
    let files = files(&blocks);
    let workspace = Workspace::new("");
    for (name, text) in &files {
        workspace.write(name, with_fixture(text));
    }
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
        if command.contains("recipes/") {
            // CIFAR-10 itself is not at hand.
            program.current_dir(root()).arg("--dry-run");
        }
        succeed(&mut program);
    }
}
