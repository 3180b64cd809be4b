//! Every operation that Burn can record in a forward pass: what the exporter
//! writes for it, and that ONNX Runtime answers as Burn does.
//!
//! The table of operations is in `activation` to `numeric`, a file for each
//! family of Burn's; `variants` lists what must be there.

#![allow(clippy::unwrap_used)]

mod activation;
mod base;
mod boolean;
mod float;
mod history;
mod integer;
mod layers;
mod numeric;
mod row;
mod supported;
mod variants;

use std::collections::BTreeSet;
use std::path::Path;

use row::Row;
use variants::{Variant, variant};

fn table() -> Vec<Row> {
    let families = [
        activation::rows(),
        base::rows(),
        boolean::rows(),
        float::rows(),
        integer::rows(),
        layers::rows(),
        numeric::rows(),
    ];
    families.into_iter().flatten().collect()
}

/// Runs a check on every row, and fails with all that is wrong.
fn check_rows(check: impl Fn(&Row) -> Result<(), String>) {
    let wrong: Vec<String> = table().iter().filter_map(|row| check(row).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_operation_answers_as_in_burn() {
    check_rows(|row| {
        let Some(case) = row.case() else {
            return Ok(());
        };
        case.verify(None)?;
        let mut elements = row.elements.iter().copied();
        elements.try_for_each(|dtype| case.verify(Some(dtype)))
    });
}

#[test]
fn every_operation_becomes_the_nodes_of_the_table() {
    check_rows(|row| {
        let found = history::of(row);
        let wrong = format!("{}: {:?}, not {found:?}", row.variant.1, row.nodes);
        if found == row.nodes {
            Ok(())
        } else {
            Err(wrong)
        }
    });
}

#[test]
fn every_row_records_its_operation() {
    check_rows(|row| {
        let Some(case) = row.case() else {
            return Ok(());
        };
        let recorded = case.record();
        let recorded: BTreeSet<Variant> = recorded.iter().filter_map(variant).collect();
        match recorded.contains(&row.variant) == row.never_recorded.is_none() {
            true => Ok(()),
            false => Err(format!("{:?} records {recorded:?}", row.variant)),
        }
    });
}

#[test]
fn every_refusal_gives_the_reason_of_the_table() {
    check_rows(|row| {
        let Some((case, reason)) = row.refused() else {
            return Ok(());
        };
        let Err(error) = case.export(26, None) else {
            return Err(format!("{:?} is not refused", row.variant));
        };
        let error = error.to_string();
        match error.contains(reason) {
            true => Ok(()),
            false => Err(format!("{:?}: {error}", row.variant)),
        }
    });
}

#[test]
fn every_operation_of_burn_is_in_the_table() {
    let table = table();
    let of = |lowered| {
        let rows = table.iter().filter(move |row| row.is_lowered() == lowered);
        rows.map(|row| row.variant).collect::<BTreeSet<Variant>>()
    };
    let (lowered, refused) = (of(true), of(false));
    let all: BTreeSet<Variant> = variants::FORWARD.into_iter().flatten().copied().collect();
    let listed = lowered.union(&refused).copied().collect::<BTreeSet<_>>();
    assert_eq!(listed, all);
    assert!(lowered.is_disjoint(&refused));
    assert_eq!((lowered.len(), refused.len()), (168, 6));
}

/// With `BURNISH_UPDATE` set, the document is written instead.
#[test]
fn the_document_of_supported_operations_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../exporter/SUPPORTED_OPS.md");
    let document = supported::document(&table());
    if std::env::var_os("BURNISH_UPDATE").is_some() {
        std::fs::write(&path, &document).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        found, document,
        "run this test with BURNISH_UPDATE=1 in the environment"
    );
}
