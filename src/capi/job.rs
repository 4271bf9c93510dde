//! A job as C holds it: any thread may ask, wait and cancel, and again after the end.

use std::cell::Cell;
use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::failure::{Failure, c_string, drapto_code, panic_text};
use drapto::{CancelToken, EncodeRequest, Error, Event, Health, JobEvent, JobHandle, JobId, Outcome, Sink};

thread_local! {
    /// Whether this thread is within a callback.
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is within a callback, where waiting would be for itself.
pub(super) fn in_callback() -> bool {
    IN_CALLBACK.get()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// JSON of a value of the public API.
pub(super) fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|e| Failure::new(drapto_code::DRAPTO_ENCODE, format!("cannot write this as JSON: {e}")))
}

/// What the caller gave to hear events: job, name, JSON.
pub(super) type Hear = Box<dyn Fn(u64, &CStr, &CStr) + Send + Sync>;

/// Brings events to the caller. It is dropped when no more come.
pub(super) struct Callback {
    hear: Option<Hear>,
    /// Cancelled when the callback panics.
    cancel: CancelToken,
    over: Arc<Over>,
}

/// What is known of a callback from outside.
#[derive(Default)]
pub(super) struct Over {
    ended: Mutex<bool>,
    changed: Condvar,
    /// What the callback's panic said.
    panic: OnceLock<String>,
}

impl Over {
    fn is(&self) -> bool {
        *lock(&self.ended)
    }

    /// Waits for the end; `false` once the time is up.
    fn wait(&self, timeout: Option<Duration>) -> bool {
        let until = timeout.and_then(|t| Instant::now().checked_add(t));
        let mut ended = lock(&self.ended);
        while !*ended {
            let Some(until) = until else {
                ended = self.changed.wait(ended).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            ended = self.changed.wait_timeout(ended, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// The failure of a callback that panicked.
    pub(super) fn failure(&self) -> Option<Failure> {
        let text = self.panic.get()?;
        Some(Failure::new(drapto_code::DRAPTO_PANIC, format!("the callback panicked: {text}")))
    }
}

impl Callback {
    pub(super) fn new(hear: Option<Hear>, cancel: &CancelToken) -> (Self, Arc<Over>) {
        let over = Arc::new(Over::default());
        (Callback { hear, cancel: cancel.clone(), over: Arc::clone(&over) }, over)
    }
}

impl Sink for Callback {
    fn event(&self, event: &Event) {
        self.job_event(JobId(0), event);
    }

    fn job_event(&self, job: JobId, event: &Event) {
        let Some(hear) = self.hear.as_ref().filter(|_| self.over.panic.get().is_none()) else { return };
        let Ok(value) = serde_json::to_value(JobEvent { event, job }) else { return };
        let name = c_string(value["event"].as_str().unwrap_or_default());
        let text = c_string(value.to_string());
        let outer = IN_CALLBACK.replace(true);
        let heard = catch_unwind(AssertUnwindSafe(|| hear(job.0, &name, &text)));
        IN_CALLBACK.set(outer);
        if let Err(panic) = heard {
            // The first panic is the one to tell of.
            let _ = self.over.panic.set(panic_text(panic.as_ref()));
            self.cancel.cancel();
        }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        *lock(&self.over.ended) = true;
        self.over.changed.notify_all();
    }
}

/// How a job ended.
struct Ended {
    outcome: Result<String, Failure>,
    health: Health,
}

/// A job that was started.
pub(super) struct HeldJob {
    id: u64,
    cancel: CancelToken,
    over: Arc<Over>,
    /// Until it is joined.
    handle: Mutex<Option<JobHandle>>,
    ended: OnceLock<Ended>,
}

impl HeldJob {
    pub(super) fn start(request: EncodeRequest, hear: Option<Hear>) -> Result<Self, Failure> {
        let cancel = CancelToken::new();
        let (callback, over) = Callback::new(hear, &cancel);
        let handle = drapto::start_with(request, Arc::new(callback), &cancel)?;
        let id = handle.id().0;
        Ok(HeldJob { id, cancel, over, handle: Mutex::new(Some(handle)), ended: OnceLock::new() })
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn cancel(&self) {
        self.cancel.cancel();
    }

    pub(super) fn is_finished(&self) -> bool {
        self.over.is()
    }

    pub(super) fn health(&self) -> Result<Health, Failure> {
        let handle = lock(&self.handle);
        let now = handle.as_ref().map(JobHandle::health);
        let health = now.or_else(|| self.ended.get().map(|ended| ended.health.clone()));
        health.ok_or_else(|| Failure::new(drapto_code::DRAPTO_PANIC, "the job was lost"))
    }

    /// The report as JSON. `None` waits for as long as it takes.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> Result<String, Failure> {
        if in_callback() {
            return Err(Failure::usage("a callback cannot wait for a job: it would wait for itself"));
        }
        if !self.over.wait(timeout) {
            return Err(Failure::new(drapto_code::DRAPTO_TIMEOUT, "the job has not ended yet"));
        }
        let mut handle = lock(&self.handle);
        if let Some(running) = handle.take() {
            // The job set its last state before it let go of its callback.
            let health = running.health();
            let outcome = running.wait().map_err(Failure::from).and_then(told);
            let outcome = self.over.failure().map_or(outcome, Err);
            let _ = self.ended.set(Ended { outcome, health });
        }
        match self.ended.get() {
            Some(ended) => ended.outcome.clone(),
            None => Err(Failure::new(drapto_code::DRAPTO_PANIC, "the job was lost")),
        }
    }
}

impl Drop for HeldJob {
    /// No event comes after this, unless it is called from a callback: then the job ends by itself.
    fn drop(&mut self) {
        self.cancel.cancel();
        if !in_callback() {
            let _ = self.wait(None);
        }
    }
}

/// The report; a rule that left the film alone is a failure with its own code.
fn told(outcome: Outcome) -> Result<String, Failure> {
    match outcome {
        Outcome::Done(report) => json(&report),
        Outcome::Skipped(reason) => Err(Error::from(reason).into()),
    }
}
