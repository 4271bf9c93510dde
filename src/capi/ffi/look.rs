//! What is looked at and measured without an encode: answers are JSON.

use std::ffi::{c_char, c_void};

use super::callback::{drapto_event_callback, hear};
use super::error::drapto_error;
use super::pointers::{free, give, give_text, optional_text, path, place};
use super::shell::shell;
use crate::capi::failure::{Failure, drapto_code};
use crate::capi::job::{Callback, json};
use drapto::{CancelToken, Error, ErrorKind, VmafOptions};

/// A flag by which another thread stops a call that takes long. It belongs to the caller, who frees it by
/// `drapto_token_free` when no call uses it. Threads: any, several at a time.
pub struct drapto_token(CancelToken);

/// A token that is not cancelled. Never null. The caller frees it by `drapto_token_free`.
#[unsafe(no_mangle)]
pub extern "C" fn drapto_token_new() -> *mut drapto_token {
    give(drapto_token(CancelToken::new()))
}

/// Has every call that was given the token end with `DRAPTO_INTERRUPTED`. For good. Null is allowed.
///
/// Only sets a flag: it may be called from a callback and from a signal handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_token_cancel(token: *const drapto_token) {
    // SAFETY: by the header's law.
    if let Some(token) = unsafe { token.as_ref() } {
        token.0.cancel();
    }
}

/// Frees a token. Null is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_token_free(token: *mut drapto_token) {
    // SAFETY: by the header's law.
    unsafe { free(token) }
}

/// The caller's token; one of our own for null.
///
/// # Safety
/// `token` is null or points to a token that lives.
pub(super) unsafe fn cancel(token: *const drapto_token) -> CancelToken {
    // SAFETY: by the caller's promise.
    unsafe { token.as_ref() }.map(|token| token.0.clone()).unwrap_or_default()
}

/// What a file holds: streams, colour, HDR and Dolby Vision, chapters, and with `with_crop` its black bars; the object of
/// `drapto probe --json`.
///
/// Waits for as long as it takes to read; `token` may be null. Memory: the caller frees `*json` by `drapto_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_probe_json(
    input: *const c_char,
    with_crop: bool,
    token: *const drapto_token,
    json_text: *mut *mut c_char,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (place, input, cancel) = unsafe { (place(json_text, "json_text")?, path(input, "input")?, cancel(token)) };
        *place = give_text(json(&drapto::inspect(&input, with_crop, &cancel)?)?);
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// The picture within its black bars: `width`, `height`, `x`, `y`, `confidence`, `samples`; the object of
/// `drapto crop --json`.
///
/// Waits for as long as it takes; `token` may be null. Memory: the caller frees `*json` by `drapto_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_crop_json(
    input: *const c_char,
    token: *const drapto_token,
    json_text: *mut *mut c_char,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (place, input, cancel) = unsafe { (place(json_text, "json_text")?, path(input, "input")?, cancel(token)) };
        *place = give_text(json(&drapto::crop(&input, &cancel)?)?);
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// Where a film would be cut into chunks of about `chunk_seconds`, and its scenes; the object of `drapto scenes --json`.
///
/// Waits for as long as it takes to decode the film; `token` may be null. Memory: the caller frees `*json` by
/// `drapto_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_scenes_json(
    input: *const c_char,
    chunk_seconds: f64,
    token: *const drapto_token,
    json_text: *mut *mut c_char,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (place, input, cancel) = unsafe { (place(json_text, "json_text")?, path(input, "input")?, cancel(token)) };
        *place = give_text(json(&drapto::scenes(&input, chunk_seconds, &cancel)?)?);
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// Scores `distorted` against `reference`; the object of `drapto vmaf --json`.
///
/// `stride`: each how many-th frame is scored; 0 scores all; even ones read too high. `model`: null takes the one for the
/// size. Progress goes to `callback` (which may be null) with job 0, until the call returns. Waits for as long as it
/// takes; `token` may be null. Memory: the caller frees `*json` by `drapto_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_vmaf_json(
    reference: *const c_char,
    distorted: *const c_char,
    stride: u32,
    model: *const c_char,
    callback: drapto_event_callback,
    userdata: *mut c_void,
    token: *const drapto_token,
    json_text: *mut *mut c_char,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (place, reference, distorted) =
            unsafe { (place(json_text, "json_text")?, path(reference, "reference")?, path(distorted, "distorted")?) };
        // SAFETY: by the header's law.
        let (model, cancel) = unsafe { (optional_text(model, "model")?.map(str::to_owned), cancel(token).child()) };
        let options = VmafOptions { stride: (stride > 0).then_some(stride), model };
        let (sink, over) = Callback::new(hear(callback, userdata), &cancel);
        let scores = drapto::vmaf(&reference, &distorted, &options, &sink, &cancel);
        let scores = over.failure().map_or_else(|| scores.map_err(Failure::from), Err)?;
        *place = give_text(json(&scores)?);
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// Checks `output` against `source`; the object of `drapto verify --json`.
///
/// Gives `DRAPTO_VERIFICATION` where a check fails, and the object with it. Waits for as long as it takes; `token` may be
/// null. Memory: the caller frees `*json` by `drapto_string_free`, also after `DRAPTO_VERIFICATION`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_verify_json(
    source: *const c_char,
    output: *const c_char,
    token: *const drapto_token,
    json_text: *mut *mut c_char,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (place, source, output, cancel) = unsafe {
            (place(json_text, "json_text")?, path(source, "source")?, path(output, "output")?, cancel(token))
        };
        let verification = drapto::verify(&source, &output, &cancel)?;
        *place = give_text(json(&verification)?);
        match verification.first_failure() {
            None => Ok(()),
            Some(why) => Err(Error::new(ErrorKind::Verification, why).with_file(&output).into()),
        }
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}
