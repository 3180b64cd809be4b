//! What serde-saphyr found wrong with a file, in words for its author.

use serde_saphyr::{Error, MessageFormatter, UserMessageFormatter};

/// What is wrong, and what to do about it where that can be told.
pub(super) struct Problem {
    pub(super) text: String,
    pub(super) hint: Option<String>,
    /// What is to be pointed at, where it stands after the place that is told:
    /// for many problems that is only the key.
    pub(super) word: Option<String>,
}

impl Problem {
    pub(super) fn of(error: &Error) -> Self {
        let error = error.without_snippet();
        Self {
            text: text(error),
            hint: hint(error),
            word: word(error),
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
            format!("`{field}` is missing here")
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
        } => format!(
            "found {}, but {} is expected",
            found(unexpected),
            scalar(expected)
        ),
        Error::SerdeInvalidLength { len, expected, .. } => {
            format!("found {len} values, but {expected} is expected")
        }
        Error::Unexpected { expected, .. } => format!("{} expected here", event(expected)),
        Error::UnexpectedValueForUnit { .. } | Error::UnexpectedValueForUnitEnumVariant { .. } => {
            "no settings are expected here".to_owned()
        }
        Error::UnsupportedTag { tag, .. } => format!("the tag `{tag}` has no meaning here"),
        Error::Eof { .. } => "the file ends before it says anything".to_owned(),
        other => {
            let text = UserMessageFormatter.format_message(other);
            match text.contains("found a tab") || text.contains("tabs disallowed") {
                true => TAB.to_owned(),
                false => text.into_owned(),
            }
        }
    }
}

/// However the parser says it.
const TAB: &str = "a tab cannot stand here";

fn hint(error: &Error) -> Option<String> {
    match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => Some(suggestion(field, expected.iter().copied())),
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => Some(suggestion(variant, expected.iter().copied())),
        Error::DuplicateMappingKey { .. } => Some("take one of the two out, or rename it".into()),
        Error::UnsupportedTag { .. } => Some("leave it out, or write it without the `!`".into()),
        Error::Eof { .. } => Some("`pipeline init FILE` writes one to start from".into()),
        other if text(other) == TAB => Some("indent with spaces".into()),
        _ => None,
    }
}

fn word(error: &Error) -> Option<String> {
    match error {
        Error::SerdeUnknownVariant { variant, .. } => Some(variant.clone()),
        Error::SerdeInvalidType { unexpected, .. }
        | Error::SerdeInvalidValue { unexpected, .. } => {
            let value = unexpected.split(['`', '"']).nth(1)?;
            Some(value.to_owned())
        }
        other if text(other) == TAB => Some("\t".to_owned()),
        _ => None,
    }
}

/// What serde calls a value, in words.
fn found(unexpected: &str) -> &str {
    match unexpected {
        "unit value" => "nothing",
        "sequence" => "a list",
        "map" => "settings",
        other => other,
    }
}

/// A Rust type in words; other text as it is.
fn scalar(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of zero or more",
        "a nonzero usize" => "a whole number of one or more",
        "f32" | "f64" | "floating point" => "a number",
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
/// in a short name, and initials, such as `lr`, in any.
fn similarity(wrong: &str, name: &str) -> f64 {
    let swapped = strsim::osa_distance(wrong, name) == 1 && strsim::levenshtein(wrong, name) == 2;
    let initials = name.split('_').filter_map(|part| part.chars().next());
    match swapped || wrong.len() > 1 && initials.eq(wrong.chars()) {
        true => 1.0,
        false => strsim::jaro_winkler(wrong, name),
    }
}
