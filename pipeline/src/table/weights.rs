//! Which tensor of a file became which parameter, as a table.

use trainer::WeightsMatch;

use super::{sizes, table};

/// A line where the file has the network's own names, else a table of all
/// pairs; what was left out, and what is a guess.
pub fn weights_table(matched: &WeightsMatch) -> String {
    let mut text = if matched.is_by_name() {
        format!(" {} tensors, matched by name\n", matched.pairs.len())
    } else {
        let mut table = table(["parameter", "tensor in the file", "shape"], 3..3);
        for pair in &matched.pairs {
            let row = [&pair.parameter, &pair.tensor, &sizes(&pair.shape)];
            table.add_row(row);
        }
        format!("{}\n", table.trim_fmt())
    };
    if !matched.left_out.is_empty() {
        let names = some(&matched.left_out);
        text += &format!(" not needed, and left out: {names}\n");
    }
    if !matched.uncertain.is_empty() {
        let names = some(&matched.uncertain);
        text += &format!(
            " the file has sorted its names, which is no order of layers: check {names}, or take \
             a .pth, which keeps the order\n"
        );
    }
    text
}

/// The first names, and how many there are besides.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 2;
    match names.len().saturating_sub(SHOWN) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use trainer::WeightsPair;

    use super::*;

    fn matched(tensor: &str) -> WeightsMatch {
        WeightsMatch {
            pairs: vec![WeightsPair {
                parameter: "conv1.weight".to_owned(),
                tensor: tensor.to_owned(),
                shape: vec![2, 1, 3, 3],
            }],
            left_out: vec!["1.num_batches_tracked".to_owned()],
            uncertain: Vec::new(),
        }
    }

    #[test]
    fn order_that_is_a_guess_is_told() {
        let guessed = WeightsMatch {
            uncertain: vec!["bn1.bias".to_owned()],
            ..matched("stem.weight")
        };
        assert!(weights_table(&guessed).contains("check bn1.bias, or"));
        assert!(!weights_table(&matched("stem.weight")).contains("check"));
    }

    #[test]
    fn other_names_are_shown_beside_the_networks_own() {
        let text = weights_table(&matched("0.weight"));
        let row = text.lines().nth(1).unwrap_or_default();
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(words, ["conv1.weight", "0.weight", "2×1×3×3"]);
        assert!(text.contains("left out: 1.num_batches_tracked"), "{text}");
    }

    #[test]
    fn long_lists_are_cut_short() {
        let names = ["a", "b", "c", "d"].map(str::to_owned);
        assert_eq!(some(&names), "a, b and 2 more");
        assert_eq!(some(&names[..2]), "a, b");
    }

    #[test]
    fn own_names_take_one_line() {
        let text = weights_table(&matched("conv1.weight"));
        assert_eq!(text.lines().next(), Some(" 1 tensors, matched by name"));
    }
}
