//! Files from a mirror, by HTTPS.
//!
//! The system's `curl` carries them: it follows the system's certificates and
//! proxies, and a TLS library of our own would cost more to build than all of
//! the rest of this crate.

use std::io::Read;
use std::process::Command;

use super::source::{Receive, SourceError};
use super::stream::Stream;
use crate::DatasetFile;
use crate::manifest::Manifest;

/// Without a network, a mirror is given up after this.
const CONNECT_LIMIT_SECONDS: u64 = 5;
/// A server that is silent for this long is given up.
const SILENCE_LIMIT_SECONDS: u64 = 20;
/// A file that takes longer than this is given up, whatever still arrives.
const FILE_LIMIT_SECONDS: u64 = 30 * 60;
/// A gzipped file is hardly longer than the raw one.
const GZIP_OVERHEAD_BYTES: u64 = 1 << 16;

/// Hands the `wanted` files under the URL `base` to `receive`.
pub(super) fn deliver(
    base: &str,
    wanted: &[DatasetFile],
    manifest: &Manifest,
    receive: &mut Receive<'_>,
) -> Result<(), SourceError> {
    for &file in wanted {
        let limit = manifest.bytes(file) + GZIP_OVERHEAD_BYTES;
        let mut content = open(base, &format!("{}.gz", file.names()[0]), limit)?;
        receive(file, &mut content)?;
    }
    Ok(())
}

/// The file `name` under the URL `base`, up to `limit` bytes.
pub(super) fn open(base: &str, name: &str, limit: u64) -> Result<impl Read + use<>, SourceError> {
    let content = Stream::of(&mut download(base, name, limit))?;
    // curl knows a file's length only when the server tells it.
    Ok(content.take(limit))
}

/// The command that writes a file to stdout, or its reason not to to stderr.
fn download(base: &str, name: &str, limit: u64) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail"])
        .args(["--location", "--max-redirs", "5"])
        .args(["--proto", protocols(base)])
        .args(["--connect-timeout", &CONNECT_LIMIT_SECONDS.to_string()])
        .args(["--speed-limit", "1"])
        .args(["--speed-time", &SILENCE_LIMIT_SECONDS.to_string()])
        .args(["--max-time", &FILE_LIMIT_SECONDS.to_string()])
        .args(["--max-filesize", &limit.to_string()])
        .args([
            "--user-agent",
            concat!("burnish/", env!("CARGO_PKG_VERSION")),
        ])
        .args(["--output", "-", "--globoff", "--url"])
        .arg(format!("{base}{name}"));
    curl
}

/// What curl may speak, redirected or not: a secure mirror must not lead to
/// an insecure place.
fn protocols(base: &str) -> &'static str {
    if base.starts_with("http:") {
        "=http,https"
    } else {
        "=https"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_mirror_without_tls_may_be_left_for_one() {
        assert_eq!(protocols("https://mirror.example/"), "=https");
        assert_eq!(protocols("http://127.0.0.1:8000/"), "=http,https");
        assert_eq!(protocols("file:///srv/mirror/"), "=https");
    }
}
