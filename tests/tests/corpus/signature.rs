//! Signatures of models: bundles in JSON.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use signing::{Bundle, Error, Manifest, PublicKey, verify};

use crate::case::{Case, Format, case};

/// 64 bytes for each byte of the bundle.
const MEMORY: fn(usize) -> usize = |length| (1 << 20) + 64 * length;

const SEED: &[u8] = include_bytes!("../../../signing/fixtures/model.onnx.sig");

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../signing/fixtures")
        .join(name)
}

/// The bundle, whose value at `place` is another.
fn with(place: &str, value: Value) -> Vec<u8> {
    let mut bundle: Value = serde_json::from_slice(SEED).unwrap();
    *bundle.pointer_mut(place).unwrap() = value;
    bundle.to_string().into_bytes()
}

pub fn cases() -> Vec<Case> {
    let sig = "/dsseEnvelope/signatures/0/sig";
    let payload = "/dsseEnvelope/payload";
    let bundle: Value = serde_json::from_slice(SEED).unwrap();
    let lists = format!(r#""tlogEntries":{}"#, "[".repeat(100_000));
    let deep = bundle.to_string().replace(r#""tlogEntries":[]"#, &lists);
    let objects = format!(r#""tlogEntries":[{}0]"#, r#"{"":0},"#.repeat(150_000));
    let unsigned = String::from_utf8(with(sig, json!(""))).unwrap();
    let entries = unsigned.replace(r#""tlogEntries":[]"#, &objects);
    let signature = bundle["dsseEnvelope"]["signatures"][0].clone();
    vec![
        case("empty", b"", "Json", "EOF"),
        case("text", b"signed by me", "Json", "expected value"),
        case("cut short", &SEED[..SEED.len() / 2], "Json", "EOF"),
        case("a list", b"[]", "Json", "expected struct"),
        case("a number", b"1e999", "Json", "number out of range"),
        case("no UTF-8", b"{\"mediaType\": \"\xff\"", "Json", "unicode"),
        case("lists within lists", deep, "Json", "expected value"),
        case("a megabyte of others' fields", entries, "Der", "no ECDSA"),
        case(
            "bytes behind it",
            [SEED, b"{}"].concat(),
            "Json",
            "trailing",
        ),
        case(
            "over 32 MiB",
            vec![b' '; (32 << 20) + 1],
            "TooLarge",
            "33554432",
        ),
        case(
            "without a key",
            with("/verificationMaterial", json!({})),
            "Json",
            "publicKey",
        ),
        case(
            "with a certificate",
            with("/verificationMaterial", json!({ "certificate": {} })),
            "Json",
            "publicKey",
        ),
        case(
            "another version",
            with(
                "/mediaType",
                json!("application/vnd.dev.sigstore.bundle.v9+json"),
            ),
            "MediaType",
            "v9",
        ),
        case(
            "another payload",
            with("/dsseEnvelope/payloadType", json!("text/plain")),
            "PayloadType",
            "text/plain",
        ),
        case(
            "without signatures",
            with("/dsseEnvelope/signatures", json!([])),
            "Signatures",
            "0 signatures",
        ),
        case(
            "two signatures",
            with("/dsseEnvelope/signatures", json!([signature, signature])),
            "Signatures",
            "2 signatures",
        ),
        case(
            "payload that is no Base64",
            with(payload, json!("?")),
            "Base64",
            "`payload`",
        ),
        case(
            "signature that is no Base64",
            with(sig, json!("MEUC=IQ")),
            "Base64",
            "`sig`",
        ),
        case(
            "payload of a number",
            with(payload, json!(7)),
            "Json",
            "invalid type",
        ),
        case(
            "signature of nothing",
            with(sig, json!("")),
            "Der",
            "no ECDSA signature",
        ),
        case(
            "signature that is no DER",
            with(sig, json!("AAAA")),
            "Der",
            "no ECDSA signature",
        ),
        case(
            "signature of zeros",
            with(sig, json!("MAYCAQACAQA=")),
            "Invalid",
            "not valid",
        ),
        case(
            "signature of ones",
            with(sig, json!("MAYCAQECAQE=")),
            "Invalid",
            "not valid",
        ),
        case(
            "empty payload",
            with(payload, json!("")),
            "Invalid",
            "not valid",
        ),
        case(
            "other payload",
            with(payload, json!("e30=")),
            "Invalid",
            "not valid",
        ),
        case(
            "other key",
            with("/verificationMaterial/publicKey/hint", json!("00")),
            "OtherKey",
            "names 00",
        ),
    ]
}

fn check(path: &Path) -> Result<Manifest, Error> {
    let key = PublicKey::read(&fixture("public.pem")).unwrap();
    let verified =
        Bundle::read(path).and_then(|bundle| verify(&fixture("model.onnx"), path, &bundle, &key));
    naming(path, verified)
}

/// The result of reading `path`, whose error must name it.
fn naming<T>(path: &Path, result: Result<T, Error>) -> Result<T, Error> {
    result.inspect_err(|error| {
        let path = path.display().to_string();
        assert!(error.to_string().contains(&path), "no {path} in: {error}");
    })
}

#[test]
fn bundles() {
    let folder = tempfile::tempdir().unwrap();
    let format = Format {
        folder: folder.path(),
        file: "model.onnx.sig",
        memory: MEMORY,
    };
    format.refuses(SEED, cases, check);
}

pub fn keys() -> Vec<Case> {
    let read = |name: &str| std::fs::read(fixture(name)).unwrap();
    let key = String::from_utf8(read("public.pem")).unwrap();
    vec![
        case("empty", b"", "Public", "no public key"),
        case(
            "another curve",
            read("p384.pem"),
            "Public",
            "on the curve P-256",
        ),
        case(
            "private key",
            read("private.pem"),
            "PrivateForPublic",
            "private key",
        ),
        case(
            "private key in SEC1",
            read("private.sec1.pem"),
            "PrivateForPublic",
            "private key",
        ),
        case(
            "encrypted key",
            read("encrypted.pem"),
            "PrivateForPublic",
            "private key",
        ),
        case(
            "cut short",
            &key.as_bytes()[..60],
            "Public",
            "no public key",
        ),
        case(
            "no Base64",
            key.replace('M', "?"),
            "Public",
            "no public key",
        ),
        case("no PEM", [0xff; 91], "Public", "no public key"),
        case(
            "over 64 KiB",
            vec![b'-'; (1 << 16) + 1],
            "TooLarge",
            "65536",
        ),
    ]
}

#[test]
fn key_files() {
    let folder = tempfile::tempdir().unwrap();
    let format = Format {
        folder: folder.path(),
        file: "public.pem",
        memory: MEMORY,
    };
    let seed = std::fs::read(fixture("public.pem")).unwrap();
    format.refuses(&seed, keys, |path| naming(path, PublicKey::read(path)));
}
