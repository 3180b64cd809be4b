//! Numbers for people.

/// A part of a whole, 0 to 1, in per cent.
pub(crate) fn percent(part: f64) -> String {
    format!("{:.2}%", 100.0 * part)
}

/// A part of a whole, or a dash where there is none.
pub(crate) fn percent_or_dash(part: Option<f64>) -> String {
    part.map_or_else(|| "–".to_owned(), percent)
}

/// A number with commas between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let comma = |index: usize| index > 0 && (digits.len() - index).is_multiple_of(3);
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if comma(index) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A small or large number with three significant digits: `1.22e-3`.
pub(crate) fn scientific(number: f64) -> String {
    format!("{number:.2e}")
}

/// At most `limit` characters, the last of them an ellipsis where any are left
/// out.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(percent(0.99432), "99.43%");
        assert_eq!(percent_or_dash(None), "–");
        assert_eq!(grouped(121_930), "121,930");
        assert_eq!(grouped(7), "7");
        assert_eq!(scientific(0.00122), "1.22e-3");
        assert_eq!(shortened("Ankle boot", 6), "Ankle…");
        assert_eq!(shortened("Bäg", 3), "Bäg");
    }
}
