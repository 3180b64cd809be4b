//! A signature as a file: Sigstore's bundle, version 0.3, in JSON.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::DerSignature;
use serde::{Deserialize, Serialize};

use crate::key::read_bounded;
use crate::{BundleProblem, Error, PrivateKey, PublicKey};

/// The most bytes that a bundle may have: a hundred thousand files.
const MAX_BYTES: u64 = 32 << 20;

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A signed statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// What is signed.
    payload: Vec<u8>,
    /// The signature, in DER.
    signature: Vec<u8>,
    /// The digest of the public key, if the bundle names it.
    key: Option<String>,
}

/// The JSON, as [sigstore_bundle.proto] has it; what is of use without a log or
/// a certificate alone.
///
/// [sigstore_bundle.proto]: https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Json {
    media_type: String,
    verification_material: VerificationMaterial,
    dsse_envelope: Envelope,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VerificationMaterial {
    public_key: KeyIdentifier,
    /// None are written, and those of others passed over, whatever they are.
    #[serde(skip_deserializing)]
    tlog_entries: [(); 0],
}

#[derive(Serialize, Deserialize)]
struct KeyIdentifier {
    hint: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Serialize, Deserialize)]
struct Signature {
    sig: String,
    #[serde(default)]
    keyid: String,
}

impl Bundle {
    /// Signs `payload`, a statement in JSON.
    pub(crate) fn sign(payload: Vec<u8>, key: &PrivateKey) -> Self {
        Self {
            signature: key.sign(&pre_authentication(&payload)),
            key: Some(key.public().digest().to_string()),
            payload,
        }
    }

    /// What is signed, if the signature is that of `key`; the bundle was read from `path`.
    pub(crate) fn verify(&self, path: &Path, key: &PublicKey) -> Result<&[u8], Error> {
        let found = key.digest();
        if let Some(named) = self
            .key
            .as_ref()
            .filter(|&named| *named != found.to_string())
        {
            return Err(Error::OtherKey {
                path: path.to_owned(),
                named: named.clone(),
                found,
            });
        }
        let signature = DerSignature::from_bytes(&self.signature)
            .map_err(|_| BundleProblem::Der)
            .map_err(Error::bundle(path))?;
        match key.accepts(&pre_authentication(&self.payload), &signature) {
            true => Ok(&self.payload),
            false => Err(Error::Invalid {
                path: path.to_owned(),
            }),
        }
    }

    /// Reads the bundle at `path`; nothing of it is trusted yet.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is too large or no bundle.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::from_json(&read_bounded(path, MAX_BYTES)?).map_err(Error::bundle(path))
    }

    /// Reads a bundle from its JSON.
    ///
    /// # Errors
    ///
    /// When it is no bundle of this kind.
    pub fn from_json(json: &[u8]) -> Result<Self, BundleProblem> {
        let json: Json = serde_json::from_slice(json)?;
        if json.media_type != MEDIA_TYPE {
            return Err(BundleProblem::MediaType {
                found: json.media_type,
                expected: MEDIA_TYPE,
            });
        }
        let envelope = json.dsse_envelope;
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(BundleProblem::PayloadType {
                found: envelope.payload_type,
                expected: PAYLOAD_TYPE,
            });
        }
        let [signature] = envelope.signatures.as_slice() else {
            let found = envelope.signatures.len();
            return Err(BundleProblem::Signatures { found });
        };
        Ok(Self {
            payload: decode("payload", &envelope.payload)?,
            signature: decode("sig", &signature.sig)?,
            key: json.verification_material.public_key.hint,
        })
    }

    /// The bundle as JSON.
    ///
    /// # Errors
    ///
    /// When there is not enough memory.
    pub fn to_json(&self) -> Result<Vec<u8>, BundleProblem> {
        let mut json = serde_json::to_vec(&Json {
            media_type: MEDIA_TYPE.to_owned(),
            verification_material: VerificationMaterial {
                public_key: KeyIdentifier {
                    hint: self.key.clone(),
                },
                tlog_entries: [],
            },
            dsse_envelope: Envelope {
                payload: STANDARD.encode(&self.payload),
                payload_type: PAYLOAD_TYPE.to_owned(),
                signatures: vec![Signature {
                    sig: STANDARD.encode(&self.signature),
                    keyid: String::new(),
                }],
            },
        })?;
        json.push(b'\n');
        Ok(json)
    }

    /// Writes the bundle to `path`, whole or not at all.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let json = self.to_json().map_err(Error::bundle(path))?;
        Ok(artifact::write_bytes(path, &json)?)
    }
}

fn decode(field: &'static str, text: &str) -> Result<Vec<u8>, BundleProblem> {
    let bytes = STANDARD.decode(text);
    bytes.map_err(|_| BundleProblem::Base64 { field })
}

/// DSSE's pre-authentication encoding, which is what is signed:
/// `DSSEv1 LENGTH TYPE LENGTH PAYLOAD`.
fn pre_authentication(payload: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {PAYLOAD_TYPE} {} ",
        PAYLOAD_TYPE.len(),
        payload.len()
    );
    [head.as_bytes(), payload].concat()
}
