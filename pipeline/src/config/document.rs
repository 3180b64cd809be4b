//! A YAML file with its text, so that every error can show the place.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use super::OverrideError;
use super::overrides::OUTPUT;
use super::problem::Problem;
use super::schema::settings_of;
use super::tree::{Parsed, Tree};
use crate::paths::absolute;

/// A YAML file that was read.
#[derive(Clone, Debug)]
pub struct Document {
    /// Where it came from.
    path: PathBuf,
    /// What errors call it: the path, and what was changed since.
    name: String,
    text: String,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] artifact::Error),
    /// There is no such file.
    #[error("there is no file {}", .0.display())]
    NotFound(PathBuf),
    /// It is no YAML, its fields are not those that are expected, or it means
    /// something impossible.
    #[error("{rendered}")]
    Invalid {
        /// The place, the text and the problem.
        rendered: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// An override that does not fit the file.
    #[error(transparent)]
    Override(#[from] OverrideError),
}

impl ConfigError {
    /// Whether both tell of one problem, which may stand in different places.
    pub(crate) fn is_about_the_same(&self, other: &Self) -> bool {
        self.to_string().lines().next() == other.to_string().lines().next()
    }
}

/// The largest file that is read; a pipeline is a few kilobytes.
const MAX_BYTES: u64 = 1 << 20;

/// What aliases may make of it: `&a [*b, *b]` over and over doubles each time.
pub(super) fn limits() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 64,
            max_nodes: 100_000,
            max_total_scalar_bytes: 4 << 20,
            max_recorded_anchor_bytes: 4 << 20,
        },
        // `!cpu` would be read as `cpu` by some settings, and as nothing by a tree.
        reject_unsupported_tags: true,
        // JSON's values, which stand for those of any setting, have none of them.
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::AsString,
    }
}

/// Reads a number, `true` or `false` as such, and what YAML may take for one (`01`,
/// `1_0`, `yes`) as text.
pub(super) fn read_strictly(text: &str) -> Option<Value> {
    let mut options = limits();
    options.strict_booleans = true;
    options.leading_zero_numbers_as_strings = true;
    options.underscored_numbers_as_strings = true;
    serde_saphyr::from_str_with_options(text, options).ok()
}

/// Reads `text` without regard to what it means.
pub(super) fn read_tree(text: &str) -> Result<Tree, serde_saphyr::Error> {
    let root: Spanned<Parsed> = serde_saphyr::from_str_with_options(text, limits())?;
    Ok(root.value.into_written(root.defined, text))
}

