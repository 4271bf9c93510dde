//! Versions, and what concerns the whole process.

use std::ffi::c_char;
use std::sync::OnceLock;

use super::error::drapto_error;
use super::pointers::quietly;
use super::shell::shell;
use crate::capi::failure::{Failure, drapto_code};

/// The binary interface this library has; `DRAPTO_ABI_VERSION` of its header.
pub(super) const ABI: u32 = 1;

/// The library's version, as `0.1.0`. The text lives as long as the process.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn drapto_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// Whether the library and the header a program was compiled with fit: call it first, with `DRAPTO_ABI_VERSION`.
///
/// Gives `DRAPTO_OK` or `DRAPTO_WRONG_VERSION`; `error` may be null.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_abi_check(abi_version: u32, error: *mut *mut drapto_error) -> drapto_code {
    // SAFETY: by the header's law.
    unsafe { shell(error, || expect_version("the program's header", abi_version, ABI)) }
}

/// Refuses another version than `known`.
pub(super) fn expect_version(what: &str, version: u32, known: u32) -> Result<(), Failure> {
    if version == known {
        return Ok(());
    }
    let message = format!("{what} is of version {version}, but this library knows {known}");
    Err(Failure::new(drapto_code::DRAPTO_WRONG_VERSION, message))
}

/// Silences the linked libraries' own logs (FFmpeg's and SVT-AV1's), for the whole process and for good.
///
/// drapto never does this by itself. Call it before the first job.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn drapto_quiet_libraries() {
    quietly((), drapto::process::quiet_libraries);
}

/// Is called around the opening of an encoder: with `true` before it allocates its memory, with `false` after.
pub type drapto_opening_hook = Option<unsafe extern "C-unwind" fn(opens: bool)>;

static HOOK: OnceLock<unsafe extern "C-unwind" fn(bool)> = OnceLock::new();

/// Has `hook` called around every opening of an encoder, never two at once, in the thread that opens.
///
/// SVT-AV1 2.3.0 reads memory it never wrote: a program that wants equal bytes of that version for all its encodes has
/// its allocator give out zeroed memory meanwhile, with glibc by `mallopt(M_PERTURB, 0xff)` and `mallopt(M_PERTURB, 0)`.
/// Only the first hook of a process counts; null is none. The function lives as long as the process.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn drapto_around_opening(hook: drapto_opening_hook) {
    let Some(hook) = hook else { return };
    quietly((), || {
        if HOOK.set(hook).is_ok() {
            drapto::process::around_opening(around);
        }
    });
}

fn around(opens: bool) {
    if let Some(hook) = HOOK.get() {
        // SAFETY: the caller promised that it lives as long as the process. A panic of it is not C's to see.
        quietly((), || unsafe { hook(opens) });
    }
}
