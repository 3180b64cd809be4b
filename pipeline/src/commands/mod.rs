//! The commands, a file each.

pub(crate) mod dag;
pub(crate) mod data;
pub(crate) mod diff;
pub(crate) mod init;
pub(crate) mod model;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod sign;
pub(crate) mod status;
pub(crate) mod sweep;
