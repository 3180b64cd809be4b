//! Numbers for people.

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
