//! Tables for people, readable at 80 columns, and the numbers in them.

mod model;
mod weights;

pub use model::model_table;
pub use weights::weights_table;

use std::ops::Range;

use comfy_table::{CellAlignment, ContentArrangement, Row, Table, presets};

/// Columns of the terminal that stdout is, or 80.
pub fn columns() -> u16 {
    Table::new().width().unwrap_or(80)
}

/// A table without lines. The columns `numbers` stand right.
pub fn table(header: impl Into<Row>, numbers: Range<usize>) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(columns().min(80))
        .set_header(header);
    let columns = table.column_iter_mut().enumerate();
    for (_, column) in columns.filter(|(index, _)| numbers.contains(index)) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Sizes with × between: `3×32×32`.
pub fn sizes(sizes: &[usize]) -> String {
    let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
    sizes.join("×")
}

/// Bytes in the largest unit that leaves a whole number: `1.1 MB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [(&str, f64); 3] = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let value = bytes as f64;
    match UNITS.iter().find(|(_, unit)| value >= *unit) {
        Some((name, unit)) => format!("{:.1} {name}", value / unit),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_unit_that_fits() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(43_016), "43.0 kB");
        assert_eq!(bytes(1_089_896), "1.1 MB");
        assert_eq!(bytes(8_600_000_000), "8.6 GB");
    }

    #[test]
    fn tables_fit_into_a_terminal() {
        let mut table = table(["word", "number"], 1..2);
        table.add_row(["long ".repeat(40), "1".to_owned()]);
        assert!(
            table.lines().all(|line| line.chars().count() <= 80),
            "{table}"
        );
    }
}
