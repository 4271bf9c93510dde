//! What every entry point is wrapped in.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::drapto_error;
use crate::capi::failure::{Failure, drapto_code};

/// Runs a safe twin: panics stay in, a failure becomes a code and, where `error` is not null, an object.
///
/// # Safety
/// `error` is null or may be written.
pub(super) unsafe fn shell(error: *mut *mut drapto_error, twin: impl FnOnce() -> Result<(), Failure>) -> drapto_code {
    // SAFETY: by the caller's promise.
    let slot = unsafe { error.as_mut() };
    let done = catch_unwind(AssertUnwindSafe(twin)).unwrap_or_else(|panic| Err(Failure::panic(panic.as_ref())));
    let (code, failure) = match done {
        Ok(()) => (drapto_code::DRAPTO_OK, None),
        Err(failure) => (failure.code, Some(failure)),
    };
    if let Some(slot) = slot {
        *slot = failure.map_or(std::ptr::null_mut(), drapto_error::into_raw);
    }
    code
}
