//! Files from a mirror, by HTTPS.

use std::time::Duration;

use ureq::{Agent, Body};

use super::source::{Receive, SourceError};
use crate::DatasetFile;
use crate::manifest::Manifest;

/// Without a network, a mirror is given up after this.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// A server that is silent for this long is given up.
const SILENCE_LIMIT: Duration = Duration::from_secs(20);
/// A file that takes longer than this is given up, whatever still arrives.
const FILE_LIMIT: Duration = Duration::from_secs(30 * 60);
/// A gzipped file is hardly longer than the raw one.
const GZIP_OVERHEAD_BYTES: u64 = 1 << 16;

/// Hands the `wanted` files under the URL `base` to `receive`.
pub(super) fn deliver(
    base: &str,
    wanted: &[DatasetFile],
    manifest: &Manifest,
    receive: &mut Receive<'_>,
) -> Result<(), SourceError> {
    let agent = agent(base);
    for &file in wanted {
        let body = get(&agent, base, file)?;
        let limit = manifest.bytes(file) + GZIP_OVERHEAD_BYTES;
        receive(file, &mut body.into_with_config().limit(limit).reader())?;
    }
    Ok(())
}

fn get(agent: &Agent, base: &str, file: DatasetFile) -> Result<Body, SourceError> {
    match agent.get(format!("{base}{}.gz", file.names()[0])).call() {
        Ok(response) => Ok(response.into_body()),
        Err(reason) => Err(SourceError::Http {
            file,
            reason: Box::new(reason),
        }),
    }
}

fn agent(base: &str) -> Agent {
    Agent::config_builder()
        // A secure mirror must not lead elsewhere.
        .https_only(base.starts_with("https:"))
        .user_agent(concat!("burnish/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(CONNECT_LIMIT))
        .timeout_connect(Some(CONNECT_LIMIT))
        .timeout_recv_response(Some(SILENCE_LIMIT))
        .timeout_per_read(Some(SILENCE_LIMIT))
        .timeout_global(Some(FILE_LIMIT))
        .build()
        .into()
}
