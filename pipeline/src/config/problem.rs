//! What serde-saphyr found wrong with a file, in words for its author.

use serde_saphyr::{Error, MessageFormatter, UserMessageFormatter};

/// What is wrong, and what to do about it where that can be told.
pub(super) struct Problem {
    pub(super) text: String,
    pub(super) hint: Option<String>,
}

impl Problem {
    pub(super) fn of(error: &Error) -> Self {
        let error = error.without_snippet();
        Self {
            text: text(error),
            hint: hint(error),
        }
    }
}

fn text(error: &Error) -> String {
    match error {
        Error::SerdeUnknownField { field, .. } => format!("there is no setting `{field}` here"),
        Error::SerdeUnknownVariant { variant, .. } => {
            format!("`{variant}` is not known here")
        }
        Error::SerdeMissingField { field, .. } => {
            format!("`{field}` is missing from the settings that end here")
        }
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("`{key}` is there for the second time")
        }
        Error::InvalidScalar { ty, .. } => format!("{} is expected", scalar(ty)),
        Error::SerdeInvalidType {
            unexpected,
            expected,
            ..
        }
        | Error::SerdeInvalidValue {
            unexpected,
            expected,
            ..
        } => format!("found {unexpected}, but {} is expected", scalar(expected)),
        Error::SerdeInvalidLength { len, expected, .. } => {
            format!("found {len} values, but {expected} is expected")
        }
        Error::Unexpected { expected, .. } => format!("{} expected here", event(expected)),
        Error::UnexpectedValueForUnit { .. } | Error::UnexpectedValueForUnitEnumVariant { .. } => {
            "no settings are expected here".to_owned()
        }
        Error::Eof { .. } => "the file ends before it says anything".to_owned(),
        other => UserMessageFormatter.format_message(other).into_owned(),
    }
}

fn hint(error: &Error) -> Option<String> {
    match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => Some(suggestion(field, expected.iter().copied())),
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => Some(suggestion(variant, expected.iter().copied())),
        Error::DuplicateMappingKey { .. } => Some("take one of the two out, or rename it".into()),
        Error::Eof { .. } => Some("`pipeline init FILE` writes one to start from".into()),
        other if text(other).contains("found a tab") => Some("YAML is indented with spaces".into()),
        _ => None,
    }
}

/// A Rust type in words; other text as it is.
fn scalar(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of zero or more",
        "a nonzero usize" => "a whole number of one or more",
        "f32" | "f64" => "a number",
        "bool" | "boolean" => "`true` or `false`",
        other => other,
    }
}

/// What the parser waits for, in words.
fn event(expected: &str) -> &str {
    match expected {
        "mapping start" => "settings such as `name: value` are",
        "sequence start" => "a list such as `[a, b]` is",
        "string scalar" | "scalar" => "a single value is",
        other => other,
    }
}

/// "did you mean", or what there is.
pub fn suggestion<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let similar = known
        .iter()
        .map(|name| (similarity(wrong, name), name))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    match similar {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None => format!("there are: {}", known.join(", ")),
    }
}

/// From 0 to 1. Two letters that have changed places leave little that is alike
/// in a short name.
fn similarity(wrong: &str, name: &str) -> f64 {
    let swapped = strsim::osa_distance(wrong, name) == 1 && strsim::levenshtein(wrong, name) == 2;
    match swapped {
        true => 1.0,
        false => strsim::jaro_winkler(wrong, name),
    }
}
