//! What stages leave for others: `metrics.jsonl` and `evaluation.json`.

use pipeline::history::Evaluated;
use pipeline::results::{MAX_BYTES, json, json_lines};
use trainer::EpochRecord;

use crate::case::{Case, Format, case};

/// The file, and as much again for values, or for the brackets that are open,
/// which grow by doubling.
const MEMORY: fn(usize) -> usize = |length| 4 * length + (64 << 10);

const EPOCH: &str = r#"{"epoch":1,"train_loss":0.5,"train_accuracy":0.9,"validation_loss":0.4,"validation_accuracy":0.95,"learning_rate":0.001}"#;
const EVALUATION: &str = r#"{
  "weights": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  "accuracy": 0.95,
  "loss": 0.2,
  "confusion": [[9, 1], [0, 10]]
}"#;

/// `valid` with `from` replaced by `to`.
fn with(valid: &str, from: &str, to: &str) -> String {
    assert!(valid.contains(from), "no `{from}`");
    valid.replacen(from, to, 1)
}

/// Blanks without end, as far as is read.
fn endless() -> Vec<u8> {
    vec![b' '; MAX_BYTES as usize + 1]
}

pub fn metrics() -> Vec<Case> {
    let second = |line: &str| format!("{EPOCH}\n{line}\n");
    vec![
        case("no object", "7\n", "Invalid", "metrics.jsonl"),
        case(
            "an array of them",
            format!("[{EPOCH}]"),
            "Invalid",
            "expected usize",
        ),
        case("cut short", second(&EPOCH[..60]), "Invalid", "at line"),
        case("second line empty", second("{}"), "Invalid", "line 2"),
        case(
            "without a field",
            second(&with(EPOCH, r#""train_loss":0.5,"#, "")),
            "Invalid",
            "missing field `train_loss`",
        ),
        case(
            "field twice",
            second(&with(EPOCH, r#""epoch":1"#, r#""epoch":1,"epoch":2"#)),
            "Invalid",
            "duplicate field `epoch`",
        ),
        case(
            "epoch below zero",
            with(EPOCH, ":1,", ":-1,"),
            "Invalid",
            "integer `-1`",
        ),
        case(
            "no number",
            with(EPOCH, "0.5", "NaN"),
            "Invalid",
            "expected value",
        ),
        case(
            "number too large",
            with(EPOCH, "0.5", "1e999"),
            "Invalid",
            "out of range",
        ),
        case(
            "nested too deeply",
            "[".repeat(100_000),
            "Invalid",
            "metrics.jsonl",
        ),
        case("not UTF-8", b"{\"\xff\":1}", "Invalid", "invalid unicode"),
        case("too large", endless(), "File", "larger than 16777216 bytes"),
    ]
}

pub fn evaluations() -> Vec<Case> {
    let unknown = |value: &str| with(EVALUATION, r#""loss""#, &format!(r#""x":{value},"loss""#));
    vec![
        case("empty", "", "Invalid", "EOF"),
        case("a number", "0.95", "Invalid", "evaluation.json"),
        case("cut short", &EVALUATION[..120], "Invalid", "EOF"),
        case(
            "two of them",
            [EVALUATION, EVALUATION].concat(),
            "Invalid",
            "trailing characters",
        ),
        case(
            "without accuracy",
            with(EVALUATION, r#""accuracy": 0.95,"#, ""),
            "Invalid",
            "missing field `accuracy`",
        ),
        case(
            "accuracy in words",
            with(EVALUATION, "0.95", r#""good""#),
            "Invalid",
            "string \"good\"",
        ),
        case(
            "digest cut short",
            with(EVALUATION, "20015ad", ""),
            "Invalid",
            "64 hexadecimal digits",
        ),
        case(
            "nested too deeply",
            unknown(&"[".repeat(100_000)),
            "Invalid",
            "evaluation.json",
        ),
        case("too large", endless(), "File", "larger than 16777216 bytes"),
    ]
}

#[test]
fn metrics_are_refused_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let format = Format {
        folder: folder.path(),
        file: "metrics.jsonl",
        memory: MEMORY,
    };
    let seed = format!("{EPOCH}\n").repeat(3);
    format.refuses(seed.as_bytes(), metrics, json_lines::<EpochRecord>);
}

#[test]
fn evaluations_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let format = Format {
        folder: folder.path(),
        file: "evaluation.json",
        memory: MEMORY,
    };
    format.refuses(EVALUATION.as_bytes(), evaluations, json::<Evaluated>);
}
