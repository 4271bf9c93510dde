//! Requests.

use std::ffi::c_char;

use super::error::drapto_error;
use super::pointers::{free, give, give_text, given, given_mut, path, place, text};
use super::shell::shell;
use crate::capi::failure::drapto_code;
use crate::capi::job::json;
use crate::capi::listing;
use drapto::EncodeRequest;

/// One film to encode into one or more files. It belongs to the caller, who frees it by `drapto_request_free`.
///
/// Threads: any, one at a time.
pub struct drapto_request(EncodeRequest);

impl drapto_request {
    pub(super) fn inner(&self) -> &EncodeRequest {
        &self.0
    }
}

/// A request to encode `input` into `output` with default settings.
///
/// Memory: the paths are copied; the caller frees `*request`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_request_new(
    input: *const c_char,
    output: *const c_char,
    request: *mut *mut drapto_request,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (place, input, output) =
            unsafe { (place(request, "request")?, path(input, "input")?, path(output, "output")?) };
        *place = give(drapto_request(EncodeRequest::new(input, output)));
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// Reads a request: `{"version": 1, "input": "film.mkv", "outputs": [{"path": "film.av1.mkv"}],
/// "settings": {"quality.target_vmaf": 93}}`.
///
/// Gives `DRAPTO_USAGE` for what is no request. Memory: `json_text` is copied; the caller frees `*request`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_request_from_json(
    json_text: *const c_char,
    request: *mut *mut drapto_request,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (place, json) = unsafe { (place(request, "request")?, text(json_text, "json_text")?) };
        *place = give(drapto_request(EncodeRequest::from_json(json)?));
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// Writes the request as `drapto_request_from_json` reads it.
///
/// Memory: the caller frees `*json` by `drapto_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_request_to_json(
    request: *const drapto_request,
    json: *mut *mut c_char,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (place, request) = unsafe { (place(json, "json")?, given(request, "request")?) };
        *place = give_text(request.0.to_json()?);
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// Adds a file to write; `*index`, which may be null, is its number for `drapto_request_set_for`. The first has 0.
///
/// Memory: the path is copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_request_add_output(
    request: *mut drapto_request,
    output: *const c_char,
    index: *mut usize,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (request, output) = unsafe { (given_mut(request, "request")?, path(output, "output")?) };
        let added = request.0.add_output(output);
        // SAFETY: by the header's law.
        if let Some(index) = unsafe { index.as_mut() } {
            *index = added;
        }
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// Sets a setting of all outputs by name, as `("quality.target_vmaf", "93")`. All there are: `drapto_settings_json`.
///
/// Gives `DRAPTO_USAGE` for names and values there are not. Memory: both texts are copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_request_set(
    request: *mut drapto_request,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (request, name, value) =
            unsafe { (given_mut(request, "request")?, text(name, "name")?, text(value, "value")?) };
        Ok(request.0.set(name, value)?)
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// Sets a setting of one output; it goes before those of all.
///
/// Gives `DRAPTO_USAGE` for names, values and outputs there are not. Memory: both texts are copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_request_set_for(
    request: *mut drapto_request,
    output: usize,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (request, name, value) =
            unsafe { (given_mut(request, "request")?, text(name, "name")?, text(value, "value")?) };
        Ok(request.0.set_for(output, name, value)?)
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// A setting of the first output as a run would use it; `*value` is null where it is made up during the run or nothing
/// is set.
///
/// Gives `DRAPTO_USAGE` for names there are not and settings that cannot be together. Memory: the caller frees `*value`
/// by `drapto_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_request_get(
    request: *const drapto_request,
    name: *const c_char,
    value: *mut *mut c_char,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (place, request, name) =
            unsafe { (place(value, "value")?, given(request, "request")?, text(name, "name")?) };
        *place = request.0.get(name)?.map_or(std::ptr::null_mut(), give_text);
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// Checks a request without looking at its files; `*warnings` becomes a JSON array of sentences about what was set and
/// has no meaning.
///
/// Gives `DRAPTO_USAGE` for requests that cannot be. Memory: the caller frees `*warnings` by `drapto_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_request_check(
    request: *const drapto_request,
    warnings: *mut *mut c_char,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (place, request) = unsafe { (place(warnings, "warnings")?, given(request, "request")?) };
        *place = give_text(json(&request.0.check()?)?);
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// Frees a request. Null is allowed. Jobs that were started from it go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_request_free(request: *mut drapto_request) {
    // SAFETY: by the header's law.
    unsafe { free(request) }
}

/// All settings as a JSON array of objects with `name`, `group`, `key`, `flag`, `environment`, `type` (`number`, `whole`,
/// `one_of`, `switch`, `size`, `parameters`, `text`), `min`, `max`, `words`, `unit`, `default`, `help`, `example` and
/// `needs_target`.
///
/// Memory: the caller frees `*json` by `drapto_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drapto_settings_json(json: *mut *mut c_char, error: *mut *mut drapto_error) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let place = unsafe { place(json, "json")? };
        *place = give_text(listing::settings().to_string());
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}