impl Document {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is larger than 1 MiB, or is not UTF-8.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let bytes = match artifact::read_at_most(path, MAX_BYTES) {
            Err(error) if error.source.kind() == ErrorKind::NotFound => {
                return Err(ConfigError::NotFound(path.to_owned()));
            }
            bytes => bytes?,
        };
        let text = String::from_utf8(bytes)
            .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
            .map_err(artifact::Error::new("read", path))?;
        Ok(Self::new(path, text))
    }

    /// `text` as if it came from `path`.
    pub fn new(path: &Path, text: String) -> Self {
        Self {
            path: path.to_owned(),
            name: path.display().to_string(),
            text,
        }
    }

    /// `root` instead of what is written, as the file with `change`.
    pub(super) fn changed(&self, change: &str, root: &Tree) -> Result<Self, ConfigError> {
        let text = serde_saphyr::to_string(root).map_err(|error| OverrideError::Value {
            value: "the file".to_owned(),
            problem: error.to_string(),
        })?;
        Ok(Self {
            path: self.path.clone(),
            name: format!("{} with {change}", self.name),
            text,
        })
    }

    /// Where it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reads the text as a `T`.
    ///
    /// # Errors
    ///
    /// What does not fit, with the line, the column and the text.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let parsed = serde_saphyr::from_str_with_options(&self.text, limits());
        parsed.map_err(|error| self.unparsed(&error))
    }

    /// What is written, without regard to what it means.
    pub(super) fn tree(&self) -> Result<Tree, ConfigError> {
        read_tree(&self.text).map_err(|error| self.unparsed(&error))
    }

    fn unparsed(&self, error: &serde_saphyr::Error) -> ConfigError {
        let Problem { text, hint, word } = Problem::of(error);
        let span = self.span(error.location().unwrap_or(Location::UNKNOWN));
        let hint = hint.or_else(|| match error.without_snippet() {
            serde_saphyr::Error::Unexpected {
                expected: "mapping start",
                ..
            } => settings_of(self.key_before(span.start)?),
            _ => None,
        });
        let word = word.and_then(|word| self.word(span.start, &word));
        self.shown(word.unwrap_or(span), &text, hint)
    }

    /// Whether it says that this is the folder of the results.
    pub(crate) fn names_output(&self, output: &Path) -> bool {
        let root = self.tree().ok();
        let named = root.and_then(|root| root.get(OUTPUT)?.text());
        named.is_some_and(|named| absolute(Path::new(&named)) == absolute(output))
    }

    /// Why the text is no `T`, without its place.
    pub(super) fn problem<T: DeserializeOwned>(&self) -> Option<Problem> {
        let parsed = serde_saphyr::from_str_with_options::<T>(&self.text, limits());
        Some(Problem::of(&parsed.err()?))
    }

    /// An error at a place of the file.
    pub fn invalid(
        &self,
        location: Location,
        problem: impl Into<String>,
        hint: Option<String>,
    ) -> ConfigError {
        self.shown(self.span(location), &problem.into(), hint)
    }

    /// An error at these bytes of the file.
    fn shown(&self, span: Range<usize>, problem: &str, hint: Option<String>) -> ConfigError {
        let group = Level::ERROR.primary_title(problem).element(
            Snippet::source(self.text.as_str())
                .path(self.name.as_str())
                .annotation(AnnotationKind::Primary.span(span)),
        );
        let rendered = Renderer::plain().render(&[group]);
        // The renderer's own "error:" would stand there twice.
        let rendered = rendered.strip_prefix("error: ").unwrap_or(&rendered);
        ConfigError::Invalid {
            rendered: rendered.to_owned(),
            hint,
        }
    }

    /// The bytes of the first line at `location`; of a map, which begins with a
    /// name, the name.
    fn span(&self, location: Location) -> Range<usize> {
        let span = location.span();
        let start = span
            .byte_offset()
            .map_or_else(|| self.offset(location), |offset| offset as usize);
        let length = span.byte_len().map_or(0, |length| length as usize);
        // Whatever the parser counts, slicing must not panic.
        let start = self.text.floor_char_boundary(start);
        let end = self.text.floor_char_boundary(start.saturating_add(length));
        let first_line = self.text[start..end].lines().next().unwrap_or_default();
        let rest = &self.text[start..];
        let word = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
        start..start + first_line.trim_end().len().max(word)
    }

    /// The bytes of the first `word` that stands by itself at `start` or after
    /// it, in the same line or the next.
    fn word(&self, start: usize, word: &str) -> Option<Range<usize>> {
        let lines = self.text[start..].split_inclusive('\n').take(2);
        let text = &self.text[start..start + lines.map(str::len).sum::<usize>()];
        let joined = |c: char| is_of_name(c) && word.contains(is_of_name);
        let (at, _) = text.match_indices(word).find(|(at, _)| {
            let (before, after) = (&text[..*at], &text[at + word.len()..]);
            !before.ends_with(joined) && !after.starts_with(joined)
        })?;
        Some(start + at..start + at + word.len())
    }

    /// The key whose value begins at this byte.
    fn key_before(&self, start: usize) -> Option<&str> {
        let before = self.text[..start].trim_end().strip_suffix(':')?;
        before.rsplit(|c| !is_of_name(c)).next()
    }

    /// The byte at a line and column, both counted from 1.
    fn offset(&self, location: Location) -> usize {
        let before = (location.line() as usize).saturating_sub(1);
        let lines = self.text.split_inclusive('\n');
        let start: usize = lines.clone().take(before).map(str::len).sum();
        let line = lines.clone().nth(before).unwrap_or_default();
        let column = (location.column() as usize).saturating_sub(1);
        start + line.chars().take(column).map(char::len_utf8).sum::<usize>()
    }
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || "_-.".contains(c)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What is said of a text whose second value is no number.
    fn message(text: &str) -> String {
        let document = Document::new(Path::new("p.yaml"), text.to_owned());
        let error = document.parse::<BTreeMap<String, u8>>().unwrap_err();
        error.to_string()
    }

    #[test]
    fn caret_stands_under_the_value_whatever_comes_before() {
        for before in ["", "# größer → «8»\n", "\u{feff}", "\u{feff}ä: 1 # →→→\n"] {
            let text = format!("{before}a: 1\nß: none # größer\n");
            let message = message(&text);
            let lines: Vec<&str> = message.lines().collect();
            let line = lines.iter().position(|line| line.contains("none")).unwrap();
            let column =
                |line: &str, what: &str| line.find(what).map(|byte| line[..byte].chars().count());
            assert_eq!(
                column(lines[line], "none"),
                column(lines[line + 1], "^^^^"),
                "{message}"
            );
        }
    }

    #[test]
    fn windows_line_ends_shift_nothing() {
        assert!(message("a: 1\r\nb: none\r\n").contains("p.yaml:2:4"));
    }

    #[test]
    fn place_without_a_span_is_found_by_line_and_column() {
        let text = "a: 1\n\tb: 2\n";
        assert!(message(text).contains("p.yaml:"), "{}", message(text));
        assert!(!message(text).contains("p.yaml:1:1\n"), "{}", message(text));
    }
}
