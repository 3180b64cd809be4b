//! The table as a document.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use burn::backend::ir::TensorIr;

use crate::row::Row;
use crate::variants::{FORWARD, Variant, variant};

const HEAD: &str = "# Supported operations

Every operation that Burn 0.22.1 can record in a forward pass, by the family of
`OperationIr` to which it belongs: {all} in all, of which {lowered} are written and {refused}
refused. The test `export_operations` writes this file and keeps it current: it
exports a function with each operation at the opsets 16, 18, 20, 23 and 26, and
compares ONNX Runtime's answer with Burn's at sizes that were not recorded.

The ONNX operators are those that such a function becomes at opset 16, and from
each later opset at which they change; `-` is a refusal, which says why. An
operation of several kinds of tensors may have several lists. 16-bit floats of the
kind bf16 are written, but not checked: ONNX Runtime has no kernels for them on the
CPU.
";

/// The whole document.
pub fn document(table: &[Row]) -> String {
    let all: usize = FORWARD.iter().map(|family| family.len()).sum();
    let refused = table.iter().filter(|row| !row.is_lowered());
    let refused: BTreeSet<Variant> = refused.map(|row| row.variant).collect();
    let mut text = HEAD
        .replace("{all}", &all.to_string())
        .replace("{lowered}", &(all - refused.len()).to_string())
        .replace("{refused}", &refused.len().to_string());
    let elements = elements(table);
    for family in FORWARD {
        let name = family[0].0;
        let head = "| operation | ONNX operators | element types checked | remark |";
        write!(text, "\n## {name}\n\n{head}\n|---|---|---|---|\n").unwrap();
        for variant in family {
            let rows: Vec<&Row> = table.iter().filter(|row| row.variant == *variant).collect();
            let elements = elements.get(variant).map(join).unwrap_or_default();
            let nodes = distinct(rows.iter().map(|row| operators(row.nodes)));
            let remarks = distinct(rows.iter().map(|row| remark(row)));
            let name = variant.1;
            let line = format!("| {name} | {nodes} | {elements} | {remarks} |");
            writeln!(text, "{}", line.replace("|  |", "| |")).unwrap();
        }
    }
    text
}

fn remark(row: &Row) -> String {
    let noted = row.never_recorded;
    match row.refused() {
        Some((_, reason)) => format!("refused: {}", noted.unwrap_or(reason)),
        None => noted.unwrap_or_default().to_owned(),
    }
}

/// `Div, Erf; 20: Gelu`
fn operators(nodes: &str) -> String {
    let changes = nodes
        .split("; ")
        .map(|change| match change.split_once(": ") {
            Some((opset, nodes)) => format!("{opset}: {}", nodes.replace(' ', ", ")),
            None => change.replace(' ', ", "),
        });
    changes.collect::<Vec<_>>().join("; ")
}

/// What differs, once each and in order.
fn distinct(texts: impl Iterator<Item = String>) -> String {
    let mut known: Vec<String> = Vec::new();
    for text in texts.filter(|text| !text.is_empty()) {
        if !known.contains(&text) {
            known.push(text);
        }
    }
    known.join("<br>")
}

fn join(names: &BTreeSet<String>) -> String {
    names.iter().cloned().collect::<Vec<_>>().join(", ")
}

/// The element types of each operation's operands, over all functions.
fn elements(table: &[Row]) -> BTreeMap<Variant, BTreeSet<String>> {
    let mut found: BTreeMap<Variant, BTreeSet<String>> = BTreeMap::new();
    for row in table {
        let Some(case) = row.case() else { continue };
        let own = found.entry(row.variant).or_default();
        own.extend(row.elements.iter().map(|dtype| name(&format!("{dtype:?}"))));
        for operation in case.record() {
            let Some(variant) = variant(&operation) else {
                continue;
            };
            let mut tensors: Vec<&TensorIr> = operation.inputs().collect();
            if tensors.is_empty() {
                tensors.extend(operation.outputs());
            }
            let names = tensors
                .iter()
                .map(|tensor| name(&format!("{:?}", tensor.dtype)));
            found.entry(variant).or_default().extend(names);
        }
    }
    found
}

/// `F32` is f32, and `Bool(U8)` is bool.
fn name(dtype: &str) -> String {
    let name = dtype.split('(').next().unwrap_or(dtype);
    name.to_lowercase()
}
