//! Events on their way to C.

use std::ffi::{CStr, c_char, c_void};

use crate::capi::job::Hear;

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
pub(super) fn hear(callback: drapto_event_callback, userdata: *mut c_void) -> Option<Hear> {
    let callback = callback?;
    let userdata = Userdata(userdata);
    Some(Box::new(move |job: u64, name: &CStr, json: &CStr| {
        let userdata = &userdata;
        // SAFETY: the caller of the function that took the callback promised that both live until the events end; the
        // texts live for the call.
        unsafe { callback(userdata.0, job, name.as_ptr(), json.as_ptr()) }
    }))
}
