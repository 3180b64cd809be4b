//! What each layer of a network gives, holds and costs, as a table.

use models::{Cost, LayerSummary, Summary};
use runtime::text::grouped;

use super::{bytes, sizes, table};

/// The table of all layers, with `inside` also of those in residual blocks, and
/// the totals behind it.
pub fn model_table(summary: &Summary, inside: bool) -> String {
    let header = [
        "layer",
        "kind",
        "output",
        "parameters",
        "mult-adds",
        "memory",
    ];
    let mut table = table(header, 2..6);
    for layer in &summary.layers {
        table.add_row(row(layer, ""));
        for layer in layer.layers.iter().filter(|_| inside) {
            table.add_row(row(layer, "  "));
        }
    }
    let Cost {
        parameters,
        parameter_bytes,
        multiply_adds,
        activation_bytes,
    } = summary.total;
    format!(
        "{}\n {} parameters ({})\n for one image of {}: {} mult-adds, outputs of {}\n",
        table.trim_fmt(),
        grouped(parameters),
        bytes(parameter_bytes),
        sizes(&summary.input),
        grouped(multiply_adds),
        bytes(activation_bytes),
    )
}

fn row(layer: &LayerSummary, indent: &str) -> [String; 6] {
    let count = |number: u64| match number {
        0 => String::new(),
        number => grouped(number),
    };
    [
        format!("{indent}{}", layer.name),
        layer.kind.to_owned(),
        sizes(&layer.output),
        count(layer.cost.parameters),
        count(layer.cost.multiply_adds),
        bytes(layer.cost.activation_bytes),
    ]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn built_in_networks_fit_into_a_terminal() {
        for network in &models::BUILT_IN {
            let summary = network.spec().resolve(network.input).unwrap().summary();
            let text = model_table(&summary, true);
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", network.name);
            }
            // No row is broken into two.
            let inside: usize = summary.layers.iter().map(|layer| layer.layers.len()).sum();
            assert_eq!(
                text.lines().count(),
                1 + summary.layers.len() + inside + 2,
                "{text}"
            );
        }
    }
}
