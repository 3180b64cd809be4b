//! Checkpoints: a tar archive whose parts have the digests that its state says.

use std::collections::BTreeMap;

use artifact::Sha256;
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};
use trainer::check_checkpoint;

use crate::case::{Case, Format, case, changed};

/// The file, and 64 bytes for each byte of the state.
const MEMORY: fn(usize) -> usize = |length| 65 * length + (1 << 20);

const NETWORK: (&str, &[u8]) = ("network.bpk", b"weights");
const OPTIMIZER: (&str, &[u8]) = ("optimizer.bpk", b"momentum");
const BEST: (&str, &[u8]) = ("best.safetensors", b"the best");

fn state() -> Value {
    let parts = [NETWORK, OPTIMIZER, BEST];
    let parts: BTreeMap<_, _> = parts
        .iter()
        .map(|(name, part)| (*name, Sha256::of_bytes(part).to_string()))
        .collect();
    let mean = json!({ "sum": 0.5, "count": 1 });
    json!({
        "identity": "{\"seed\":1}",
        "progress": {
            "steps": 3,
            "steps_in_epoch": 3,
            "totals": { "loss": mean, "accuracy": mean },
            "epochs": [],
            "best": null,
            "finished": false,
            "timing": { "seconds": 1.5, "epochs": [] },
        },
        "parts": parts,
    })
}

fn cbor(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// An entry of any kind, name and size, whatever its content.
fn entry(archive: &mut Builder<Vec<u8>>, name: &str, kind: EntryType, size: u64, content: &[u8]) {
    let mut header = Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_cksum();
    archive.append(&header, content).unwrap();
}

/// Parts, with the digest of the state behind it.
fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    let mut add = |name: &str, part: &[u8]| {
        let size = part.len() as u64;
        entry(&mut archive, name, EntryType::Regular, size, part);
    };
    for (index, (name, part)) in parts.iter().enumerate() {
        add(name, part);
        if index == 0 && *name == "state.cbor" {
            add(
                "state.sha256",
                Sha256::of_bytes(part).to_string().as_bytes(),
            );
        }
    }
    archive.into_inner().unwrap()
}

fn with_state(state: &[u8]) -> Vec<u8> {
    archive(&[("state.cbor", state), NETWORK, OPTIMIZER, BEST])
}

/// The state, whose value at `place` is another.
fn with(place: &str, value: Value) -> Vec<u8> {
    let mut state = state();
    *state.pointer_mut(place).unwrap() = value;
    with_state(&cbor(&state))
}

/// The whole checkpoint with one more entry.
fn with_entry(name: &str, kind: EntryType, size: u64) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    entry(&mut builder, name, kind, size, &[0; 8]);
    [builder.into_inner().unwrap(), seed()].concat()
}

fn seed() -> Vec<u8> {
    with_state(&cbor(&state()))
}

