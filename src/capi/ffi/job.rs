//! Jobs.

use std::ffi::{c_char, c_void};
use std::time::Duration;

use super::callback::{drapto_event_callback, hear};
use super::error::drapto_error;
use super::pointers::{free, give, give_text, given, place, quietly};
use super::request::drapto_request;
use super::shell::shell;
use crate::capi::failure::drapto_code;
use crate::capi::job::{HeldJob, json};
use drapto::RunState;

/// The state of a job.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum drapto_state {
    /// It has not begun.
    DRAPTO_STATE_IDLE = 0,
    /// Frames flow.
    DRAPTO_STATE_RUNNING = 1,
    /// What is in flight is finished, or what was written is verified.
    DRAPTO_STATE_DRAINING = 2,
    /// Nothing has moved for long.
    DRAPTO_STATE_STALLED = 3,
    /// It failed.
    DRAPTO_STATE_ERROR = 4,
    /// It ended, or was cancelled.
    DRAPTO_STATE_STOPPED = 5,
}

impl From<RunState> for drapto_state {
    fn from(state: RunState) -> Self {
        match state {
            RunState::Idle => Self::DRAPTO_STATE_IDLE,
            RunState::Running => Self::DRAPTO_STATE_RUNNING,
            RunState::Draining => Self::DRAPTO_STATE_DRAINING,
            RunState::Stalled => Self::DRAPTO_STATE_STALLED,
            RunState::Error => Self::DRAPTO_STATE_ERROR,
            RunState::Stopped => Self::DRAPTO_STATE_STOPPED,
        }
    }
}

/// A job that was started. It belongs to the caller, who frees it by `drapto_job_free`.
///
/// Threads: any, also several at a time, save for `drapto_job_free`.
pub struct drapto_job(HeldJob);

/// Checks `request` and starts a thread that carries it out.
///
/// Events go to `callback` (which may be null) with `userdata`, from threads of the library, until `drapto_job_wait`
/// gives something else than `DRAPTO_TIMEOUT` or `drapto_job_free` returns. Gives `DRAPTO_USAGE` for requests that cannot
/// be. Memory: the request is copied and can be freed or changed; callback and userdata stay the caller's and live until
/// the events end; the caller frees `*job`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_start(
    request: *const drapto_request,
    callback: drapto_event_callback,
    userdata: *mut c_void,
    job: *mut *mut drapto_job,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (place, request) = unsafe { (place(job, "job")?, given(request, "request")?) };
        *place = give(drapto_job(HeldJob::start(request.inner().clone(), hear(callback, userdata))?));
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// The job's number, as its events carry it: from 1 on; 0 for null.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_job_id(job: *const drapto_job) -> u64 {
    // SAFETY: by the header's law.
    unsafe { job.as_ref() }.map_or(0, |job| job.0.id())
}

/// The job's state at this moment; `DRAPTO_STATE_ERROR` for null. Does not wait.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_job_state(job: *const drapto_job) -> drapto_state {
    let otherwise = drapto_state::DRAPTO_STATE_ERROR;
    // SAFETY: by the header's law.
    let job = unsafe { job.as_ref() };
    quietly(otherwise, || job.and_then(|job| job.0.health().ok()).map_or(otherwise, |h| h.state.into()))
}

/// Whether `drapto_job_wait` would return at once; `true` for null.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_job_is_finished(job: *const drapto_job) -> bool {
    // SAFETY: by the header's law.
    let job = unsafe { job.as_ref() };
    quietly(true, || job.is_none_or(|job| job.0.is_finished()))
}

/// How the job is: a JSON object with `state` and `stages` (`name`, `items`, `mean_s`, `queue_depth`, `queue_capacity`,
/// `blocked_in_s`, `blocked_out_s`, `stalled`, `back_pressured`). Does not wait.
///
/// Memory: the caller frees `*json_text` by `drapto_string_free`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_job_health_json(
    job: *const drapto_job,
    json_text: *mut *mut c_char,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (place, job) = unsafe { (place(json_text, "json_text")?, given(job, "job")?) };
        *place = give_text(json(&job.0.health()?)?);
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// Asks the job to stop; it ends within seconds with `DRAPTO_INTERRUPTED` and can be started again. Null is allowed.
///
/// Only sets a flag: it may be called from a callback and from a signal handler.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_job_cancel(job: *const drapto_job) {
    // SAFETY: by the header's law.
    if let Some(job) = unsafe { job.as_ref() } {
        job.0.cancel();
    }
}

/// Waits until the job has ended, at most `timeout_ms` milliseconds; a negative number waits for as long as it takes.
///
/// Gives `DRAPTO_OK` and the report (a JSON object, that of `drapto encode --report`) once every output is verified and
/// in place; `DRAPTO_TIMEOUT` while it runs; `DRAPTO_SKIPPED` where a rule left the film alone; `DRAPTO_PANIC` after a
/// panic in the callback; else why it failed. It can be called again, with the same answer. `report` may be null.
/// Memory: the caller frees `*report` by `drapto_string_free`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_job_wait(
    job: *const drapto_job,
    timeout_ms: i64,
    report: *mut *mut c_char,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        let report = match report.is_null() {
            true => None,
            // SAFETY: by the header's law.
            false => Some(unsafe { place(report, "report")? }),
        };
        // SAFETY: by the header's law.
        let job = unsafe { given(job, "job")? };
        let text = job.0.wait(u64::try_from(timeout_ms).ok().map(Duration::from_millis))?;
        if let Some(report) = report {
            *report = give_text(text);
        }
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// Cancels the job if it runs, waits until it has ended, and frees it. Null is allowed.
///
/// No event comes after it. From the job's own callback it cannot wait: there it cancels only, and events may follow.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_job_free(job: *mut drapto_job) {
    // SAFETY: by the header's law.
    unsafe { free(job) }
}
