//! In the place of plots, in builds without them.

use std::path::Path;

use super::report::ThroughputRow;
use crate::commands::Absent;

/// There is none.
#[derive(Debug, Clone)]
pub(super) enum File {}

impl File {
    pub(super) fn parse(_: &str) -> Result<Self, String> {
        let absent = Absent("plots (the feature `plot`)");
        Err(format!("{absent}; {}", Absent::HINT))
    }

    pub(super) fn path(&self) -> &Path {
        match *self {}
    }

    pub(super) fn write(&self, _: &[ThroughputRow]) -> anyhow::Result<()> {
        match *self {}
    }
}