pub fn cases() -> Vec<Case> {
    let whole = seed();
    let state = cbor(&state());
    // Behind the state and its digest, each with a header.
    let network = 512 + state.len().next_multiple_of(512) + 1024;
    let set = |at: usize, byte: u8| changed(&whole, |file| file[at] ^= byte);
    let without = |index: usize| {
        let mut parts = vec![("state.cbor", state.as_slice()), NETWORK, OPTIMIZER, BEST];
        parts.remove(index);
        archive(&parts)
    };
    let twice =
        |part: (&str, &[u8])| archive(&[("state.cbor", &state), NETWORK, OPTIMIZER, BEST, part]);
    let instead = |part: (&'static str, &[u8])| {
        let parts = [NETWORK, OPTIMIZER, BEST].map(|old| if old.0 == part.0 { part } else { old });
        archive(&[&[("state.cbor", state.as_slice())][..], &parts].concat())
    };
    let altered = changed(&whole, |file| file[512 + state.len() / 2] ^= 1);
    let mut cases = vec![
        case(
            "one bit of the state",
            altered,
            "Altered",
            "`state.cbor` is not what was saved",
        ),
        case("empty", b"", "Missing", "`state.cbor` is missing"),
        case("zeros", vec![0; 2048], "Missing", "`state.cbor` is missing"),
        case("text", "weights ".repeat(100), "Read", "cannot be read"),
        case(
            "cut in the first name",
            &whole[..100],
            "Read",
            "cannot be read",
        ),
        case(
            "cut in the state",
            &whole[..600],
            "Size",
            "`state.cbor` cannot have",
        ),
        case(
            "cut before the network",
            &whole[..network],
            "Missing",
            "`network.bpk` is missing",
        ),
        case(
            "cut in the header of the network",
            &whole[..network + 100],
            "Read",
            "cannot be read",
        ),
        case(
            "cut in the network",
            &whole[..network + 515],
            "Size",
            "`network.bpk` cannot have",
        ),
        case("another name", set(3, 1), "Read", "cannot be read"),
        case("another size", set(130, 1), "Read", "cannot be read"),
        case(
            "without the state",
            without(0),
            "Missing",
            "`state.cbor` is missing",
        ),
        case(
            "without the state's digest",
            [&whole[..network - 1024], &whole[network..]].concat(),
            "Missing",
            "`state.sha256` is missing",
        ),
        case(
            "without the network",
            without(1),
            "Missing",
            "`network.bpk` is missing",
        ),
        case(
            "without the optimizer",
            without(2),
            "Missing",
            "`optimizer.bpk` is missing",
        ),
        case(
            "without the best weights",
            without(3),
            "Missing",
            "`best.safetensors` is missing",
        ),
        case(
            "other network",
            instead(("network.bpk", b"weighty")),
            "Altered",
            "`network.bpk`",
        ),
        case(
            "longer optimizer",
            instead(("optimizer.bpk", b"momentum.")),
            "Altered",
            "`optimizer.bpk`",
        ),
        case(
            "empty best weights",
            instead(("best.safetensors", b"")),
            "Altered",
            "`best.safetensors`",
        ),
        case(
            "network twice",
            twice(NETWORK),
            "Duplicate",
            "`network.bpk` is there twice",
        ),
        case(
            "state twice",
            twice(("state.cbor", &state)),
            "Duplicate",
            "`state.cbor` is there twice",
        ),
        case(
            "best weights twice",
            twice(("best.safetensors", b"better")),
            "Duplicate",
            "twice",
        ),
    ];
    for (name, kind) in [
        ("notes.txt", EntryType::Regular),
        ("../network.bpk", EntryType::Regular),
        ("/etc/cron.d/x", EntryType::Regular),
        ("a/network.bpk", EntryType::Regular),
        ("network.bpk", EntryType::Symlink),
        ("optimizer.bpk", EntryType::Link),
        ("state.cbor", EntryType::Directory),
        ("best.safetensors", EntryType::Char),
        ("state.cbor", EntryType::Fifo),
        ("network.bpk", EntryType::GNUSparse),
        ("long", EntryType::GNULongName),
        ("extended", EntryType::XHeader),
    ] {
        let content = with_entry(name, kind, 8);
        cases.push(case(
            format!("{kind:?} `{name}`"),
            content,
            "Foreign",
            "no part of a checkpoint",
        ));
    }
    for (name, size) in [
        ("state.cbor", 1 << 27),
        ("network.bpk", 1 << 32),
        ("best.safetensors", 1 << 62),
    ] {
        let content = with_entry(name, EntryType::Regular, size);
        cases.push(case(
            format!("{name} of {size} bytes"),
            content,
            "Size",
            "cannot have",
        ));
    }
    for (name, bytes) in [
        ("nothing", vec![]),
        ("a text", b"\x65state".to_vec()),
        ("cut short", state[..state.len() / 2].to_vec()),
        ("a reserved byte", vec![0x1c]),
        ("an end without a start", vec![0xff]),
        ("a list of exabytes", [&[0x9b][..], &[0x7f; 8]].concat()),
        ("a text of exabytes", [&[0x7b][..], &[0x7f; 8]].concat()),
        ("a map of exabytes", [&[0xbb][..], &[0x7f; 8]].concat()),
        ("lists within lists", vec![0x81; 100_000]),
        ("tags of tags", vec![0xc6; 100_000]),
        ("JSON", super::checkpoint::state().to_string().into_bytes()),
    ] {
        let name = format!("state that is {name}");
        cases.push(case(
            name,
            with_state(&bytes),
            "State",
            "`state.cbor` is damaged",
        ));
    }
    for (place, value) in [
        ("/identity", json!({ "seed": 1 })),
        ("/identity", json!("{")),
        (
            "/identity",
            json!(format!("[{}0]", "{\"\":0},".repeat(200_000))),
        ),
        ("/progress", json!(null)),
        ("/progress/steps", json!(-1)),
        ("/progress/steps", json!(1.5)),
        ("/progress/steps", json!("three")),
        ("/progress/epochs", json!({})),
        ("/progress/best", json!(-1)),
        ("/progress/totals/loss", json!({ "sum": 0.5 })),
        ("/parts", json!([])),
        ("/parts/network.bpk", json!("abc")),
        ("/parts/network.bpk", json!(null)),
    ] {
        let name: String = format!("{place} is {value}").chars().take(60).collect();
        cases.push(case(
            name,
            with(place, value),
            "State",
            "`state.cbor` is damaged",
        ));
    }
    cases
}

#[test]
fn checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let format = Format {
        folder: folder.path(),
        file: "step-00000003.tar",
        memory: MEMORY,
    };
    format.refuses(&seed(), cases, check_checkpoint);
}
