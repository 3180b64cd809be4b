//! Signatures of this crate and of the Python tool `model-signing`.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::Value;
use signing::{
    Bundle, BundleProblem, Difference, Error, KeyProblem, PrivateKey, PublicKey, sign, verify,
};
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

fn private() -> PrivateKey {
    PrivateKey::read(&fixture("private.pem")).unwrap()
}

fn public() -> PublicKey {
    PublicKey::read(&fixture("public.pem")).unwrap()
}

fn check(model: &Path, signature: &Path) -> Result<Vec<String>, Error> {
    let manifest = verify(model, signature, &Bundle::read(signature)?, &public())?;
    Ok(manifest.resources().map(|file| file.name).collect())
}

/// A copy of the folder, which tests may change.
fn folder() -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("weights")).unwrap();
    for name in ["model.onnx", "weights/a.bin", "weights-b.bin", ".gitignore"] {
        fs::copy(fixture("folder").join(name), copy.path().join(name)).unwrap();
    }
    copy
}

#[test]
fn signatures_of_the_python_tool_are_accepted() {
    let alone = check(&fixture("model.onnx"), &fixture("model.onnx.sig")).unwrap();
    assert_eq!(alone, ["."]);
    // In the order of the components: a folder's files stay together.
    let files = check(&fixture("folder"), &fixture("folder.sig")).unwrap();
    assert_eq!(files, ["model.onnx", "weights/a.bin", "weights-b.bin"]);
}

#[test]
fn own_signatures_are_accepted_and_always_the_same() {
    let folder = folder();
    for model in [folder.path().to_owned(), folder.path().join("model.onnx")] {
        let signature = folder.path().join("model.sig");
        let bundle = sign(&model, &signature, &private()).unwrap();
        bundle.write(&signature).unwrap();
        check(&model, &signature).unwrap();
        // The signature, which is there now, is no part of the folder.
        assert_eq!(sign(&model, &signature, &private()).unwrap(), bundle);
    }
}

#[test]
fn key_in_sec1_is_the_key_in_pkcs8() {
    let sec1 = PrivateKey::read(&fixture("private.sec1.pem")).unwrap();
    assert_eq!(sec1.public().digest(), public().digest());
    assert_eq!(private().public().digest(), public().digest());
}

#[test]
fn changed_file_is_told_with_both_digests() {
    let folder = folder();
    let model = folder.path().join("model.onnx");
    fs::write(&model, "the bytes of another\n").unwrap();
    let error = check(&model, &fixture("model.onnx.sig")).unwrap_err();
    assert!(error.to_string().contains("signed was 7ea39a2d"), "{error}");
    assert!(matches!(
        &error,
        Error::Changed { differences, .. }
            if matches!(differences.as_slice(), [Difference::Content { name, .. }] if name == ".")
    ));
}

#[test]
fn every_difference_of_a_folder_is_told() {
    let folder = folder();
    fs::remove_file(folder.path().join("weights/a.bin")).unwrap();
    fs::write(folder.path().join("weights/c.bin"), "c").unwrap();
    fs::write(folder.path().join("weights-b.bin"), "B").unwrap();
    let error = check(folder.path(), &fixture("folder.sig")).unwrap_err();
    let text = error.to_string();
    for line in [
        "weights/a.bin is missing",
        "weights/c.bin was not signed",
        "weights-b.bin has SHA-256 df7e70e5021544f4834bbee64a9e3789febc4be81470df629cad6ddb03320a5c",
    ] {
        assert!(text.contains(line), "no `{line}` in:\n{text}");
    }
}

#[test]
fn another_key_is_refused_with_and_without_its_name_in_the_bundle() {
    let other = PublicKey::read(&fixture("other.pem")).unwrap();
    let (model, signature) = (fixture("model.onnx"), fixture("model.onnx.sig"));
    let bundle = Bundle::read(&signature).unwrap();
    let error = verify(&model, &signature, &bundle, &other).unwrap_err();
    assert!(matches!(error, Error::OtherKey { .. }), "{error}");

    let json = fs::read_to_string(&signature).unwrap();
    let hint = format!("\"hint\":\"{}\"", public().digest());
    assert!(json.contains(&hint));
    let nameless = json.replace(&hint, "");
    let bundle = Bundle::from_json(nameless.as_bytes()).unwrap();
    verify(&model, &signature, &bundle, &public()).unwrap();
    let error = verify(&model, &signature, &bundle, &other).unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
}

#[test]
fn files_without_a_usable_key_are_told_apart() {
    let problem = |error: Error| match error {
        Error::Key { problem, .. } => problem,
        other => panic!("{other}"),
    };
    let private = |name| problem(PrivateKey::read(&fixture(name)).unwrap_err());
    let public = |name| problem(PublicKey::read(&fixture(name)).unwrap_err());
    assert!(matches!(private("public.pem"), KeyProblem::Private));
    assert!(matches!(private("model.onnx"), KeyProblem::Private));
    assert!(matches!(private("encrypted.pem"), KeyProblem::Encrypted));
    assert!(matches!(public("p384.pem"), KeyProblem::Public));
    assert!(matches!(public("model.onnx"), KeyProblem::Public));
    assert!(matches!(
        public("private.pem"),
        KeyProblem::PrivateForPublic
    ));
    assert!(matches!(
        PublicKey::read(&fixture("none.pem")),
        Err(Error::File(_))
    ));
}

