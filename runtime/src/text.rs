//! Numbers and words for people.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A number with commas between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Columns of the terminal that stdout is, or 80.
pub fn columns() -> usize {
    let size = console::Term::stdout().size_checked();
    size.map_or(80, |(_, columns)| usize::from(columns))
}

/// Columns that a text takes in a terminal, where the characters of some scripts
/// take two.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Columns that the widest of these texts takes.
pub fn widest<'a>(texts: impl IntoIterator<Item = &'a str>) -> usize {
    texts.into_iter().map(width).max().unwrap_or_default()
}

/// `text` with spaces behind it, up to so many columns.
pub fn padded(text: &str, columns: usize) -> String {
    text.to_owned() + &" ".repeat(columns.saturating_sub(width(text)))
}

/// `text` in at most so many columns, with an ellipsis where some is left out.
pub fn shortened(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut taken = 0;
    let fits = |c: &char| {
        taken += c.width().unwrap_or_default();
        taken < columns
    };
    let start: String = text.chars().take_while(fits).collect();
    format!("{}…", start.trim_end())
}

/// A bar of `part` (0 to 1) of `length` characters, in eighths of one.
pub fn bar(part: f64, length: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (part * length * 8.0).round() as usize;
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_as_a_terminal_draws_them() {
        assert_eq!(width("日本"), 4);
        assert_eq!(widest(["日本", "abc"]), 4);
        assert_eq!(padded("日本", 6), "日本  ");
        assert_eq!(padded("größer", 3), "größer");
        assert_eq!(shortened("日本語", 5), "日本…");
        assert_eq!(shortened("日本語", 6), "日本語");
        assert_eq!(shortened("Ankle boot", 7), "Ankle…");
    }

    #[test]
    fn bars_are_as_long_as_the_part() {
        assert_eq!(bar(1.0, 30.0), "█".repeat(30));
        assert_eq!(bar(0.5, 30.0), "█".repeat(15));
        assert_eq!(bar(1.0 / 60.0, 30.0), "▌");
        assert_eq!(bar(0.0, 30.0), "");
    }

    #[test]
    fn thousands_are_separated() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(121_930), "121,930");
        assert_eq!(grouped(1_000_000), "1,000,000");
    }
}
