//! What a build without all features has in the place of some commands.

/// A command that this build leaves out.
#[derive(Debug, thiserror::Error)]
#[error("this build of `runtime` leaves out {0}")]
pub(crate) struct Absent(pub(crate) &'static str);

impl Absent {
    /// How to come by it.
    pub(crate) const HINT: &str = "`cargo install --path runtime` builds all of it";
}
