//! Keys for ECDSA on the curve P-256, as PEM.

use std::fmt;
use std::io::Read;
use std::path::Path;

use artifact::Sha256;
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{DerSignature, SigningKey, VerifyingKey};
use p256::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePublicKey, LineEnding};

use crate::{Error, KeyProblem};

/// The most bytes that a file with a key may have.
const MAX_BYTES: u64 = 1 << 16;

/// The key of whoever signs.
pub struct PrivateKey(SigningKey);

/// The key that tells who signed.
#[derive(Debug, Clone)]
pub struct PublicKey(VerifyingKey);

impl PrivateKey {
    /// The private key in the PEM file at `path`, in PKCS #8 or SEC1.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or holds something else.
    pub fn read(path: &Path) -> Result<Self, Error> {
        parse(path, Self::from_pem)
    }

    fn from_pem(pem: &str) -> Result<Self, KeyProblem> {
        if pem.contains("ENCRYPTED") {
            return Err(KeyProblem::Encrypted);
        }
        // OpenSSL writes the parameters of the curve before a SEC1 key.
        let key = match pem.find("-----BEGIN EC PRIVATE KEY-----") {
            Some(start) => p256::SecretKey::from_sec1_pem(&pem[start..]).map(SigningKey::from),
            None => {
                return SigningKey::from_pkcs8_pem(pem)
                    .map(Self)
                    .map_err(|_| KeyProblem::Private);
            }
        };
        key.map(Self).map_err(|_| KeyProblem::Private)
    }

    /// Its public part.
    pub fn public(&self) -> PublicKey {
        PublicKey(*self.0.verifying_key())
    }

    /// The signature of `message`, in DER.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: DerSignature = self.0.sign(message);
        signature.as_bytes().to_vec()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").finish_non_exhaustive()
    }
}

impl PublicKey {
    /// The public key in the PEM file at `path`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or holds something else.
    pub fn read(path: &Path) -> Result<Self, Error> {
        parse(path, Self::from_pem)
    }

    fn from_pem(pem: &str) -> Result<Self, KeyProblem> {
        if pem.contains("PRIVATE KEY") {
            return Err(KeyProblem::PrivateForPublic);
        }
        let key = VerifyingKey::from_public_key_pem(pem);
        key.map(Self).map_err(|_| KeyProblem::Public)
    }

    /// The digest by which bundles name the key: the SHA-256 of its PEM with
    /// lines of 64 characters that end in `\n`.
    pub fn digest(&self) -> Sha256 {
        // A key that is there can be written.
        let pem = self.0.to_public_key_pem(LineEnding::LF).unwrap_or_default();
        Sha256::of_bytes(pem.as_bytes())
    }

    /// Whether `signature` is that of `message`.
    pub(crate) fn accepts(&self, message: &[u8], signature: &DerSignature) -> bool {
        self.0.verify(message, signature).is_ok()
    }
}

fn parse<T>(path: &Path, parse: impl Fn(&str) -> Result<T, KeyProblem>) -> Result<T, Error> {
    let bytes = read_bounded(path, MAX_BYTES)?;
    // What is no text is no PEM either, which `parse` then says.
    parse(&String::from_utf8_lossy(&bytes)).map_err(|problem| Error::Key {
        path: path.to_owned(),
        problem,
    })
}

/// The content of a file that has no more than `limit` bytes.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    artifact::open_regular(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .map_err(artifact::Error::new("read", path))?;
    if bytes.len() as u64 > limit {
        let path = path.to_owned();
        return Err(Error::TooLarge { path, limit });
    }
    Ok(bytes)
}
