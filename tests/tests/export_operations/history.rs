//! The nodes of a row at every operator set.

use exporter::{ExportError, Opset};

use crate::row::Row;

/// So many are counted rather than listed.
const MANY: usize = 40;

/// As [`Row::nodes`] has it.
pub fn of(row: &Row) -> String {
    let mut history: Vec<String> = Vec::new();
    let mut last = String::new();
    for version in Opset::OLDEST.version()..=Opset::NEWEST.version() {
        let nodes = nodes(row, version);
        if history.is_empty() {
            history.push(nodes.clone());
        } else if nodes != last {
            history.push(format!("{version}: {nodes}"));
        }
        last = nodes;
    }
    history.join("; ")
}

fn nodes(row: &Row, version: u8) -> String {
    let Some(case) = row.case() else {
        return "-".to_owned();
    };
    match case.export(version, None) {
        Ok(model) => {
            let nodes = model.model().graph.iter().flat_map(|graph| &graph.node);
            let nodes: Vec<&str> = nodes.map(|node| node.op_type.as_str()).collect();
            match nodes.len() {
                ..MANY => nodes.join(" "),
                many => format!("{many} nodes"),
            }
        }
        Err(error) if matches!(*error, ExportError::Unsupported { .. }) => "-".to_owned(),
        Err(error) => error.to_string(),
    }
}
