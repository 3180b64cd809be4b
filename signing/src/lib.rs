//! OpenSSF model signatures: bundles that say who made a model.
//!
//! A signature is a [Sigstore bundle] around a [DSSE] envelope around an
//! [in-toto statement], which lists the model's files with their SHA-256; the
//! format of the [OpenSSF Model Signing] project, whose tool `model-signing`
//! reads what [`sign`] writes and writes what [`verify`] reads. Keys are local
//! ones, on the curve P-256, in PEM.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use signing::{PrivateKey, PublicKey, Bundle, sign, verify};
//!
//! # fn main() -> Result<(), signing::Error> {
//! let (model, file) = (Path::new("model.onnx"), Path::new("model.onnx.sig"));
//! let private = PrivateKey::read(Path::new("private.pem"))?;
//! sign(model, file, &private)?.write(file)?;
//! let public = PublicKey::read(Path::new("public.pem"))?;
//! verify(model, file, &Bundle::read(file)?, &public)?;
//! # Ok(())
//! # }
//! ```
//!
//! [Sigstore bundle]: https://docs.sigstore.dev/about/bundle/
//! [DSSE]: https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
//! [in-toto statement]: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
//! [OpenSSF Model Signing]: https://github.com/ossf/model-signing-spec

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod bundle;
mod error;
mod key;
mod manifest;
mod statement;

use std::path::{Path, PathBuf};

pub use bundle::Bundle;
pub use error::{BundleProblem, Difference, Error, KeyProblem, StatementProblem};
pub use key::{PrivateKey, PublicKey};
pub use manifest::{Manifest, Resource};

use statement::Statement;

/// Where the signature of the model at `model` usually is: beside it, with
/// `.sig` after its name.
pub fn usual_path(model: &Path) -> PathBuf {
    // Without a slash at the end, behind which the name would be another.
    let mut name = model.components().collect::<PathBuf>().into_os_string();
    name.push(".sig");
    name.into()
}

/// Checks that a signature at `signature` would take the place neither of the model at
/// `model` nor of the file of the key at `key`.
///
/// # Errors
///
/// When it would.
pub fn check_place(signature: &Path, model: &Path, key: &Path) -> Result<(), Error> {
    let is_at = |other: &Path| match (signature.canonicalize(), other.canonicalize()) {
        (Ok(signature), Ok(other)) => signature == other,
        // What is not there is not lost.
        _ => false,
    };
    for (kept, taken) in [("model", is_at(model)), ("private key", is_at(key))] {
        if taken {
            let path = signature.to_owned();
            return Err(Error::Taken { path, kept });
        }
    }
    Ok(())
}

/// Signs the model at `model`, a file or a folder. In a folder, the files that
/// git keeps for itself and `signature`, where the bundle is to be written, are
/// no part of it.
///
/// The same files and key give the same bundle, byte for byte (RFC 6979).
///
/// # Errors
///
/// When the model cannot be read or holds a symbolic link.
pub fn sign(model: &Path, signature: &Path, key: &PrivateKey) -> Result<Bundle, Error> {
    let ignored = manifest::usually_ignored(model, signature);
    let manifest = Manifest::of(model, &ignored)?;
    let statement = Statement::new(model, manifest, ignored);
    let payload = statement.to_json().map_err(Error::statement(signature))?;
    Ok(Bundle::sign(payload, key))
}

/// Checks that `bundle`, which was read from `signature`, was made with the
/// private part of `key` for exactly the files at `model`; returns them.
///
/// # Errors
///
/// When the bundle is none of these signatures, was made with another key or
/// changed since, or the files are others than those that were signed.
pub fn verify(
    model: &Path,
    signature: &Path,
    bundle: &Bundle,
    key: &PublicKey,
) -> Result<Manifest, Error> {
    let payload = bundle.verify(signature, key)?;
    let statement = Statement::parse(payload).map_err(Error::statement(signature))?;
    let mut ignored = statement.ignored();
    ignored.extend(manifest::usually_ignored(model, signature));
    let found = Manifest::of(model, &ignored)?;
    let signed = statement.manifest().map_err(Error::statement(signature))?;
    let differences = signed.differences(&found);
    if differences.is_empty() {
        Ok(found)
    } else {
        Err(Error::Changed {
            model: model.to_owned(),
            differences,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn signature_stands_beside_a_folder_with_a_slash_behind_its_name() {
        for (model, expected) in [
            ("m.onnx", "m.onnx.sig"),
            ("models", "models.sig"),
            ("models/", "models.sig"),
            ("../a/models//", "../a/models.sig"),
            ("/models/.", "/models.sig"),
        ] {
            assert_eq!(usual_path(Path::new(model)), Path::new(expected));
        }
    }

    #[test]
    fn signature_takes_the_place_of_neither_model_nor_key() {
        let folder = tempfile::tempdir().unwrap();
        let [model, key, old] =
            ["m.onnx", "private.pem", "m.onnx.sig"].map(|name| folder.path().join(name));
        for path in [&model, &key, &old] {
            std::fs::write(path, "content").unwrap();
        }
        let other_name = folder.path().join(".").join("m.onnx");
        for (path, kept) in [
            (&model, "model"),
            (&other_name, "model"),
            (&key, "private key"),
        ] {
            let error = check_place(path, &model, &key).unwrap_err();
            assert!(error.to_string().ends_with(kept), "{error}");
            assert!(error.hint().is_some());
        }
        check_place(&old, &model, &key).unwrap();
        check_place(&folder.path().join("new.sig"), &model, &key).unwrap();
        let error = check_place(folder.path(), folder.path(), &key).unwrap_err();
        assert!(matches!(error, Error::Taken { .. }), "{error}");
    }

    #[test]
    fn statement_that_cannot_be_used_names_the_file_of_the_signature() {
        let fixture = |name| {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("fixtures")
                .join(name)
        };
        let key = PrivateKey::read(&fixture("private.pem")).unwrap();
        let bundle = Bundle::sign(b"{}".to_vec(), &key);
        let file = Path::new("somewhere/m.sig");
        let error = verify(&fixture("model.onnx"), file, &bundle, &key.public()).unwrap_err();
        assert!(matches!(error, Error::Statement { .. }));
        assert!(
            error.to_string().starts_with("somewhere/m.sig: "),
            "{error}"
        );
    }
}
