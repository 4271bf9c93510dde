//! Pointers and text, in and out.

use std::ffi::{CStr, CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use crate::capi::failure::{Failure, c_string};

/// A shell for what cannot fail: what it gives after a panic is `otherwise`.
pub(super) fn quietly<T>(otherwise: T, twin: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(twin)).unwrap_or(otherwise)
}

fn null(name: &str) -> Failure {
    Failure::usage(format!("{name} is null"))
}

/// What `pointer` points to.
///
/// # Safety
/// `pointer` is null or points to a `T` that lives and is not written during the call.
pub(super) unsafe fn given<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Failure> {
    // SAFETY: by the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// What `pointer` points to, to be changed.
///
/// # Safety
/// `pointer` is null or points to a `T` that nobody else uses during the call.
pub(super) unsafe fn given_mut<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T, Failure> {
    // SAFETY: by the caller's promise.
    unsafe { pointer.as_mut() }.ok_or_else(|| null(name))
}

/// Where a result goes; null until there is one.
///
/// # Safety
/// `pointer` is null or may be written.
pub(super) unsafe fn place<'a, T>(pointer: *mut *mut T, name: &str) -> Result<&'a mut *mut T, Failure> {
    // SAFETY: by the caller's promise.
    let place = unsafe { given_mut(pointer, name)? };
    *place = std::ptr::null_mut();
    Ok(place)
}

/// Takes back what [`give`] gave.
///
/// # Safety
/// `pointer` is null or came from [`give`] and was not taken back before.
pub(super) unsafe fn free<T>(pointer: *mut T) {
    if !pointer.is_null() {
        // SAFETY: by the caller's promise it is a Box of ours.
        quietly((), || drop(unsafe { Box::from_raw(pointer) }));
    }
}

/// Hands an object to C, which frees it by the function of its type.
pub(super) fn give<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

/// Hands text to C, which frees it by `drapto_string_free`.
pub(super) fn give_text(text: impl Into<Vec<u8>>) -> *mut c_char {
    c_string(text).into_raw()
}

/// A name or value.
///
/// # Safety
/// `pointer` is null or points to text that ends with a zero byte and is not written during the call.
pub(super) unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str, Failure> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: not null, the rest by the caller's promise.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|_| Failure::usage(format!("{name} is no UTF-8")))
}

/// As [`text`], where null means that there is none.
///
/// # Safety
/// As for [`text`].
pub(super) unsafe fn optional_text<'a>(pointer: *const c_char, name: &str) -> Result<Option<&'a str>, Failure> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: by the caller's promise.
    unsafe { text(pointer, name) }.map(Some)
}

/// A path: any bytes where the system's paths are bytes, UTF-8 elsewhere.
///
/// # Safety
/// As for [`text`].
pub(super) unsafe fn path(pointer: *const c_char, name: &str) -> Result<PathBuf, Failure> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        if pointer.is_null() {
            return Err(null(name));
        }
        // SAFETY: not null, the rest by the caller's promise.
        let bytes = unsafe { CStr::from_ptr(pointer) }.to_bytes();
        Ok(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
    }
    #[cfg(not(unix))]
    // SAFETY: by the caller's promise.
    unsafe { text(pointer, name) }.map(PathBuf::from)
}

/// Frees text that a function gave out as `char *`.
///
/// Null is allowed. Memory: `text` came from this library and was not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_string_free(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: by the caller's promise it came from `give_text`.
        quietly((), || drop(unsafe { CString::from_raw(text) }));
    }
}
