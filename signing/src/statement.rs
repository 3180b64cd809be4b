//! What is signed: an in-toto statement on the files of a model.
//!
//! Its predicate is that of the OpenSSF's model signatures, version 1.0: how the
//! files were listed (`serialization`) and the list (`resources`). The subject's
//! digest is the SHA-256 of all files' digests in their order.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::manifest::root;
use crate::{Manifest, Resource, StatementProblem};

const TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";
const METHOD: &str = "files";
const ALGORITHM: &str = "sha256";

/// The statement; fields that later versions add are left aside.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Debug, Serialize, Deserialize)]
struct Subject {
    name: String,
    digest: SubjectDigest,
}

#[derive(Debug, Serialize, Deserialize)]
struct SubjectDigest {
    sha256: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Predicate {
    serialization: Serialization,
    resources: Vec<Descriptor>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Serialization {
    method: String,
    hash_type: String,
    allow_symlinks: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ignore_paths: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Descriptor {
    name: String,
    algorithm: String,
    digest: String,
}

impl Statement {
    /// On the files in `manifest` of the model at `model`.
    pub(crate) fn new(model: &Path, manifest: Manifest, ignore_paths: Vec<String>) -> Self {
        let resources: Vec<_> = manifest.resources().collect();
        let root = root(resources.iter().map(|resource| &resource.digest));
        let descriptor = |Resource { name, digest }| Descriptor {
            name,
            algorithm: ALGORITHM.to_owned(),
            digest: digest.to_string(),
        };
        Self {
            kind: TYPE.to_owned(),
            subject: vec![Subject {
                name: name_of(model),
                digest: SubjectDigest {
                    sha256: root.to_string(),
                },
            }],
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: Predicate {
                serialization: Serialization {
                    method: METHOD.to_owned(),
                    hash_type: ALGORITHM.to_owned(),
                    allow_symlinks: false,
                    ignore_paths,
                },
                resources: resources.into_iter().map(descriptor).collect(),
            },
        }
    }

    pub(crate) fn to_json(&self) -> Result<Vec<u8>, StatementProblem> {
        Ok(serde_json::to_vec_pretty(self)?)
    }

    /// Reads a statement and checks that it is one that this version knows.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, StatementProblem> {
        let statement: Self = serde_json::from_slice(json)?;
        let serialization = &statement.predicate.serialization;
        expect("_type", &statement.kind, TYPE)?;
        expect("predicateType", &statement.predicate_type, PREDICATE_TYPE)?;
        expect("method", &serialization.method, METHOD)?;
        expect("hash_type", &serialization.hash_type, ALGORITHM)?;
        Ok(statement)
    }

    /// The paths that were left out.
    pub(crate) fn ignored(&self) -> Vec<String> {
        self.predicate.serialization.ignore_paths.clone()
    }

    /// The files that were signed.
    pub(crate) fn manifest(&self) -> Result<Manifest, StatementProblem> {
        let [subject] = self.subject.as_slice() else {
            let found = self.subject.len();
            return Err(StatementProblem::Subjects { found });
        };
        let resources = self.predicate.resources.iter().map(resource);
        let resources: Vec<_> = resources.collect::<Result<_, _>>()?;
        let found = root(resources.iter().map(|resource| &resource.digest));
        if subject.digest.sha256 != found.to_string() {
            let named = subject.digest.sha256.clone();
            return Err(StatementProblem::Root { named, found });
        }
        Manifest::from_resources(resources).map_err(|name| StatementProblem::Twice { name })
    }
}

fn expect(
    field: &'static str,
    found: &str,
    expected: &'static str,
) -> Result<(), StatementProblem> {
    if found == expected {
        return Ok(());
    }
    Err(StatementProblem::Unknown {
        field,
        found: found.to_owned(),
        expected,
    })
}

fn resource(descriptor: &Descriptor) -> Result<Resource, StatementProblem> {
    expect("algorithm", &descriptor.algorithm, ALGORITHM)?;
    let name = descriptor.name.clone();
    match descriptor.digest.parse() {
        Ok(digest) => Ok(Resource { name, digest }),
        Err(_) => Err(StatementProblem::Digest { name }),
    }
}

/// The last component of the model's path, which is told to people alone.
fn name_of(model: &Path) -> String {
    let path = model.canonicalize().unwrap_or_else(|_| model.to_owned());
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use artifact::Sha256;
    use serde_json::{Value, json};

    fn good() -> Value {
        let digest = Sha256::of_bytes(b"a");
        let root = root([&digest].into_iter());
        json!({
            "_type": TYPE,
            "subject": [{ "name": "m", "digest": { "sha256": root.to_string() } }],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "serialization": { "method": "files", "hash_type": "sha256", "allow_symlinks": false },
                "resources": [{ "name": ".", "algorithm": "sha256", "digest": digest.to_string() }],
            },
        })
    }

    fn read(statement: &Value) -> Result<Manifest, StatementProblem> {
        Statement::parse(statement.to_string().as_bytes())?.manifest()
    }

    #[test]
    fn statements_that_are_not_understood_are_refused() {
        assert_eq!(read(&good()).unwrap().resources().count(), 1);
        let resource = good()["predicate"]["resources"][0].clone();
        let cases = [
            ("/_type", json!("other"), "`_type` is `other`"),
            ("/predicateType", json!("v2"), "`predicateType` is `v2`"),
            ("/subject", json!([]), "0 subjects"),
            (
                "/subject/0/digest/sha256",
                json!("00"),
                "model's digest is 00",
            ),
            ("/subject/0/digest", json!({}), "missing field"),
            (
                "/predicate/serialization/method",
                json!("shards"),
                "`shards`",
            ),
            (
                "/predicate/serialization/hash_type",
                json!("blake3"),
                "`blake3`",
            ),
            ("/predicate/resources/0/algorithm", json!("md5"), "`md5`"),
            ("/predicate/resources/0/digest", json!("xyz"), "no SHA-256"),
            (
                "/predicate/resources",
                json!([resource, resource]),
                "model's digest",
            ),
        ];
        for (place, value, reason) in cases {
            let mut statement = good();
            *statement.pointer_mut(place).unwrap() = value;
            let error = read(&statement).unwrap_err().to_string();
            assert!(error.contains(reason), "{place}: {error}");
        }
    }

    #[test]
    fn file_that_is_listed_twice_is_refused() {
        let mut statement = good();
        let digest = Sha256::of_bytes(b"a");
        let root = root([&digest, &digest].into_iter());
        statement["subject"][0]["digest"]["sha256"] = json!(root.to_string());
        let resource = statement["predicate"]["resources"][0].clone();
        statement["predicate"]["resources"] = json!([resource, resource]);
        let error = read(&statement).unwrap_err().to_string();
        assert!(error.contains("`.` is listed twice"), "{error}");
    }
}
