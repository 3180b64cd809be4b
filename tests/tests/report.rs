//! The report of a run, as the pipeline writes it.
#![allow(clippy::unwrap_used)]

use tests::{SMALL, Workspace, refuse, stderr, stdout, succeed, whole};

const REPORT: &str = "  page: { report: { eval: score } }\n";

fn workspace() -> Workspace {
    Workspace::new(&(whole(&SMALL) + REPORT))
}

#[test]
fn report_shows_the_run_and_is_told_last() {
    let workspace = workspace();
    let text = stdout(&succeed(&mut workspace.run(&[])));
    assert_eq!(text.lines().last(), Some("runs/page/report.html"));

    let page = String::from_utf8(workspace.read("runs/page/report.html")).unwrap();
    let evaluation = workspace.json("runs/score/evaluation.json");
    let verification = workspace.json("runs/proof/verification.json");
    let summary = workspace.json("runs/fit/summary.json");
    let percent = |part: &serde_json::Value| format!("{:.2}%", 100.0 * part.as_f64().unwrap());
    let difference = verification["max_difference"].as_f64().unwrap();
    for shown in [
        percent(&evaluation["accuracy"]),
        percent(&evaluation["classes"][3]["recall"]),
        percent(&summary["best"]["validation_accuracy"]),
        format!("{difference:.2e}"),
        summary["dataset"].as_str().unwrap().to_owned(),
        summary["versions"]["burn"].as_str().unwrap().to_owned(),
        "[batch, 1, 28, 28]".to_owned(),
        "conv1.weight [4, 1, 5, 5]".to_owned(),
    ] {
        assert!(page.contains(&shown), "no {shown}");
    }
    // Probabilities are the report's alone.
    assert!(evaluation["probabilities"].is_null());
}

#[test]
fn report_is_up_to_date_until_what_it_shows_changes() {
    let workspace = workspace();
    succeed(&mut workspace.run(&[]));
    let lock = workspace.read("pipeline.lock");
    let message = stderr(&succeed(&mut workspace.run(&[])));
    assert!(message.contains("nothing to do"), "{message}");

    // Made again, it takes other times, of which the lock file knows nothing.
    succeed(&mut workspace.run(&["--force", "--stage", "page"]));
    assert!(workspace.read("pipeline.lock") == lock);

    let message = stderr(&succeed(&mut workspace.run(&["--set", "proof.images=50"])));
    assert!(message.contains("[page] report done"), "{message}");
    let page = String::from_utf8(workspace.read("runs/page/report.html")).unwrap();
    assert!(page.contains("<dt>images, all with equal labels</dt><dd>50</dd>"));

    std::fs::remove_file(workspace.path("runs/page/plots/loss.svg")).unwrap();
    let message = stderr(&succeed(&mut workspace.run(&["--set", "proof.images=50"])));
    assert!(message.contains("loss.svg is not there"), "{message}");
}

#[test]
fn run_that_was_not_verified_is_reported_as_such() {
    let yaml = (whole(&SMALL) + REPORT)
        .replace(", after: [proof]", "")
        .replace("  proof:\n    verify: { model: onnx }\n", "");
    let workspace = Workspace::new(&yaml);
    succeed(&mut workspace.run(&["--stage", "page"]));
    let page = String::from_utf8(workspace.read("runs/page/report.html")).unwrap();
    assert!(page.contains("This run did not compare them"));
}

#[test]
fn report_of_anything_but_an_evaluation_is_refused() {
    let yaml = whole(&SMALL) + &REPORT.replace("score", "onnx");
    refuse(
        &mut Workspace::new(&yaml).run(&[]),
        &["`onnx` is a stage of kind `export`, but one of kind `eval` is expected"],
    );
}
