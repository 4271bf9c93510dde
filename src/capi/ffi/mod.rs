//! The entry points: thin shells, and the only unsafe code of this room.
//!
//! Law of every shell: `*error` and every `*out` are set to null first; then pointers and versions are checked; the safe
//! twin runs within `catch_unwind`; nothing is handed out unless the call gives `DRAPTO_OK` (or says otherwise).
#![allow(non_camel_case_types)]

mod error;
mod frames;
#[cfg(test)]
mod frames_tests;
mod job;
mod look;
mod request;
#[cfg(test)]
mod tests;
mod version;

use std::ffi::{CStr, CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use super::failure::{Failure, c_string, drapto_code};
use super::job::Hear;
use error::drapto_error;

/// Runs a safe twin: panics stay in, a failure becomes a code and, where `error` is not null, an object.
///
/// # Safety
/// `error` is null or may be written.
unsafe fn shell(error: *mut *mut drapto_error, twin: impl FnOnce() -> Result<(), Failure>) -> drapto_code {
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

/// A shell for what cannot fail: what it gives after a panic is `otherwise`.
fn quietly<T>(otherwise: T, twin: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(twin)).unwrap_or(otherwise)
}

fn null(name: &str) -> Failure {
    Failure::usage(format!("{name} is null"))
}

/// What `pointer` points to.
///
/// # Safety
/// `pointer` is null or points to a `T` that lives and is not written during the call.
unsafe fn given<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Failure> {
    // SAFETY: by the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// What `pointer` points to, to be changed.
///
/// # Safety
/// `pointer` is null or points to a `T` that nobody else uses during the call.
unsafe fn given_mut<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T, Failure> {
    // SAFETY: by the caller's promise.
    unsafe { pointer.as_mut() }.ok_or_else(|| null(name))
}

/// Where a result goes; null until there is one.
///
/// # Safety
/// `pointer` is null or may be written.
unsafe fn place<'a, T>(pointer: *mut *mut T, name: &str) -> Result<&'a mut *mut T, Failure> {
    // SAFETY: by the caller's promise.
    let place = unsafe { given_mut(pointer, name)? };
    *place = std::ptr::null_mut();
    Ok(place)
}

/// Takes back what [`give`] gave.
///
/// # Safety
/// `pointer` is null or came from [`give`] and was not taken back before.
unsafe fn free<T>(pointer: *mut T) {
    if !pointer.is_null() {
        // SAFETY: by the caller's promise it is a Box of ours.
        quietly((), || drop(unsafe { Box::from_raw(pointer) }));
    }
}

/// Hands an object to C, which frees it by the function of its type.
fn give<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

/// Hands text to C, which frees it by `drapto_string_free`.
fn give_text(text: impl Into<Vec<u8>>) -> *mut c_char {
    c_string(text).into_raw()
}

/// A name or value.
///
/// # Safety
/// `pointer` is null or points to text that ends with a zero byte and is not written during the call.
unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str, Failure> {
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
unsafe fn optional_text<'a>(pointer: *const c_char, name: &str) -> Result<Option<&'a str>, Failure> {
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
unsafe fn path(pointer: *const c_char, name: &str) -> Result<PathBuf, Failure> {
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

/// Receives events.
///
/// `name` is the event's name (`started`, `stage`, `progress`, `resumed`, `chunk`, `warning`, `finished`; later versions
/// may add some), `json` the whole event as an object with `event` and `job`. Both belong to the library and end with
/// the call.
///
/// Threads: called from threads of the library, several at a time for one job, never from the one that started it.
/// It must be quick and must not wait for the job. It may cancel it.
pub type drapto_event_callback =
    Option<unsafe extern "C-unwind" fn(userdata: *mut c_void, job: u64, name: *const c_char, json: *const c_char)>;

/// The caller's pointer, on its way to other threads.
struct Userdata(*mut c_void);

// SAFETY: the library only passes it on; the header says that the callback is called from other threads, several at a
// time, and the caller's promise to be ready for that is part of giving one.
unsafe impl Send for Userdata {}
// SAFETY: as above.
unsafe impl Sync for Userdata {}

/// The callback as a safe function.
fn hear(callback: drapto_event_callback, userdata: *mut c_void) -> Option<Hear> {
    let callback = callback?;
    let userdata = Userdata(userdata);
    Some(Box::new(move |job: u64, name: &CStr, json: &CStr| {
        let userdata = &userdata;
        // SAFETY: the caller of the function that took the callback promised that both live until the events end; the
        // texts live for the call.
        unsafe { callback(userdata.0, job, name.as_ptr(), json.as_ptr()) }
    }))
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
