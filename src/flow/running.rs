//! A run: watched, waited for, ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::health::Health;
use super::meter::StageReport;
use super::run::{RunCore, RunHandle};
use super::watchdog::{Glance, Stall, Watchdog, is_culprit};
use crate::base::Result;

/// How long threads may take to notice that the run was stopped before they are left behind.
///
/// An encoder that is closed first finishes the pictures it holds; the program promises to stop within 5 s.
const GRACE: Duration = Duration::from_secs(3);

/// How often the run is looked at.
const TICK: Duration = Duration::from_millis(100);

/// The most that one look adds to the time a run stands still: more passed only if the process did not run.
const LONGEST: Duration = Duration::from_millis(200);

/// A run. Dropped without being waited for, it is cancelled; its threads end by themselves.
pub struct Running {
    core: Arc<RunCore>,
    threads: Vec<JoinHandle<()>>,
    waited: bool,
}

impl Running {
    pub(super) fn new(core: Arc<RunCore>, threads: Vec<JoinHandle<()>>) -> Self {
        Running { core, threads, waited: false }
    }

    /// A hold on the run for other threads.
    pub fn handle(&self) -> RunHandle {
        RunHandle(Arc::clone(&self.core))
    }

    /// How the run is at this moment.
    pub fn health(&self) -> Health {
        self.core.health()
    }

    /// See [`RunHandle::drain`].
    pub fn drain(&self) {
        self.handle().drain();
    }

    /// See [`RunHandle::cancel`].
    pub fn cancel(&self) {
        self.core.cancel.cancel();
    }

    /// Waits for all stages on this thread, calling `tick` about ten times a second; stops a run in which nothing moves
    /// for `stall_timeout`.
    ///
    /// # Errors
    /// The first error of a stage that is no consequence of another's; `Encode` for a stall, with the stages that hold
    /// everyone up; `Interrupted` when the run was cancelled.
    pub fn wait(mut self, stall_timeout: Duration, mut tick: impl FnMut(&Health)) -> Result<Vec<StageReport>> {
        self.waited = true;
        let start = Instant::now();
        let mut watchdog = Watchdog::new(stall_timeout, LONGEST, start.elapsed());
        let mut stopping: Option<Instant> = None;
        // Time in which the run was to wait is no time in which it stood still.
        let (mut paused, mut last) = (Duration::ZERO, Duration::ZERO);
        let count = self.threads.len();
        while !self.core.wait_for_end(count, TICK) && self.threads.iter().any(|thread| !thread.is_finished()) {
            let now = start.elapsed();
            if self.core.cancel.is_paused() {
                paused += now.saturating_sub(last);
            } else if stopping.is_none() {
                self.watch(&mut watchdog, now.saturating_sub(paused), stall_timeout);
            }
            last = now;
            tick(&self.core.health());
            if self.core.cancel.is_cancelled() && stopping.get_or_insert_with(Instant::now).elapsed() > GRACE {
                // A thread that hangs in a library cannot be ended; its memory stays until the process does.
                let hung = self.threads.iter().filter(|thread| !thread.is_finished()).count();
                tracing::error!(threads = hung, "threads did not stop and are left behind");
                self.threads.clear();
            }
        }
        for thread in self.threads.drain(..) {
            // A stage's own panic was caught and recorded.
            let _ = thread.join();
        }
        if let Some(error) = self.core.take_failure() {
            return Err(error);
        }
        self.core.cancel.check()?;
        Ok(self.core.meters().iter().map(|meter| meter.report()).collect())
    }

    /// Looks whether anything moved; stops a run that stood still for too long.
    fn watch(&self, watchdog: &mut Watchdog, now: Duration, limit: Duration) {
        let meters = self.core.meters();
        let glances: Vec<_> =
            meters.iter().map(|m| Glance { name: m.name(), doing: m.doing(), signs: m.signs() }).collect();
        watchdog.look(now, &glances);
        let uneasy = watchdog.is_uneasy();
        self.core.stalled.store(uneasy, Ordering::Relaxed);
        for (meter, glance) in meters.iter().zip(&glances) {
            meter.set_stalled(uneasy && is_culprit(glance, &glances));
        }
        if watchdog.is_stalled() {
            self.core.record(Stall::of(&glances, limit).into());
            self.core.cancel.cancel();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.waited {
            self.core.cancel.cancel();
        }
    }
}
