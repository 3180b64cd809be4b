//! What can be wrong with a signature.

use std::fmt;
use std::path::{Path, PathBuf};

use artifact::Sha256;

/// A model that cannot be signed, or is not what was signed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused a file or a folder.
    #[error(transparent)]
    File(#[from] artifact::Error),
    /// A file that is read whole is larger than any real one.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        limit: u64,
    },
    /// A file holds no usable key.
    #[error("{}: {problem}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: KeyProblem,
    },
    /// A model, or a part of it, is a symbolic link, a socket or the like: what
    /// is signed must be what is there.
    #[error("{} is neither a file nor a folder", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// A file's name is not Unicode, so that no bundle can hold it.
    #[error("the name of {} is not Unicode", path.display())]
    Name {
        /// The path.
        path: PathBuf,
    },
    /// A signature is to be written where the model or the key is.
    #[error("the signature cannot be written to {}: that is the {kept}", path.display())]
    Taken {
        /// Where it was to be written.
        path: PathBuf,
        /// What is there.
        kept: &'static str,
    },
    /// A bundle is not one of these signatures.
    #[error("{}: no signature of a model: {problem}", path.display())]
    Bundle {
        /// Where it was read, or was to be written.
        path: PathBuf,
        /// What is wrong with it.
        problem: BundleProblem,
    },
    /// A bundle says that it was made with another key.
    #[error("{} was made with another key: it names {named}, this is {found}", path.display())]
    OtherKey {
        /// The bundle's file.
        path: PathBuf,
        /// What the bundle says of its key: the SHA-256 of the public key's PEM.
        named: String,
        /// The same of the key that was given.
        found: Sha256,
    },
    /// A signature does not belong to the content and the key.
    #[error("{} is not valid: made with another key, or changed since", path.display())]
    Invalid {
        /// The bundle's file.
        path: PathBuf,
    },
    /// What was signed is no statement on a model's files.
    #[error("{}: the signed statement cannot be used: {problem}", path.display())]
    Statement {
        /// The bundle's file.
        path: PathBuf,
        /// What is wrong with the statement.
        problem: StatementProblem,
    },
    /// The files are not those that were signed.
    #[error("{} is not what was signed:{}", model.display(), list(differences))]
    Changed {
        /// The model.
        model: PathBuf,
        /// How its files differ.
        differences: Vec<Difference>,
    },
}

fn list(differences: &[Difference]) -> String {
    let line = |difference| format!("\n  {difference}");
    differences.iter().map(line).collect()
}

/// What is wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyProblem {
    /// It is no private key on P-256.
    #[error("no private key on the curve P-256 in PEM (PKCS #8 or SEC1)")]
    Private,
    /// It is no public key on P-256.
    #[error("no public key on the curve P-256 in PEM")]
    Public,
    /// It is a private key that needs a password.
    #[error("the private key is encrypted")]
    Encrypted,
    /// It is a private key where a public one is needed.
    #[error("this is a private key, which belongs to whoever signs; its public part is needed")]
    PrivateForPublic,
}

/// What is wrong with a bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleProblem {
    /// It is no JSON, or not of this structure.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// It is a bundle of another version.
    #[error("the media type is `{found}`, expected `{expected}`")]
    MediaType {
        /// What it says.
        found: String,
        /// What it should say.
        expected: &'static str,
    },
    /// It does not hold exactly one signature.
    #[error("it holds {found} signatures, expected one")]
    Signatures {
        /// How many it holds.
        found: usize,
    },
    /// What is signed is no in-toto statement.
    #[error("the payload's type is `{found}`, expected `{expected}`")]
    PayloadType {
        /// What it says.
        found: String,
        /// What it should say.
        expected: &'static str,
    },
    /// A field does not hold Base64.
    #[error("`{field}` is not Base64")]
    Base64 {
        /// The field.
        field: &'static str,
    },
    /// The signature is no ECDSA signature.
    #[error("`sig` is no ECDSA signature in DER")]
    Der,
}

/// What is wrong with a statement that was signed.
#[derive(Debug, thiserror::Error)]
pub enum StatementProblem {
    /// It is no JSON, or not of this structure.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// It says something else in a place where only one thing is known.
    #[error("`{field}` is `{found}`, expected `{expected}`")]
    Unknown {
        /// The place.
        field: &'static str,
        /// What it says.
        found: String,
        /// What it should say.
        expected: &'static str,
    },
    /// It is not about one model.
    #[error("it has {found} subjects, expected one")]
    Subjects {
        /// How many it is about.
        found: usize,
    },
    /// A digest is not 64 hexadecimal digits.
    #[error("the digest of `{name}` is no SHA-256")]
    Digest {
        /// The file.
        name: String,
    },
    /// A file is listed twice.
    #[error("`{name}` is listed twice")]
    Twice {
        /// The file.
        name: String,
    },
    /// The digest over all files is not that of the files in the list.
    #[error("the model's digest is {named}, but that of its files is {found}")]
    Root {
        /// What the statement says.
        named: String,
        /// What follows from its files.
        found: Sha256,
    },
}

/// How a file differs from what was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It was signed and is not there.
    Missing {
        /// The file.
        name: String,
    },
    /// It is there and was not signed.
    Added {
        /// The file.
        name: String,
    },
    /// It has another content.
    Content {
        /// The file.
        name: String,
        /// The digest of what was signed.
        signed: Sha256,
        /// The digest of what is there.
        found: Sha256,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name } => write!(f, "{name} is missing"),
            Self::Added { name } => write!(f, "{name} was not signed"),
            Self::Content {
                name,
                signed,
                found,
            } => {
                let name = if name == "." { "the file" } else { name };
                write!(f, "{name} has SHA-256 {found}, signed was {signed}")
            }
        }
    }
}

impl Error {
    /// Says which file has `problem`, for `map_err`.
    pub(crate) fn bundle(path: &Path) -> impl FnOnce(BundleProblem) -> Self {
        let path = path.to_owned();
        move |problem| Self::Bundle { path, problem }
    }

    /// Says which file's statement has `problem`, for `map_err`.
    pub(crate) fn statement(path: &Path) -> impl FnOnce(StatementProblem) -> Self {
        let path = path.to_owned();
        move |problem| Self::Statement { path, problem }
    }

    /// What the user can do, where it is not plain from the message.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Key { problem, .. } => Some(problem.hint()),
            Self::Changed { .. } | Self::Invalid { .. } => Some(
                "do not use the model: get it and its signature again from whoever made it"
                    .to_owned(),
            ),
            Self::NotAFile { .. } => {
                Some("name the file itself: a link can point elsewhere tomorrow".to_owned())
            }
            Self::Taken { .. } => {
                Some("name another file, or none to write it beside the model".to_owned())
            }
            Self::File(_)
            | Self::TooLarge { .. }
            | Self::Name { .. }
            | Self::Bundle { .. }
            | Self::OtherKey { .. }
            | Self::Statement { .. } => None,
        }
    }
}

impl KeyProblem {
    fn hint(&self) -> String {
        match self {
            Self::Private => {
                "`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out private.pem` \
                 makes one"
            }
            Self::Public | Self::PrivateForPublic => {
                "`openssl pkey -in private.pem -pubout -out public.pem` makes it from the private key"
            }
            Self::Encrypted => "`openssl pkey -in FILE -out private.pem` decrypts it",
        }
        .to_owned()
    }
}