/// The signature beside a model is read without being named on the command line.
#[test]
fn every_error_of_a_signature_names_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx.sig");
    let refuse = |json: &str| {
        fs::write(&path, json).unwrap();
        let error = check(&fixture("model.onnx"), &path).unwrap_err();
        let name = path.display().to_string();
        assert!(error.to_string().starts_with(&name), "{error}");
        error
    };
    let good: Value =
        serde_json::from_slice(&fs::read(fixture("model.onnx.sig")).unwrap()).unwrap();
    let with = |place: &str, text: &str| {
        let mut bundle = good.clone();
        *bundle.pointer_mut(place).unwrap() = text.into();
        refuse(&bundle.to_string())
    };
    let sig = "/dsseEnvelope/signatures/0/sig";
    assert!(matches!(refuse("x"), Error::Bundle { .. }));
    assert!(matches!(with(sig, ""), Error::Bundle { .. }));
    assert!(matches!(with(sig, "MAYCAQECAQE="), Error::Invalid { .. }));
    let hint = "/verificationMaterial/publicKey/hint";
    assert!(matches!(with(hint, "00"), Error::OtherKey { .. }));
}

#[test]
fn bundles_that_end_early_are_no_bundles() {
    let json = fs::read(fixture("model.onnx.sig")).unwrap();
    let end = json.iter().rposition(|byte| *byte == b'}').unwrap();
    for length in 0..=end {
        let error = Bundle::from_json(&json[..length]).unwrap_err();
        assert!(matches!(error, BundleProblem::Json(_)), "{length}: {error}");
    }
}

#[test]
fn entries_of_a_log_are_passed_over() {
    let good = fs::read_to_string(fixture("model.onnx.sig")).unwrap();
    let bundle = Bundle::from_json(good.as_bytes()).unwrap();
    for entries in ["{\"logIndex\":\"1\"}", "[[]],7"] {
        let json = good.replace("\"tlogEntries\":[", &format!("\"tlogEntries\":[{entries}"));
        assert_ne!(json, good);
        assert_eq!(Bundle::from_json(json.as_bytes()).unwrap(), bundle);
    }
}

#[test]
fn hostile_json_is_refused() {
    let good = fs::read_to_string(fixture("model.onnx.sig")).unwrap();
    let refuse = |json: &str| Bundle::from_json(json.as_bytes()).unwrap_err().to_string();
    let instead = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        refuse(&good.replace(from, to))
    };

    let deep = format!("{{\"mediaType\":{}", "[".repeat(1_000_000));
    assert!(refuse(&deep).contains("expected a string"));
    let deep = format!("{{\"x\":{}", "[".repeat(1_000_000));
    assert!(refuse(&deep).contains("EOF"));
    let deep = format!("\"tlogEntries\":[{}", "[".repeat(1_000_000));
    assert!(instead("\"tlogEntries\":[", &deep).contains("expected `,` or `]`"));
    assert!(refuse("null").contains("invalid type"));
    assert!(refuse("{\"mediaType\":1}").contains("expected a string"));
    assert!(instead("{\"mediaType\"", "{\"mediaType\":\"\",\"mediaType\"").contains("duplicate"));
    assert!(instead("bundle.v0.3", "bundle.v0.1").contains("media type"));
    assert!(instead("vnd.in-toto", "vnd.other").contains("payload's type"));
    assert!(instead("\"sig\":\"M", "\"sig\":\"?").contains("`sig` is not Base64"));
    assert!(instead("\"payload\":\"e", "\"payload\":\"*").contains("`payload` is not Base64"));
    let (start, end) = (good.find("[{\"sig\"").unwrap(), good.rfind(']').unwrap());
    let signature = &good[start + 1..end];
    assert!(instead(signature, "").contains("0 signatures"));
    let twice = format!("{signature},{signature}");
    assert!(instead(signature, &twice).contains("2 signatures"));
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let folder = folder();
    let link = folder.path().join("link.onnx");
    std::os::unix::fs::symlink(fixture("model.onnx"), &link).unwrap();
    for model in [&link, folder.path()] {
        let error = sign(model, Path::new("x.sig"), &private()).unwrap_err();
        assert!(error.to_string().contains("link.onnx"), "{error}");
        assert!(matches!(error, Error::NotAFile { .. }));
    }
}

proptest! {
    /// Whatever byte is changed: it is refused, or it was one that says nothing.
    #[test]
    fn damaged_bundles_do_not_verify(position: prop::sample::Index, byte: u8) {
        let path = fixture("model.onnx.sig");
        let mut json = fs::read(&path).unwrap();
        let whole = Bundle::from_json(&json).unwrap();
        let position = position.index(json.len());
        json[position] = byte;
        if let Ok(bundle) = Bundle::from_json(&json)
            && verify(&fixture("model.onnx"), &path, &bundle, &public()).is_ok()
        {
            prop_assert!(bundle == whole || bundle.to_json().unwrap().len() < json.len());
        }
    }
}
