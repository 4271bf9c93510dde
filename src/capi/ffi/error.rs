//! Error objects.

use std::ffi::{CString, c_char};

use super::pointers::{free, give, quietly};
use crate::capi::failure::{Failure, drapto_code};

/// What went wrong and where. It belongs to the caller, who frees it by `drapto_error_free`.
///
/// Every accessor takes null and answers as an error without that part. Texts belong to the object and end with it.
/// Threads: any, also several at a time.
pub struct drapto_error(Failure);

impl drapto_error {
    pub(super) fn into_raw(failure: Failure) -> *mut Self {
        give(drapto_error(failure))
    }
}

/// A part of an error; `otherwise` for null.
///
/// # Safety
/// `error` is null or points to an error that lives.
unsafe fn part<T>(error: *const drapto_error, otherwise: T, part: impl FnOnce(&Failure) -> Option<T>) -> T {
    // SAFETY: by the caller's promise.
    let found = unsafe { error.as_ref() }.and_then(|error| quietly(None, || part(&error.0)));
    found.unwrap_or(otherwise)
}

fn pointer(text: Option<&CString>) -> Option<*const c_char> {
    text.map(|text| text.as_ptr())
}

/// The code the call gave; `DRAPTO_OK` for null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_error_code(error: *const drapto_error) -> drapto_code {
    // SAFETY: by the header's law.
    unsafe { part(error, drapto_code::DRAPTO_OK, |e| Some(e.code)) }
}

/// The whole sentence: place, message, causes. Empty for null, never null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_error_text(error: *const drapto_error) -> *const c_char {
    // SAFETY: by the header's law.
    unsafe { part(error, c"".as_ptr(), |e| pointer(Some(&e.text))) }
}

/// What went wrong, without the place and the causes. Empty for null, never null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_error_message(error: *const drapto_error) -> *const c_char {
    // SAFETY: by the header's law.
    unsafe { part(error, c"".as_ptr(), |e| pointer(Some(&e.message))) }
}

/// The file it is about; null where it is about none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_error_file(error: *const drapto_error) -> *const c_char {
    // SAFETY: by the header's law.
    unsafe { part(error, std::ptr::null(), |e| pointer(e.file.as_ref())) }
}

/// The stage that failed; null where none did.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_error_stage(error: *const drapto_error) -> *const c_char {
    // SAFETY: by the header's law.
    unsafe { part(error, std::ptr::null(), |e| pointer(e.stage.as_ref())) }
}

/// The stream, by its index in the source; -1 where it is about none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_error_stream(error: *const drapto_error) -> i64 {
    // SAFETY: by the header's law.
    unsafe { part(error, -1, |e| e.stream.and_then(|n| i64::try_from(n).ok())) }
}

/// The chunk, by its position in the film; -1 where it is about none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_error_chunk(error: *const drapto_error) -> i64 {
    // SAFETY: by the header's law.
    unsafe { part(error, -1, |e| e.chunk.and_then(|n| i64::try_from(n).ok())) }
}

/// Whether the error has a time in its stream: `*ticks` of `*num / *den` seconds each.
///
/// Without one, nothing is written. Each of the three may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_error_time(
    error: *const drapto_error,
    ticks: *mut i64,
    num: *mut i32,
    den: *mut i32,
) -> bool {
    // SAFETY: by the header's law.
    let Some(time) = (unsafe { part(error, None, |e| Some(e.time)) }) else { return false };
    // SAFETY: the caller gave null or what may be written.
    if let Some(ticks) = unsafe { ticks.as_mut() } {
        *ticks = time.ticks();
    }
    // SAFETY: as above.
    if let Some(num) = unsafe { num.as_mut() } {
        *num = time.base().num();
    }
    // SAFETY: as above.
    if let Some(den) = unsafe { den.as_mut() } {
        *den = time.base().den();
    }
    true
}

/// Frees an error. Null is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_error_free(error: *mut drapto_error) {
    // SAFETY: by the header's law.
    unsafe { free(error) }
}
