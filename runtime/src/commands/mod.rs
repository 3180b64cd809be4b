//! One file for each command.

pub(crate) mod bench;
pub(crate) mod eval;
pub(crate) mod inspect;
pub(crate) mod predict;
pub(crate) mod setup;
pub(crate) mod verify_signature;
