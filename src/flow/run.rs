//! What the stages of one run share: its token, its first error, its health.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::health::{Health, RunState};
use super::meter::{Doing, Gauge, StageMeter};
use crate::base::{CancelToken, Error, ErrorKind};

/// One run.
pub(super) struct RunCore {
    pub(super) cancel: CancelToken,
    draining: AtomicBool,
    pub(super) stalled: AtomicBool,
    failed: AtomicBool,
    failure: Mutex<Option<Error>>,
    meters: Mutex<Vec<Arc<StageMeter>>>,
    inboxes: Mutex<Vec<Weak<dyn Gauge>>>,
    gate: Mutex<Gate>,
    moved: Condvar,
}

#[derive(Default)]
struct Gate {
    open: bool,
    ended: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RunCore {
    pub(super) fn new(cancel: CancelToken) -> Arc<Self> {
        Arc::new(RunCore {
            cancel,
            draining: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            failure: Mutex::default(),
            meters: Mutex::default(),
            inboxes: Mutex::default(),
            gate: Mutex::default(),
            moved: Condvar::new(),
        })
    }

    /// Keeps `error` unless there is one already; a consequence (`Interrupted`) makes way for a cause.
    pub(super) fn record(&self, error: Error) {
        let mut slot = lock(&self.failure);
        if error.kind() != ErrorKind::Interrupted {
            self.failed.store(true, Ordering::Relaxed);
        }
        match &*slot {
            Some(first) if first.kind() != ErrorKind::Interrupted || error.kind() == ErrorKind::Interrupted => {}
            _ => *slot = Some(error),
        }
    }

    pub(super) fn take_failure(&self) -> Option<Error> {
        lock(&self.failure).take()
    }

    pub(super) fn add(&self, meter: &Arc<StageMeter>) {
        lock(&self.meters).push(Arc::clone(meter));
    }

    pub(super) fn add_inbox(&self, inbox: Weak<dyn Gauge>) {
        lock(&self.inboxes).push(inbox);
    }

    pub(super) fn meters(&self) -> Vec<Arc<StageMeter>> {
        lock(&self.meters).clone()
    }

    /// Lets the stages begin.
    pub(super) fn open(&self) {
        lock(&self.gate).open = true;
        self.moved.notify_all();
    }

    /// Waits until the stages may begin.
    pub(super) fn wait_for_start(&self) {
        let mut gate = lock(&self.gate);
        while !gate.open {
            gate = self.moved.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Says that one stage ended and its ends are closed.
    pub(super) fn one_ended(&self) {
        lock(&self.gate).ended += 1;
        self.moved.notify_all();
    }

    /// Waits until all `stages` ended, at most for `tick`. True if they did.
    pub(super) fn wait_for_end(&self, stages: usize, tick: Duration) -> bool {
        let gate = lock(&self.gate);
        let wait = self.moved.wait_timeout_while(gate, tick, |gate| gate.ended < stages);
        wait.unwrap_or_else(PoisonError::into_inner).0.ended >= stages
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    fn state(&self, meters: &[Arc<StageMeter>]) -> RunState {
        let all_done = meters.iter().all(|m| m.doing() == Doing::Done);
        if self.failed.load(Ordering::Relaxed) {
            RunState::Error
        } else if self.cancel.is_cancelled() {
            RunState::Stopped
        } else if !lock(&self.gate).open {
            RunState::Idle
        } else if all_done {
            RunState::Stopped
        } else if self.stalled.load(Ordering::Relaxed) {
            RunState::Stalled
        } else if self.is_draining() {
            RunState::Draining
        } else {
            RunState::Running
        }
    }

    pub(super) fn health(&self) -> Health {
        let meters = self.meters();
        Health { state: self.state(&meters), stages: meters.iter().map(|m| m.health()).collect() }
    }

    fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        for inbox in lock(&self.inboxes).iter().filter_map(Weak::upgrade) {
            inbox.shut();
        }
    }
}

/// A hold on a run for any thread: to look at it and to end it. Outlives the run.
#[derive(Clone)]
pub struct RunHandle(pub(super) Arc<RunCore>);

impl RunHandle {
    /// How the run is at this moment. Costs the queues a lock each: for people and watchers, not for every item.
    pub fn health(&self) -> Health {
        self.0.health()
    }

    /// Asks sources to stop taking more; everything in flight is finished and the run ends well. Any number of times.
    pub fn drain(&self) {
        self.0.drain();
    }

    /// Stops the run, which ends with `error` unless a stage failed before.
    pub fn fail(&self, error: Error) {
        self.0.record(error);
        self.0.cancel.cancel();
    }

    /// Stops the run: it ends with `Interrupted`. The token the graph was made from stays as it is.
    pub fn cancel(&self) {
        self.0.cancel.cancel();
    }
}
