//! What to do about the errors of this crate and of `signing`.

use std::error::Error;

use crate::{EvaluateError, MetadataError, SessionError, library};

/// What the user can do about `error`, if it is one of this crate or of `signing`
/// that has more to say than its message.
pub fn hint(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<library::Error>() {
        return Some(error.hint());
    }
    if let Some(error) = error.downcast_ref::<library::FetchError>() {
        return Some(error.hint());
    }
    if let Some(error) = error.downcast_ref::<signing::Error>() {
        return error.hint();
    }
    if let Some(error) = error.downcast_ref::<MetadataError>() {
        return error.hint();
    }
    if let Some(EvaluateError::Session(error)) = error.downcast_ref::<EvaluateError>() {
        return error.hint();
    }
    error.downcast_ref::<SessionError>()?.hint()
}
