//! One file for each command, and what stands for those that a build leaves out.

mod absent;
pub(crate) mod bench;
pub(crate) mod eval;
pub(crate) mod inspect;
#[cfg_attr(not(feature = "pictures"), path = "no_predict.rs")]
pub(crate) mod predict;
pub(crate) mod setup;
pub(crate) mod verify_signature;

pub(crate) use absent::Absent;
