//! In the place of `runtime predict`, in builds without pictures.

use std::error::Error;
use std::ffi::OsString;

use super::Absent;

/// Not in this build: tell what pictures show
#[derive(Debug, clap::Args)]
#[command(hide = true, disable_help_flag = true)]
pub(crate) struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _all: Vec<OsString>,
}

pub(crate) fn run(_: &Args) -> anyhow::Result<()> {
    Err(Absent("`predict` (the feature `pictures`)").into())
}

/// Whether an error is one of this command that the user can fix.
pub(crate) fn is_refusal(_: &(dyn Error + 'static)) -> bool {
    false
}
